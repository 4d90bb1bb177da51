// queue ──▶ item on screen ──▶ answer ──▶ next: the page's life. Each step ends before the next one begins.

import { ask, Problem, send } from "../shared/api_client.js";
import { byId, element } from "../shared/dom.js";
import { askWithKey, withKey } from "../shared/key_form.js";
import { modelOf, sentence } from "../shared/notation.js";
import { allowAnswers, answerAt, clearAnswers, findClass, showAnswers, watchAnswers } from "./answer_form.js";
import { showItem, showPicture, showWhy } from "./item_view.js";
import { watchKeys } from "./review_keys.js";
import { isLeased, ReviewQueue } from "./review_queue.js";
import { reviewerName } from "./reviewer.js";

const LOOK_AGAIN_MS = 20_000;
const ORDER_WITHIN_MS = 800; // the likeliest class comes first if the probabilities are there by then
const MOST_UNDONE = 50;

const reviewer = reviewerName();
let manifest;
let queue;
let current = null;
let isBusy = false;
let lookAgain = 0;
let answeredHere = 0;
const given = []; // answers that can be undone: {item, id}

const headOf = (item) => manifest.heads.find((head) => head.name === item.head);
const waited = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs one step at a time; what goes wrong is told in a sentence. */
async function act(step) {
  if (isBusy) return;
  isBusy = true;
  clearTimeout(lookAgain);
  byId("trouble").replaceChildren();
  try {
    await step();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    tell(problem);
    if (current === null) showNothing(problem);
  } finally {
    isBusy = false;
    showProgress();
  }
}

const tell = (problem) => byId("trouble").replaceChildren(element("p", { class: "notice" }, sentence(problem.message)));

async function begin(head) {
  manifest = await askWithKey("v1/models");
  const names = manifest.heads.map(({ name }) => name);
  byId("head-field").hidden = names.length < 2;
  byId("head").replaceChildren(element("option", { value: "" }, "All"), ...names.map((name) => element("option", { value: name }, name)));
  byId("head").value = names.includes(head) ? head : "";
  queue = new ReviewQueue({ reviewer, head: byId("head").value });
  await advance();
}

async function advance() {
  current = null;
  const item = await queue.next();
  if (item) await show(item);
  else showEmpty();
}

async function show(item) {
  current = item;
  reveal("item");
  byId("lapsed").hidden = true;
  clearAnswers();
  showItem(item, headOf(item));
  item.picture.then((address) => current === item && showPicture(address));
  item.why.then((why) => current === item && showWhy(why, item, headOf(item)));
  const why = await Promise.race([item.why, waited(ORDER_WITHIN_MS)]);
  if (why?.model && why.model !== modelOf(manifest)) manifest = await askWithKey("v1/models"); // another one serves since
  showAnswers(item, headOf(item), why?.probabilities ?? {});
  if (byId("item").getBoundingClientRect().top < 0) byId("item").scrollIntoView();
}

async function answer(said) {
  if (current === null || !isLeased(current)) return;
  await act(async () => {
    const item = current;
    try {
      keep({ item, id: await post(item, said) });
    } catch (problem) {
      if (problem.code === "bad_feedback") await begin(byId("head").value); // another model serves since
      if (problem.code !== "not_found") throw problem;
      tell(problem); // it was erased meanwhile
    }
    queue.settle(item);
    await advance();
  });
}

async function post({ request_id, index, head }, said) {
  const body = JSON.stringify({ request_id, index, head, by: reviewer, source: "page", ...said });
  const headers = { "Content-Type": "application/json" };
  return (await withKey(() => ask("v1/feedback", { method: "POST", body, headers }))).document.id;
}

function keep(answered) {
  answeredHere += 1;
  given.push(answered);
  if (given.length > MOST_UNDONE) given.shift().item.picture.then((address) => typeof address === "string" && URL.revokeObjectURL(address));
}

async function undo() {
  if (given.length === 0) return;
  await act(async () => {
    const { item, id } = given.at(-1);
    await withKey(() => send(`v1/feedback/${id}`, { method: "DELETE" })).catch((problem) => {
      if (problem.code === "not_found") given.pop(); // it was erased, or undone elsewhere
      throw problem;
    });
    given.pop();
    answeredHere -= 1;
    if (current) queue.putBack(current);
    queue.reopen(item);
    await queue.fill(); // leases it again
    await show(item);
  });
}

async function skip() {
  if (current === null) return;
  queue.skip(current);
  await act(advance);
}

/** The lease has run out: nothing is answered before it is taken again. */
function watchLease() {
  if (current === null || isBusy || isLeased(current) || !byId("lapsed").hidden) return;
  byId("lapsed").hidden = false;
  allowAnswers(false);
  byId("again").focus();
}

const takeAgain = () =>
  act(async () => {
    await queue.fill();
    if (isLeased(current)) return show(current);
    byId("status").textContent = "Somebody else has it now.";
    return advance();
  });

function reveal(shown) {
  for (const id of ["item", "empty"]) byId(id).hidden = id !== shown;
  byId("tools").hidden = false;
}

function showEmpty() {
  reveal("empty");
  const isOthers = queue.waiting > queue.skipped;
  byId("empty-title").textContent = isOthers ? "The rest is with others" : queue.skipped ? "Only what you skipped is left" : "Nothing waits for you";
  byId("empty-text").textContent = "This page looks again every 20 s.";
  byId("recall").hidden = queue.skipped === 0;
  byId("recall").textContent = `Show the ${queue.skipped} skipped again`;
  later(() => act(advance));
}

/** Nothing can be shown; tries again, unless nothing is recorded here at all. */
function showNothing({ code }) {
  byId("item").hidden = byId("empty").hidden = true;
  if (code !== "not_found") later(() => act(() => (queue ? advance() : begin(wantedHead()))));
}

/** Nobody looks at a tab in the background: it takes nothing away from others. */
function later(step) {
  clearTimeout(lookAgain);
  lookAgain = setTimeout(() => (document.hidden ? later(step) : step()), LOOK_AGAIN_MS);
}

function showProgress() {
  byId("undo").disabled = given.length === 0;
  if (queue) byId("progress").textContent = `${answeredHere} answered by you · ${queue.waiting} waiting`;
}

const wantedHead = () => new URLSearchParams(location.search).get("head") ?? "";

watchAnswers(answer);
watchKeys({ answerAt, find: findClass, isOn: () => byId("keys-on").checked, s: skip, u: undo, x: () => answer({ cannot_tell: true }) });
byId("undo").addEventListener("click", undo);
byId("skip").addEventListener("click", skip);
byId("again").addEventListener("click", takeAgain);
byId("go-on").addEventListener("click", () => act(advance));
byId("head").addEventListener("change", () => act(() => begin(byId("head").value)));
byId("recall").addEventListener("click", () => {
  queue.recallSkipped();
  act(advance);
});
setInterval(watchLease, 500);
act(() => begin(wantedHead()));
