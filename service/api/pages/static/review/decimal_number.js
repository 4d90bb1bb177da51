// text that a person typed ──▶ a number, or null: "1.5" and "1,5" are the same everywhere, whatever the browser's language.

const DECIMAL = /^[+-]?\d*(\d|[.,]\d+)(e[+-]?\d+)?$/i;

/** A finite number with one decimal separator at most, "." or ","; null for any other text, such as "1.234,5" or "0x10". */
export function decimalNumber(text) {
  const typed = text.trim();
  const value = DECIMAL.test(typed) ? Number(typed.replace(",", ".")) : NaN;
  return Number.isFinite(value) ? value : null;
}
