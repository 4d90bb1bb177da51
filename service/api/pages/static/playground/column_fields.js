// columns of the chosen heads ──▶ a form, and the form ──▶ the columns of the request.

import { hasRange, isOutside } from "../shared/column_range.js";
import { byId, element } from "../shared/dom.js";
import { isoDate, listed, number } from "../shared/notation.js";

const values = new Map(); // what was typed, by column, while heads come and go

/**
 * Shows a field for each column that one of these heads takes.
 * @param {Object[]} heads of the manifest
 */
export function showColumns(heads) {
  const columns = merged(heads);
  byId("columns").hidden = columns.length === 0;
  byId("column-list").replaceChildren(...columns.map(fieldOf));
}

/** Columns that are filled in, as the API takes them. */
export function givenColumns() {
  const fields = [...byId("column-list").querySelectorAll("[data-column]")];
  const given = fields.map((field) => [field.dataset.column, valueOf(field)]);
  return Object.fromEntries(given.filter(([, value]) => value !== null));
}

function valueOf(field) {
  if (field.value === "") return null;
  if (field.dataset.type === "number") return field.valueAsNumber;
  return field.dataset.type === "boolean" ? field.value === "true" : field.value;
}

/** One column of each name; required if one head requires it, reviewed if one head reviews what is out of range. */
function merged(heads) {
  const found = new Map();
  for (const head of heads) {
    for (const column of head.columns) {
      const before = found.get(column.name);
      const isReviewed = (head.policy.range_columns ?? []).includes(column.name);
      found.set(column.name, {
        ...(before ?? column),
        required: column.required || Boolean(before?.required),
        isReviewed: isReviewed || Boolean(before?.isReviewed),
      });
    }
  }
  return [...found.values()];
}

function fieldOf(column, index) {
  const id = `column-${index}`;
  const note = element("p", { class: "note", id: `${id}-note`, role: "status" });
  const field = inputOf(column, {
    id,
    "data-column": column.name,
    "data-type": column.type,
    "aria-describedby": `${id}-hint ${id}-note`,
    required: column.required,
    autocomplete: "off",
  });
  field.value = values.get(column.name) ?? "";
  const noticed = () => {
    values.set(column.name, field.value);
    note.textContent = unusual(column, field);
  };
  field.addEventListener("input", noticed);
  noticed();
  const need = element("span", { class: "need" }, column.required ? "required" : "optional");
  const options = column.type === "category" ? optionsOf(column, `${id}-options`) : null;
  if (options) field.setAttribute("list", options.id);
  const hint = element("p", { class: "hint", id: `${id}-hint` }, hintOf(column));
  return element("div", { class: "field" }, element("label", { for: id }, column.name, need), field, options, hint, note);
}

function inputOf(column, attributes) {
  if (column.type === "boolean") {
    const choices = [["", column.required ? "Choose" : "Not given"], ["true", "True"], ["false", "False"]];
    return element("select", attributes, ...choices.map(([value, text]) => element("option", { value }, text)));
  }
  if (column.type === "number") return element("input", { ...attributes, type: "number", step: "any", inputmode: "decimal" });
  if (column.type === "date") return element("input", { ...attributes, type: hasTime(column) ? "datetime-local" : "date" });
  return element("input", { ...attributes, type: "text" });
}

const optionsOf = (column, id) =>
  element("datalist", { id }, ...(column.categories ?? []).map((value) => element("option", { value })));

const hasTime = ({ low, high }) => !Number.isInteger(low ?? 0) || !Number.isInteger(high ?? 0);

function hintOf(column) {
  const write = column.type === "date" ? isoDate : number;
  if (column.type === "category") return column.categories?.length ? `Seen in training: ${listed(column.categories)}` : "";
  const range = hasRange(column) ? `${write(column.low)} to ${write(column.high)} in training` : "";
  return column.type === "date" ? [range, "UTC"].filter(Boolean).join("; ") : range;
}

/** What is worth knowing of a value before it is sent; empty if nothing is. */
function unusual(column, field) {
  if (field.value === "") return "";
  if (column.type === "category") {
    const key = column.cleaning === "folded" ? folded : (text) => text;
    const isKnown = (column.categories ?? []).some((category) => key(category) === key(field.value));
    return isKnown || !column.categories?.length ? "" : "Not seen in training; it counts as none of the known ones.";
  }
  if (!isOutside(column, valueOf(field))) return "";
  return `Outside the range of training${column.isReviewed ? ": the answer will go to a person" : "; it counts as the nearer end"}.`;
}

/** About as the server compares folded categories; it decides. */
const folded = (text) => text.normalize("NFC").trim().replace(/\s+/g, " ").toLowerCase();
