// drift ──▶ a card: the statistic against its threshold over time, in words, and pictures of what is new.

import { Problem } from "../shared/api_client.js";
import { element } from "../shared/dom.js";
import { keptImage } from "../shared/kept_image.js";
import { number } from "../shared/notation.js";
import { curve, when } from "./chart.js";

const pictures = new Map(); // by SHA-256: promises of addresses, so that a picture is asked for once

/** A card of the newest window and those before it. */
export function driftCard(drift, history) {
  const title = element("h2", {}, "Drift");
  const card = (...parts) => element("section", { class: "card figure-card wide", "aria-label": "Drift" }, title, ...parts);
  if (drift === null) return card(element("p", { class: "quiet" }, "Nothing is known yet: there has not been a whole window of decisions beyond the reference."));
  const { alarm, statistic, threshold, decisions, time } = drift;
  const against = `The statistic is ${short(statistic)}, its threshold ${short(threshold)}.`;
  const verdict = alarm
    ? `Alarm: the newest window of ${decisions} decisions differs from the reference. ${against}`
    : `No drift: the newest window of ${decisions} decisions is like the reference. ${against}`;
  const points = history.map((found) => ({ time: found.time, value: found.statistic, limit: found.threshold, isMarked: found.alarm }));
  const alarms = history.filter((found) => found.alarm).length;
  const label = `Drift statistic over time; ${alarms} of ${history.length} windows are alarms.`;
  return card(
    element("p", { class: `verdict ${alarm ? "bad" : "good"}` }, verdict),
    element("p", { class: "hint" }, `Measured ${when(time)}.`),
    ...(points.length > 1 ? [curve(points, { label, write: short }), element("p", { class: "hint" }, "Dashed: the threshold. Dots: alarms.")] : []),
    ...newOnes(drift.new),
  );
}

const short = (value) => number(Number(value.toPrecision(3)));

function newOnes(found) {
  forgetOthers(found);
  if (found.length === 0) return [];
  return [element("h3", {}, "What is new"), element("ul", { class: "new" }, ...found.map(newOne))];
}

function newOne({ head, label, image, image_sha256 }) {
  const says = element("p", {}, label ?? head);
  const picture = element("img", { alt: `An image that is new; the model says ${label ?? "a number"}`, width: "96", height: "96" });
  if (image === null) return element("li", {}, element("p", { class: "hint" }, "The image was not kept."), says);
  if (!pictures.has(image_sha256)) pictures.set(image_sha256, keptImage(image).catch(unseen));
  pictures.get(image_sha256).then((address) => {
    if (address === null) picture.replaceWith(element("p", { class: "hint" }, "The image cannot be had."));
    else picture.src = address;
  });
  return element("li", {}, picture, says);
}

function unseen(error) {
  if (error instanceof Problem) return null;
  throw error;
}

function forgetOthers(found) {
  const shown = new Set(found.map((one) => one.image_sha256));
  for (const [sha256, picture] of pictures) {
    if (shown.has(sha256)) continue;
    picture.then((address) => address !== null && URL.revokeObjectURL(address));
    pictures.delete(sha256);
  }
}
