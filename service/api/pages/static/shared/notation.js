// numbers, dates and lists ──▶ text for people.

const SPACE = "\u00a0"; // no line break before a unit
const DAY_MS = 86_400_000;
const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 5, useGrouping: false });

/** 0.99449 ──▶ "99.4 %"; never "100.0 %" for less than 1, nor "0.0 %" for more than 0. */
export function percent(share) {
  if (share > 0 && share < 0.001) return `< 0.1${SPACE}%`;
  if (share < 1 && share > 0.999) return `> 99.9${SPACE}%`;
  return `${(share * 100).toFixed(1)}${SPACE}%`;
}

/** A number with at most five significant digits; very large and very small ones as 1.5e-9. */
export function number(value) {
  const isPlain = value === 0 || (Math.abs(value) >= 1e-4 && Math.abs(value) < 1e9);
  return isPlain ? NUMBER.format(value) : Number(value.toExponential(4)).toExponential();
}

/** A number with its sign. */
export const signed = (value, write = number) => `${value < 0 ? "−" : "+"}${write(Math.abs(value))}`;

/** Days since 1970-01-01 ──▶ ISO 8601 in UTC, without the time where that is midnight. */
export function isoDate(days) {
  const date = new Date(days * DAY_MS);
  if (Number.isNaN(date.getTime())) return `${number(days)} days since 1970`;
  const text = date.toISOString();
  return Number.isInteger(days) ? text.slice(0, 10) : text.slice(0, 16);
}

/** ISO 8601 ──▶ days since 1970-01-01; a text without an offset is in UTC. */
export const daysOf = (text) => Date.parse(text.length > 10 ? `${text}Z` : text) / DAY_MS;

/** Bytes ──▶ "1.2 MB". */
export function size(bytes) {
  const [unit, scale] = bytes < 1e3 ? ["bytes", 1] : bytes < 1e6 ? ["kB", 1e3] : ["MB", 1e6];
  return `${Number((bytes / scale).toFixed(1))} ${unit}`;
}

/** How decisions name the model of a manifest. */
export const modelOf = ({ name, version }) => `${name}@${version}`;

/** "a, b and 3 more" */
export function listed(names, most = 4) {
  const more = names.length - most;
  return names.slice(0, most).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** A detail as a sentence of its own. */
export function sentence(text) {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(said) ? said : `${said}.`;
}
