// a column's value ──▶ whether training saw anything like it.

import { daysOf } from "./notation.js";

/** Whether the manifest says from where to where the column's values went. */
export const hasRange = ({ low, high }) => low !== undefined && high !== undefined;

/** Whether a number or a date is beyond what training saw; `value` as the API takes it. */
export function isOutside(column, value) {
  if (!hasRange(column) || value === undefined) return false;
  const place = column.type === "date" ? daysOf(value) : value;
  return place < column.low || place > column.high;
}
