// the head of an item ──▶ buttons for its classes, or a field for its number ──▶ the answer.

import { byId, element } from "../shared/dom.js";
import { number } from "../shared/notation.js";
import { decimalNumber } from "./decimal_number.js";
import { ANSWER_KEYS } from "./review_keys.js";

const MOST_WITHOUT_SEARCH = 12;

let classes = []; // of the item, the likeliest first
let answered = () => {};
let wasSearched = false; // whoever found a class by its name goes on so

/** Listens for answers; `answer` is called with what `/v1/feedback` takes: `label`, `value` or `cannot_tell`. */
export function watchAnswers(answer) {
  answered = answer;
  byId("find").addEventListener("input", showClasses);
  byId("value").addEventListener("input", () => tellWrong(""));
  byId("cannot-tell").addEventListener("click", () => answer({ cannot_tell: true }));
  byId("answers").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!byId("value-field").hidden) answerNumber();
    else if (byId("find").value && found().length > 0) {
      wasSearched = true;
      answer({ label: found()[0] });
    }
  });
}

/**
 * Shows what can be answered. The order stays while the item is on screen: no button moves under a finger.
 * @param {Object} item
 * @param {Object} head of the manifest; undefined if it no longer serves, so that nothing can be answered
 * @param {Object} probabilities by class; empty where they are not known
 */
export function showAnswers(item, head, probabilities) {
  const likely = (name) => probabilities[name] ?? (name === item.label ? 1e-9 : 0);
  classes = [...(head?.classes ?? [])].sort((a, b) => likely(b) - likely(a));
  const isNumber = head !== undefined && classes.length === 0;
  byId("value-field").hidden = !isNumber;
  byId("value").value = "";
  byId("value").required = isNumber;
  byId("value").placeholder = isNumber && item.value !== null ? number(item.value) : "";
  tellWrong("");
  byId("find-field").hidden = classes.length <= MOST_WITHOUT_SEARCH;
  byId("find").value = "";
  byId("gone").hidden = head !== undefined;
  byId("gone").textContent = head === undefined ? `The model that serves now has no head “${item.head}”: this can only be skipped.` : "";
  byId("cannot-tell").hidden = head === undefined;
  showClasses();
  allowAnswers(true);
  focusField(isNumber, wasSearched && classes.length > 0);
  wasSearched = false;
}

/** Nothing can be answered while an item comes. */
export function clearAnswers() {
  classes = [];
  byId("class-list").replaceChildren();
  allowAnswers(false);
}

/** Forbids answers, or allows them. */
export function allowAnswers(isAllowed) {
  byId("answer-fields").disabled = !isAllowed;
}

/** Answers with the class that has this key. */
export function answerAt(index) {
  if (index < classes.length && !byId("answer-fields").disabled) answered({ label: classes[index] });
}

function answerNumber() {
  const value = decimalNumber(byId("value").value);
  if (value !== null) return answered({ value });
  tellWrong(`“${byId("value").value.trim().slice(0, 40)}” is not a plain number: write digits, with one “.” or “,” before the decimals.`);
  byId("value").focus();
}

function tellWrong(reason) {
  byId("value-error").textContent = reason;
  byId("value").setAttribute("aria-invalid", String(reason !== ""));
}

/** Goes to the search field, if there is one. */
export function findClass() {
  if (!byId("find-field").hidden) byId("find").focus();
}

function focusField(isNumber, isSearched) {
  const hasKeyboard = !matchMedia("(pointer: coarse)").matches; // elsewhere the keyboard would hide the picture
  const field = isNumber && hasKeyboard ? "value" : isSearched ? "find" : "item";
  byId(field).focus({ preventScroll: true });
}

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function found() {
  const wanted = plain(byId("find").value.trim());
  const starts = classes.filter((name) => plain(name).startsWith(wanted));
  return [...starts, ...classes.filter((name) => !starts.includes(name) && plain(name).includes(wanted))];
}

function showClasses() {
  const names = found();
  const shown = names.slice(0, ANSWER_KEYS.length);
  byId("class-list").replaceChildren(...shown.map(buttonOf));
  const more = names.length - shown.length;
  byId("find-note").textContent = names.length === 0 && classes.length > 0 ? "No class has this in its name." : more > 0 ? `${more} more: type to find them.` : "";
}

function buttonOf(name, place) {
  const key = ANSWER_KEYS[classes.indexOf(name)];
  const badge = key === undefined ? null : element("kbd", { "aria-hidden": "true" }, key);
  const isFirst = place === 0 && byId("find").value !== "";
  const button = element(
    "button",
    { type: "button", class: isFirst ? "button first" : "button", click: () => answered({ label: name }) },
    badge,
    element("span", {}, name),
  );
  if (key !== undefined) button.setAttribute("aria-keyshortcuts", key);
  return element("li", {}, button);
}
