// one head's answer ──▶ its headline, its reasons in words, and its probabilities or interval.

import { isOutside } from "./column_range.js";
import { bar, element } from "./dom.js";
import { number, percent } from "./notation.js";

const MOST_CLASSES = 8;

/** Whether the head names a number. */
export const isEstimate = (one) => (one.value ?? null) !== null;

/** The class, or the number. */
export const headline = (one) => (isEstimate(one) ? number(one.value) : one.label);

/**
 * Why a person should look, in words.
 * @param {Object} one with `reasons`, `label`, `confidence`; `probabilities` where they are known
 * @param {Object} head of the manifest; undefined if the bundle has no such head any more
 * @param {Object} columns that came with the image
 */
export function reasonsInWords(one, head, columns) {
  return one.reasons.map((reason) => inWords(reason, one, head, columns));
}

function inWords(reason, one, head, columns) {
  const policy = head?.policy ?? {};
  const named = (names) => names.map((name) => `“${name}”`).join(", ");
  if (reason === "low_confidence") return lowConfidence(one, policy);
  if (reason === "unfamiliar") return "The image is unlike those of the training.";
  if (reason === "missing_columns") {
    const missing = (policy.expected_columns ?? []).filter((name) => !(name in columns));
    return `Training nearly always had a value for ${named(missing) || "a column that is missing"}.`;
  }
  if (reason === "out_of_range") return `${named(outside(head, columns)) || "A column"} is beyond the range of the training.`;
  return reason; // one that a later version of the API has
}

/** Columns whose value makes the policy ask for a review. */
function outside(head, columns) {
  const watched = (head?.columns ?? []).filter((column) => (head.policy.range_columns ?? []).includes(column.name));
  return watched.filter((column) => isOutside(column, columns[column.name])).map((column) => column.name);
}

function lowConfidence(one, policy) {
  const needed = policy.min_confidence_of?.[one.label] ?? policy.min_confidence ?? 0;
  if (needed > 1) return "This head leaves every such answer to a person.";
  if (one.confidence < needed) return `${percent(one.confidence)} is less than the ${percent(needed)} that this head needs.`;
  const feared = Object.entries(policy.review_from ?? {}).filter(([name, least]) => name !== one.label && one.probabilities?.[name] >= least);
  if (feared.length === 0) return "The head was not sure enough."; // the model that serves now has other limits
  return `It may be ${feared.map(([name]) => `“${name}”`).join(" or ")}, which must not be missed.`;
}

/** Probabilities as bars, or the interval; null for a number without one. */
export const numbersOf = (one, head) => (isEstimate(one) ? intervalOf(one, head) : barsOf(one));

function barsOf(one) {
  const rows = Object.entries(one.probabilities).map(([name, share]) =>
    element("li", {}, element("span", { class: "name" }, name), bar(0, share), element("span", { class: "figure" }, percent(share))),
  );
  const rest = rows.splice(MOST_CLASSES);
  const more = rest.length
    ? element("details", {}, element("summary", {}, `${rest.length} more`), element("ul", { class: "bars" }, ...rest))
    : null;
  return element("div", { class: "part" }, element("h4", {}, "Probabilities"), element("ul", { class: "bars" }, ...rows), more);
}

function intervalOf({ value, interval }, head) {
  if (!interval) return null;
  const [low, high] = interval;
  const margin = (high - low) * 0.25 || 1;
  const place = (at) => (at - low + margin) / (high - low + 2 * margin);
  const track = bar(place(low), place(high), "interval");
  const dot = element("span", { class: "dot" });
  dot.style.setProperty("--at", place(value));
  track.append(dot);
  const covered = head?.interval_coverage ? `Made to hold ${percent(head.interval_coverage).replace(".0", "")} of unseen values.` : "";
  const ends = element("p", { class: "ends", "aria-hidden": "true" }, element("span", {}, number(low)), element("span", {}, number(high)));
  return element("div", { class: "part" }, element("h4", {}, "Interval"), track, ends, element("p", { class: "hint" }, covered));
}
