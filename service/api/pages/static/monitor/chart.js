// figures ──▶ small charts as SVG, with a sentence for those who do not see them.

import { element } from "../shared/dom.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [600, 120]; // of the drawing, which is stretched to its place

/** An SVG element. */
function shape(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * An interval with its estimate, and the target that it should reach.
 * @param {{lower: number, upper: number, estimate: number|null, target: number|null}} found shares
 * @param {{label: string, write: (share: number) => string}} words
 */
export function rangeBar({ lower, upper, estimate, target }, { label, write }) {
  const known = [lower, upper, estimate, target].filter((value) => value !== null);
  const low = Math.max(0, Math.min(...known) - 0.02);
  const at = (share) => `${(((share - low) / (1 - low)) * 100).toFixed(2)}%`;
  const width = `${(((upper - lower) / (1 - low)) * 100).toFixed(2)}%`;
  const drawn = shape(
    "svg",
    { class: "range", role: "img", "aria-label": label, height: 28, width: "100%" },
    shape("rect", { class: "rail", x: 0, y: 10, width: "100%", height: 8, rx: 4 }),
    shape("rect", { class: "band", x: at(lower), y: 10, width, height: 8, rx: 4 }),
    ...(target === null ? [] : [shape("line", { class: "target", x1: at(target), x2: at(target), y1: 2, y2: 26 })]),
    ...(estimate === null ? [] : [shape("circle", { class: "mark", cx: at(estimate), cy: 14, r: 7 })]),
  );
  const ends = element("p", { class: "scale", "aria-hidden": "true" }, element("span", {}, write(low)), element("span", {}, write(1)));
  return element("div", {}, drawn, ends);
}

/**
 * A curve over time.
 * @param {{time: string, value: number|null, low?: number, high?: number, limit?: number, isMarked?: boolean}[]} points oldest first
 * @param {{label: string, write: (value: number) => string}} words
 */
export function curve(points, { label, write }) {
  const times = points.map(({ time }) => Date.parse(time));
  const values = points.flatMap(({ value, low, high, limit }) => [value, low, high, limit]).filter(Number.isFinite);
  const [bottom, top] = [Math.min(...values), Math.max(...values)];
  const x = (index) => ((times[index] - times[0]) / (times.at(-1) - times[0] || 1)) * WIDTH;
  const y = (value) => HEIGHT - 6 - ((value - bottom) / (top - bottom || 1)) * (HEIGHT - 12);
  const line = (name) => {
    let isOn = false; // a point without a value interrupts the line
    return points.map((point, index) => {
      const step = Number.isFinite(point[name]) ? `${isOn ? "L" : "M"}${x(index).toFixed(1)} ${y(point[name]).toFixed(1)}` : "";
      isOn = step !== "";
      return step;
    }).join("");
  };
  const banded = points.map((point, index) => ({ ...point, index })).filter(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
  const edge = [...banded.map(({ index, high }) => `${x(index)},${y(high)}`), ...banded.reverse().map(({ index, low }) => `${x(index)},${y(low)}`)];
  const marked = points.map((point, index) => (point.isMarked ? `M${x(index).toFixed(1)} ${y(point.value).toFixed(1)}h0` : "")).join("");
  const drawn = shape(
    "svg",
    { class: "curve", role: "img", "aria-label": label, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" },
    shape("polygon", { class: "band", points: edge.join(" ") }),
    shape("path", { class: "limit", d: line("limit") }),
    shape("path", { class: "line", d: line("value") }),
    shape("path", { class: "alarms", d: marked }),
  );
  const heights = element("p", { class: "heights", "aria-hidden": "true" }, element("span", {}, write(top)), element("span", {}, write(bottom)));
  const ends = element("p", { class: "scale", "aria-hidden": "true" }, element("span", {}, when(points[0].time)), element("span", {}, when(points.at(-1).time)));
  return element("figure", { class: "chart" }, heights, drawn, ends);
}

/** ISO 8601 ──▶ day and minute in this place. */
export const when = (time) =>
  new Date(time).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
