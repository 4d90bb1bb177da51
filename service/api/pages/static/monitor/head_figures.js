// one head's figures ──▶ a card: live precision against its target, accepted share, what waits, each class.

import { element } from "../shared/dom.js";
import { number, percent } from "../shared/notation.js";
import { curve, rangeBar } from "./chart.js";

const COUNT = new Intl.NumberFormat("en");

/**
 * A card of one head.
 * @param {string} name
 * @param {Object} found its figures
 * @param {{history: Object[], isNumber: boolean}} about precision over time, oldest first; whether the head names a number
 */
export function headCard(name, found, { history, isNumber }) {
  const facts = [
    ["Decisions", COUNT.format(found.decisions) + (found.of_newest === null ? "" : ` of the newest ${COUNT.format(found.of_newest)}`)],
    ["Accepted", found.accepted === null ? "–" : percent(found.accepted)],
    ["Waiting", COUNT.format(found.waiting)],
    ["Answered", COUNT.format(found.answered)],
    ["Disputed", COUNT.format(found.disagreements)],
  ];
  const answer = element("a", { href: `review?head=${encodeURIComponent(name)}`, id: `answer-${name}` }, "Answer what waits");
  return element(
    "section",
    { class: "card figure-card", "aria-label": `Head ${name}` },
    element("div", { class: "row" }, element("h2", {}, name), found.waiting > 0 ? answer : null),
    factsOf(facts),
    ...(isNumber ? [element("p", { class: "quiet" }, numberInWords(found))] : precisionOf(name, found, history)),
  );
}

/** Names and values, side by side. */
export const factsOf = (facts) =>
  element("dl", { class: "facts" }, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));

function numberInWords({ mean_absolute_error: error }) {
  const said = "It names a number, of which no share is right.";
  return error === null ? said : `${said} By the answered audits, its mean absolute error is ${number(error)}.`;
}

function precisionOf(name, { precision, accepted }, history) {
  const { estimate, lower, upper, target, audits, answered } = precision;
  const title = element("h3", {}, "Live precision");
  if (answered === 0) return [title, element("p", { class: "quiet" }, unanswered(audits, accepted))];
  const aside = element("span", { class: "aside" }, `${percent(lower)} to ${percent(upper)}`);
  const label = `${percent(estimate)}, between ${percent(lower)} and ${percent(upper)}${target === null ? "" : `; the target is ${percent(target)}`}.`;
  const [kind, verdict] = verdictOf(precision);
  const points = history.map(({ time, estimate: value, lower: low, upper: high }) => ({ time, value, low, high, limit: target ?? undefined }));
  return [
    title,
    element("p", { class: "headline" }, estimate === null ? "–" : percent(estimate), aside),
    rangeBar(precision, { label, write: percent }),
    element("p", { class: `verdict ${kind}` }, verdict),
    element("p", { class: "hint" }, `By the answers to ${COUNT.format(answered)} of ${COUNT.format(audits)} audits; the interval holds with 95 % confidence.`),
    points.length > 1 ? curve(points, { label: `Live precision of ${name} over time.`, write: percent }) : null,
    classesOf(name, precision.classes),
  ].filter((part) => part !== null);
}

function unanswered(audits, accepted) {
  if (audits > 0) return `Nothing is known yet: none of ${COUNT.format(audits)} audits has been answered.`;
  return accepted ? "Nothing is known yet: no accepted decision has been drawn as an audit." : "Nothing is accepted, so there is nothing to be right about.";
}

function verdictOf({ lower, upper, target }) {
  if (target === null) return ["open", "The head promises no precision."];
  if (lower >= target) return ["good", `At or above the target of ${percent(target)}.`];
  if (upper < target) return ["bad", `Below the target of ${percent(target)}.`];
  return ["open", `Too few answers to tell whether the target of ${percent(target)} is met.`];
}

function classesOf(name, classes) {
  const rows = Object.entries(classes).sort(([, a], [, b]) => (a.estimate ?? 2) - (b.estimate ?? 2));
  if (rows.length === 0) return null;
  const cells = rows.map(([label, { estimate, lower, upper, answered }]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, label),
      element("td", {}, estimate === null ? "–" : percent(estimate)),
      element("td", {}, answered === 0 ? "–" : `${percent(lower)} to ${percent(upper)}`),
      element("td", {}, COUNT.format(answered)),
    ),
  );
  const heads = ["Class", "Precision", "Between", "Answers"].map((text) => element("th", { scope: "col" }, text));
  const table = element("table", { class: "table" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...cells));
  const scroll = element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": `Classes of ${name}` }, table);
  return element("details", { id: `classes-${name}` }, element("summary", { id: `classes-of-${name}` }, "Each class, the worst first"), scroll);
}
