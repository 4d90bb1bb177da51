// manifest ──▶ form ──▶ request ──▶ answer: the page's life. What it shows comes from the API, with the key of the tab.

import { ask, Problem } from "../shared/api_client.js";
import { byId, element } from "../shared/dom.js";
import { askWithKey, keyFromPerson } from "../shared/key_form.js";
import { listed, modelOf, sentence } from "../shared/notation.js";
import { givenColumns, showColumns } from "./column_fields.js";
import { currentImage, watchImages } from "./image_input.js";
import { fetchOf, showCode } from "./request_code.js";
import { showAnswer, showProblem } from "./result_view.js";

let manifest;
let isBusy = false;

const boxes = () => [...byId("head-list").querySelectorAll("input")];
const chosenHeads = () => manifest.heads.filter((_, index) => boxes()[index].checked);
const chosenNames = () => chosenHeads().map((head) => head.name);

async function loadModel() {
  const before = manifest ? chosenNames() : [];
  manifest = await askWithKey("v1/models");
  byId("model").textContent = modelOf(manifest);
  byId("heads").hidden = manifest.heads.length < 2;
  byId("head-list").replaceChildren(...manifest.heads.map(choiceOf));
  const kept = manifest.heads.map((head) => before.includes(head.name));
  boxes().forEach((box, index) => (box.checked = kept.includes(true) ? kept[index] : index === 0));
  followHeads();
  byId("work").hidden = false;
}

function choiceOf(head, index) {
  const what = head.classes.length ? listed(head.classes) : "a number";
  const box = element("input", { type: "checkbox", id: `head-${index}`, change: followHeads });
  return element("label", { class: "choice", for: box.id }, box, element("span", { class: "name" }, head.name), element("span", { class: "quiet" }, what));
}

/** Fits the form to the heads that are chosen. */
function followHeads() {
  const heads = chosenHeads();
  boxes()[0].setCustomValidity(heads.length ? "" : "Choose at least one head.");
  showColumns(heads);
  const silent = heads.filter((head) => !head.explain_rows).map((head) => head.name);
  byId("explain").disabled = silent.length > 0;
  byId("explain-note").textContent = silent.length ? `No explanation: the bundle has no examples for ${listed(silent)}.` : "";
}

function wantedRequest() {
  const heads = chosenNames();
  const isDefault = heads.length === 1 && heads[0] === manifest.heads[0].name;
  const explain = byId("explain");
  const query = [
    ...(isDefault ? [] : [["heads", heads.join(",")]]),
    ...(explain.checked && !explain.disabled ? [["explain", "1"]] : []),
  ];
  return { file: currentImage(), columns: givenColumns(), query };
}

async function decide() {
  if (isBusy) return;
  const wanted = wantedRequest();
  setBusy(true);
  showCode(wanted);
  try {
    await answer(wanted);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    showProblem(problem);
    if (problem.code === "unauthorized") await renewKey(problem);
  } finally {
    setBusy(false);
  }
  revealAnswer();
}

async function answer(wanted) {
  const began = performance.now();
  const { document, requestId } = await ask(...fetchOf(wanted));
  const ms = performance.now() - began;
  const found = document.predictions?.[0] ?? document;
  if (found.model !== modelOf(manifest)) await loadModel(); // another one serves since
  showAnswer(found, { manifest, columns: wanted.columns, ms, requestId });
}

async function renewKey(problem) {
  await keyFromPerson(sentence(problem.message));
  await loadModel();
}

function setBusy(busy) {
  isBusy = busy;
  byId("decide").textContent = busy ? "Deciding…" : "Get decision";
  byId("answer").setAttribute("aria-busy", String(busy));
}

/** On a phone the answer is below the form. */
function revealAnswer() {
  const box = byId("answer").getBoundingClientRect();
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (box.top > innerHeight * 0.8) byId("answer").scrollIntoView({ behavior: isCalm ? "auto" : "smooth" });
}

byId("request").addEventListener("submit", (event) => {
  event.preventDefault();
  if (currentImage()) return decide();
  byId("image-note").textContent = "Choose an image first.";
  byId("file").focus();
  return null;
});
watchImages(() => {
  if (byId("request").checkValidity()) decide();
});

try {
  await loadModel();
} catch (problem) {
  byId("trouble").replaceChildren(element("p", { class: "notice" }, sentence(problem.message)));
}
