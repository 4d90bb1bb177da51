// one item ──▶ its picture, its columns, what the model thinks of it and why.

import { Problem } from "../shared/api_client.js";
import { isOutside } from "../shared/column_range.js";
import { headline, isEstimate, numbersOf, reasonsInWords } from "../shared/decision_view.js";
import { byId, element } from "../shared/dom.js";
import { explanationOf } from "../shared/explanation_view.js";
import { number, percent, sentence } from "../shared/notation.js";

/** Shows what is known at once. */
export function showItem(item, head) {
  byId("question").textContent = item.head;
  byId("kind").textContent = item.kind === "audit" ? "Audit" : "Review";
  byId("kind").className = `pill ${item.kind === "audit" ? "accept" : "review"}`;
  byId("columns").replaceChildren(...columnsOf(item, head));
  byId("thought").replaceChildren(...thoughtOf(item, head));
  byId("why").replaceChildren(element("p", { class: "hint" }, item.image === null ? "No explanation without the image." : "…"));
  const sure = isEstimate(item) ? "" : `, ${percent(item.confidence)}`;
  byId("status").textContent = `${item.head}: the model says ${headline(item)}${sure}.`;
  hidePicture(item.image === null ? "The image was not kept." : "");
}

/** Shows a picture, or why there is none. */
export function showPicture(address) {
  if (address === null) return;
  if (address instanceof Problem) return hidePicture(sentence(address.message));
  const picture = byId("picture");
  picture.onload = () => {
    picture.hidden = false;
    picture.alt = `The image, ${picture.naturalWidth} by ${picture.naturalHeight} pixels`;
  };
  picture.onerror = () => hidePicture("This browser cannot show the image.");
  picture.src = address;
}

function hidePicture(note) {
  byId("frame").classList.toggle("none", note !== "");
  byId("picture").hidden = true;
  byId("picture").removeAttribute("src");
  byId("picture-note").textContent = note;
}

/** Shows why the model that serves now answers as it does; it may be another one than that of the item. */
export function showWhy(why, item, head) {
  if (why === null) return;
  if (why instanceof Problem) return byId("why").replaceChildren(element("p", { class: "hint" }, `No explanation: ${why.message}.`));
  const sure = isEstimate(why) ? "" : `, ${percent(why.confidence)}`;
  const isOther = why.model !== item.model || headline(why) !== headline(item);
  const now = isOther ? element("p", { class: "hint" }, `${why.model}, which serves now, says ${headline(why)}${sure}.`) : null;
  const reason = why.explanation ? explanationOf(why) : element("p", { class: "hint" }, "No explanation: the bundle has no examples for this head.");
  const parts = [now, numbersOf(why, head), reason];
  byId("why").replaceChildren(...parts.filter((part) => part !== null));
}

function thoughtOf(item, head) {
  const aside = isEstimate(item) ? "" : percent(item.confidence);
  const reasons = reasonsInWords(item, head, item.columns);
  const audit = "The model accepted this one. It was drawn at random, to measure how often that is right.";
  return [
    element("p", { class: "headline" }, headline(item), element("span", { class: "aside" }, aside)),
    item.kind === "audit"
      ? element("p", { class: "reasons" }, audit)
      : element("ul", { class: "reasons" }, ...reasons.map((reason) => element("li", {}, reason))),
    element("p", { class: "quiet about" }, `${item.model} · ${new Date(item.time).toLocaleString("en-GB")} · request ${item.request_id}`),
  ];
}

function columnsOf({ columns }, head) {
  const known = new Map((head?.columns ?? []).map((column) => [column.name, column]));
  const given = Object.entries(columns).filter(([, value]) => value !== null);
  const rows = given.map(([name, value]) => {
    const column = known.get(name);
    const note = column && isOutside(column, value) ? element("span", { class: "beyond" }, " beyond the training") : null;
    const text = typeof value === "number" ? number(value) : String(value);
    return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, text, note));
  });
  return rows.length ? [element("tbody", {}, ...rows)] : [];
}
