// this tab ──▶ a name for its reviewer, so that nobody else is given the same items.

const NAME = "tandem.reviewer";

/** A random name that lasts as long as the tab. */
export function reviewerName() {
  const made = `page-${[...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  try {
    const name = sessionStorage.getItem(NAME) ?? made;
    sessionStorage.setItem(NAME, name);
    return name;
  } catch { // the browser refuses to store: as long as the page
    return made;
  }
}
