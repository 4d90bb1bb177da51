// names, texts and values ──▶ elements. No HTML is parsed: what a server or a file names stays text.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * A new element.
 * @param {string} tag
 * @param {Object} attributes text, booleans (present or absent) and functions (listeners by event name)
 * @param {...(Node|string|null)} children null is left out
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (typeof value === "boolean") made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A bar; `from` and `to` are shares of its track, in [0, 1]. The policy of the page forbids `style` attributes. */
export function bar(from, to, kind = "") {
  const fill = element("span", { class: `fill ${kind}` });
  fill.style.setProperty("--from", Math.max(0, Math.min(from, to)));
  fill.style.setProperty("--to", Math.min(1, Math.max(from, to)));
  return element("span", { class: "track", "aria-hidden": "true" }, fill);
}
