// `/v1/monitor` ──▶ the page, again and again. What is open or has the focus stays so.

import { Problem } from "../shared/api_client.js";
import { byId, element } from "../shared/dom.js";
import { askWithKey } from "../shared/key_form.js";
import { sentence } from "../shared/notation.js";
import { driftCard } from "./drift_figures.js";
import { headCard } from "./head_figures.js";
import { shadowCard } from "./shadow_figures.js";

const REFRESH_MS = 30_000;

let shown = "";

async function refresh() {
  try {
    const found = { ...(await askWithKey("v1/monitor")), numbers: await numericHeads() };
    byId("trouble").replaceChildren();
    byId("updated").textContent = `As of ${new Date().toLocaleTimeString("en-GB")}`;
    if (JSON.stringify(found) !== shown) show(found);
    shown = JSON.stringify(found);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    byId("trouble").replaceChildren(element("p", { class: "notice" }, sentence(problem.message)));
    if (problem.code === "not_found") return; // nothing is recorded here
  }
  setTimeout(refresh, REFRESH_MS);
}

/** Names of the heads that name a number. */
async function numericHeads() {
  const manifest = await askWithKey("v1/models");
  return manifest.heads.filter((head) => head.classes.length === 0).map(({ name }) => name);
}

function show({ model, heads, shadow, drift, history, watching, numbers }) {
  const open = [...document.querySelectorAll("details[open]")].map(({ id }) => id);
  const focused = document.activeElement?.id;
  byId("model").textContent = model ?? "";
  byId("unwatched").hidden = watching;
  const cards = Object.entries(heads).map(([name, found]) => headCard(name, found, { history: history.precision[name] ?? [], isNumber: numbers.includes(name) }));
  if (cards.length === 0) cards.push(element("section", { class: "empty" }, element("p", {}, "Nothing has been decided yet"), element("p", {}, "Decisions show up here about a second after they were given.")));
  byId("figures").replaceChildren(...cards, shadowCard(shadow, model), driftCard(drift, history.drift));
  for (const id of open) byId(id)?.setAttribute("open", "");
  if (focused) byId(focused)?.focus({ preventScroll: true });
}

refresh();
