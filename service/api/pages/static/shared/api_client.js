// path and body ──▶ response, or a `Problem` that says what was wrong. The API key stays in this tab.

const KEY = "tandem.key";
let key = null; // where the browser refuses to store

/** What went wrong: a sentence, and the stable code of the API. */
export class Problem extends Error {
  constructor(detail, code, status = 0) {
    super(detail);
    this.code = code;
    this.status = status;
  }
}

/** The API key of this tab; null if there is none. */
export function apiKey() {
  try {
    return sessionStorage.getItem(KEY) ?? key;
  } catch {
    return key;
  }
}

/** Keeps a key until the tab is closed; null forgets it. */
export function setApiKey(given) {
  key = given;
  try {
    if (given === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, given);
  } catch {
    // it lives as long as the page
  }
}

/**
 * Asks the API; returns the response.
 * @throws {Problem} the server cannot be reached, or answers with an error
 */
export async function send(path, { headers = {}, ...options } = {}) {
  const shown = apiKey();
  let response;
  try {
    response = await fetch(path, { ...options, headers: shown === null ? headers : { ...headers, Authorization: `Bearer ${shown}` } });
  } catch {
    throw new Problem("the server cannot be reached, or it closed the connection; check that it runs and try again", "unreachable");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/**
 * Asks the API; returns the document, the id of the request and the server's time in ms since 1970.
 * @throws {Problem} as `send`, or the answer is something else than JSON
 */
export async function ask(path, options) {
  const response = await send(path, options);
  const requestId = response.headers.get("x-request-id");
  const time = Date.parse(response.headers.get("date") ?? "") || Date.now();
  try {
    return { document: await response.json(), requestId, time };
  } catch { // such as the page of a proxy that wants a login
    throw new Problem("the answer is not JSON: something between this page and the server answered in its place", "http", response.status);
  }
}

async function problemOf(response) {
  const isProblem = (response.headers.get("content-type") ?? "").startsWith("application/problem+json");
  if (!isProblem) return new Problem(`the server or a proxy answered ${response.status} ${response.statusText}`, "http", response.status);
  const { detail, code, status } = await response.json();
  const wait = response.headers.get("retry-after");
  return new Problem(wait === null ? detail : `${detail}; try again in ${wait} s`, code, status);
}
