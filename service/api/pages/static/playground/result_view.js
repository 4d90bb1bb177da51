// the API's answer ──▶ a card for each head: decision, reasons in words, probabilities or interval, why.

import { headline, isEstimate, numbersOf, reasonsInWords } from "../shared/decision_view.js";
import { byId, element } from "../shared/dom.js";
import { explanationOf } from "../shared/explanation_view.js";
import { number, percent, sentence } from "../shared/notation.js";

/**
 * Shows the answers of all heads that were asked.
 * @param {Object} answer of the API
 * @param {{manifest: Object, columns: Object, ms: number, requestId: string}} about
 */
export function showAnswer(answer, { manifest, columns, ms, requestId }) {
  const found = answer.decisions ? Object.values(answer.decisions) : [answer];
  const heads = new Map(manifest.heads.map((head) => [head.name, head]));
  const cards = found.map((one) => cardOf(one, heads.get(one.head), columns));
  const raw = element("details", { class: "raw" }, element("summary", {}, "Response as JSON"), element("pre", { tabindex: "0", role: "region", "aria-label": "JSON" }, shortened(answer)));
  const footer = element("p", { class: "quiet about" }, `${answer.model} · ${Math.round(ms)} ms there and back · request ${requestId}`);
  byId("result").replaceChildren(...cards, footer, raw);
  byId("status").textContent = found.map(spoken).join(" ");
}

/** Shows a problem in the place of an answer. */
export function showProblem({ message, code }) {
  const text = sentence(message);
  const title = element("h3", {}, "No decision");
  byId("result").replaceChildren(
    element("div", { class: "card problem" }, title, element("p", {}, text), element("p", { class: "quiet" }, "Code ", element("code", {}, code))),
  );
  byId("status").textContent = `Error. ${text}`;
}

const verdict = (one) => (one.decision === "accept" ? "Accept" : "Review");

function spoken(one) {
  const sure = isEstimate(one) ? "" : `, ${percent(one.confidence)}`;
  return `${one.head}: ${headline(one)}${sure}. ${verdict(one)}.`;
}

function cardOf(one, head, columns) {
  const top = element(
    "div",
    { class: "row" },
    element("h3", {}, one.head),
    element("span", { class: `pill ${one.decision}` }, verdict(one)),
  );
  const aside = isEstimate(one) ? (one.interval ? `${number(one.interval[0])} to ${number(one.interval[1])}` : "") : percent(one.confidence);
  const main = element("p", { class: "headline" }, headline(one), element("span", { class: "aside" }, aside));
  const says = one.reasons.length
    ? element("ul", { class: "reasons" }, ...reasonsInWords(one, head, columns).map((reason) => element("li", {}, reason)))
    : element("p", { class: "reasons" }, "Good enough to act on without a person.");
  const why = one.explanation ? explanationOf(one) : null;
  return element("article", { class: `card decision ${one.decision}` }, top, main, says, numbersOf(one, head), why);
}

/** JSON with its pictures cut short. */
const shortened = (answer) =>
  JSON.stringify(answer, (_, value) => (typeof value === "string" && value.startsWith("data:") ? `${value.slice(0, 32)}…` : value), 2);
