// the shadow model beside the champion ──▶ a card: who accepts more, who is right, and whether that is evidence.

import { element } from "../shared/dom.js";
import { number, percent, sentence } from "../shared/notation.js";
import { factsOf } from "./head_figures.js";

const share = (value) => (value === null ? "–" : percent(value));

/** A card of all heads of the shadow. */
export function shadowCard(shadow, champion) {
  const card = (...parts) => element("section", { class: "card figure-card", "aria-label": "Shadow" }, element("h2", {}, "Shadow"), ...parts);
  if (shadow === null) return card(element("p", { class: "quiet" }, "No other version decides beside this one."));
  const lead = element("p", { class: "quiet" }, `${shadow.model} decides unseen on the same images as ${champion}.`);
  return card(lead, ...Object.entries(shadow.heads).flatMap(([name, found]) => headOf(name, found)));
}

function headOf(name, found) {
  const facts = [
    ["Decisions", String(found.decisions)],
    ["Agreement", share(found.agreement)],
    ["Accepted", share(found.accepted)],
    ["Champion accepts", share(found.champion_accepted)],
    ["Answered", String(found.answered)],
    ["Won and lost", `${found.won} and ${found.lost}`],
    ["Evidence (e-value)", found.e_value === null ? "–" : number(Number(found.e_value.toPrecision(3)))],
  ];
  return [element("h3", {}, name), element("p", { class: "verdict open" }, sentence(found.sentence)), factsOf(facts)];
}
