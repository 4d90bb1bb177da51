// Ask Tandem for decisions, in a browser or in Node 18 and later.

const ATTEMPTS = 4;
const REFUSED = [429, 503]; // the server has done nothing, and says when to come back

/** The server refused a request: `message` has its reason, and `code` is stable. */
export class TandemError extends Error {
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}

/**
 * The answer for one image.
 * @param {string} url of the server
 * @param {Blob} image a `File` of a form will do
 * @param {{columns?: Object, query?: Object, key?: string, deadlineMs?: number}} options
 */
export async function predict(url, image, { columns, query = {}, key, deadlineMs = 10_000 } = {}) {
  const address = `${url}/v1/predict?${new URLSearchParams(query)}`;
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  let body = image;
  if (columns) {
    body = new FormData();
    body.append("image", image);
    body.append("columns", JSON.stringify(columns));
  } else {
    headers["Content-Type"] = "application/octet-stream";
  }
  const response = await send(address, { method: "POST", headers, body }, performance.now() + deadlineMs);
  const answer = await response.json();
  return answer.predictions ? answer.predictions[0] : answer;
}

/** Sends until the server takes it. A prediction changes nothing, so one whose connection broke may be sent again. */
async function send(address, request, end) {
  for (let attempt = 1; ; attempt++) {
    const leftMs = Math.max(1, Math.floor(end - performance.now()));
    const headers = { ...request.headers, "X-Request-Timeout-Ms": String(leftMs) };
    let waitMs = Math.random() * 100 * 2 ** attempt;
    const mayWait = () => attempt < ATTEMPTS && performance.now() + waitMs < end;
    try {
      const response = await fetch(address, { ...request, headers, signal: AbortSignal.timeout(leftMs) });
      if (response.ok) return response;
      waitMs += 1000 * Number(response.headers.get("Retry-After") ?? 0); // Tandem sends seconds
      if (!REFUSED.includes(response.status) || !mayWait()) throw await reasonOf(response);
    } catch (error) {
      const isBroken = error instanceof TypeError; // what `fetch` throws where no response came
      if (!isBroken || !mayWait()) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

async function reasonOf(response) {
  const isProblem = response.headers.get("Content-Type") === "application/problem+json"; // else it is a proxy's
  const { code, detail } = isProblem ? await response.json() : { code: "http", detail: `status ${response.status}` };
  return new TandemError(code, detail);
}
