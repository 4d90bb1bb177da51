// keys ──▶ what they do on this page. Nothing happens while somebody types, nor while a key is held down.

/** Keys of the answers, in their order; `s`, `u` and `x` mean something else. */
export const ANSWER_KEYS = [..."123456789abcdefghijklmnopqrtvwyz"];

/**
 * Listens for keys.
 * @param {{answerAt: (index: number) => void, find: () => void, isOn: () => boolean, s: () => void, u: () => void, x: () => void}} does
 */
export function watchKeys(does) {
  document.addEventListener("keydown", (event) => {
    const act = event.repeat || !does.isOn() ? null : actionOf(event, does);
    if (act === null) return;
    event.preventDefault();
    act();
  });
}

function actionOf({ key, ctrlKey, metaKey, altKey, target }, does) {
  const isTyping = target.matches?.("select, input:not([type=checkbox])") ?? false;
  if ((ctrlKey || metaKey) && !altKey && key === "z") return isTyping && target.value !== "" ? null : does.u;
  if (ctrlKey || metaKey || altKey) return null;
  const isCommand = ["s", "u", "x"].includes(key); // a number has none of these letters
  if (isTyping && !(isCommand && target.inputMode === "decimal")) return key === "Escape" ? () => target.blur() : null;
  if (isCommand) return does[key];
  if (key === "/") return does.find;
  const index = ANSWER_KEYS.indexOf(key);
  return index < 0 ? null : () => does.answerAt(index);
}
