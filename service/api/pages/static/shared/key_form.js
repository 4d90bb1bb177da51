// a 401 or 403 ──▶ a form that asks for the API key, and the same request again.

import { ask, Problem, setApiKey } from "./api_client.js";
import { byId } from "./dom.js";
import { sentence } from "./notation.js";

let given = null; // resolves once a key is given, while the form is open

/** The document at a path that may need a key; see `withKey`. */
export const askWithKey = (path) => withKey(async () => (await ask(path)).document);

/**
 * What a call of the API returns: asks for a key until the server knows it, and it may do this.
 * @throws {Problem} anything but a key that is missing, unknown or for other routes
 */
export async function withKey(call) {
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await call();
    } catch (problem) {
      if (!(problem instanceof Problem) || !["unauthorized", "forbidden"].includes(problem.code)) throw problem;
      const isExpected = isFirst && problem.code === "unauthorized";
      await keyFromPerson(isExpected ? "" : sentence(problem.message));
    }
  }
}

/** Shows the form until a key is given; those who ask meanwhile wait for the same key. */
export function keyFromPerson(reason) {
  given ??= openForm(reason).finally(() => (given = null));
  return given;
}

function openForm(reason) {
  const form = byId("key-form");
  const field = byId("key");
  form.hidden = false;
  byId("key-error").textContent = reason;
  field.focus();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      setApiKey(field.value.trim());
      field.value = "";
      form.hidden = true;
      resolve();
    };
  });
}
