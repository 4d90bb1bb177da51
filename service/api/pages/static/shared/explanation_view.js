// `explanation` of an answer ──▶ what image and columns contributed, and the nearest training examples.

import { bar, element } from "./dom.js";
import { number, percent, signed } from "./notation.js";

/** The part of a card that says why. */
export function explanationOf(one) {
  const { explanation } = one;
  const isShare = one.value === undefined;
  const write = isShare ? (value) => (value * 100).toFixed(1) : number;
  const whole = isShare ? percent : number;
  const steps = [["Image", explanation.image], ...Object.entries(explanation.columns)];
  const reached = isShare ? one.confidence : one.value;
  const lead = `From ${whole(explanation.baseline)} with nothing known to ${whole(reached)} with all of it.`;
  const error = explanation.standard_error;
  const sampled = error === undefined ? null : element("p", { class: "hint" }, `From a sample of orders; each share is off by about ±${write(error)}.`);
  return element(
    "div",
    { class: "part" },
    element("h4", {}, "What moved it"),
    element("p", { class: "hint" }, lead),
    contributions(steps, isShare ? write : (value) => number(Number(value.toPrecision(3)))),
    sampled,
    element("h4", {}, "Nearest training examples"),
    neighbours(explanation.neighbours),
  );
}

/** Bars to the left for what spoke against the answer, to the right for what spoke for it. */
function contributions(steps, write) {
  const widest = Math.max(...steps.map(([, share]) => Math.abs(share))) || 1;
  const rows = steps.map(([name, share]) =>
    element(
      "li",
      {},
      element("span", { class: "name" }, name),
      bar(0.5, 0.5 + share / widest / 2, share < 0 ? "against" : "towards"),
      element("span", { class: "figure" }, signed(share, write)),
    ),
  );
  return element("ul", { class: "bars split" }, ...rows);
}

function neighbours(examples) {
  const shown = examples.map(({ distance, label, value, thumbnail }) => {
    const name = label ?? number(value);
    const picture = thumbnail ? element("img", { src: thumbnail, alt: "", width: "72", height: "72" }) : null;
    return element("li", {}, picture, element("span", { class: "name" }, name), element("span", { class: "quiet" }, number(Number(distance.toFixed(2)))));
  });
  const hasPictures = examples.some((example) => example.thumbnail);
  const list = element("ol", { class: hasPictures ? "neighbours" : "neighbours plain" }, ...shown);
  const hint = `${examples.some((example) => example.label) ? "Label" : "Value"} and distance${hasPictures ? "" : "; no pictures, which training keeps with --thumbnails"}.`;
  return element("div", {}, list, element("p", { class: "hint" }, hint));
}
