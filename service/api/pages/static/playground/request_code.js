// image, columns, heads ──▶ the request, and the same request as curl and Python.

import { apiKey } from "../shared/api_client.js";
import { byId, element } from "../shared/dom.js";
import { mediaType } from "./image_input.js";

/**
 * What `fetch` sends: the image alone as the body, or a form where there are columns.
 * @param {{file: File, columns: Object, query: [string, string][]}} wanted
 */
export function fetchOf({ file, columns, query }) {
  const path = `v1/predict${search(query)}`;
  if (!hasColumns(columns)) return [path, { method: "POST", body: file, headers: { "Content-Type": mediaType(file) } }];
  const body = new FormData();
  body.append("image", file, file.name);
  body.append("columns", JSON.stringify(columns));
  return [path, { method: "POST", body }];
}

/** Shows the request in each language, with buttons that copy it. */
export function showCode(wanted) {
  const blocks = [["curl", curl(wanted)], ["Python", python(wanted)]];
  byId("code-list").replaceChildren(...blocks.map(([name, text]) => blockOf(name, text)));
  byId("code").hidden = false;
}

const hasColumns = (columns) => Object.keys(columns).length > 0;
const search = (query) => (query.length ? `?${query.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2C", ",")}`).join("&")}` : "");
const address = (query) => new URL(`v1/predict${search(query)}`, document.baseURI).href;

function curl({ file, columns, query }) {
  const key = apiKey() === null ? [] : ['-H "Authorization: Bearer $API_KEY"'];
  const name = /^[\w.-]+$/.test(file.name) ? file.name : `"${file.name.replace(/["\\]/g, "\\$&")}"`;
  const body = hasColumns(columns)
    ? [`-F ${quoted(`image=@${name}`)}`, `--form-string ${quoted(`columns=${JSON.stringify(columns)}`)}`]
    : [`-H 'Content-Type: ${mediaType(file)}'`, `--data-binary ${quoted(`@${file.name}`)}`];
  return ["curl", ...key, ...body, quoted(address(query))].join(" \\\n  ").replace("curl \\\n ", "curl");
}

/** For a POSIX shell. */
const quoted = (text) => (/^[\w@=./:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function python({ file, columns, query }) {
  const withKey = apiKey() !== null;
  const sent = hasColumns(columns)
    ? ['files={"image": image}', `data={"columns": ${JSON.stringify(JSON.stringify(columns))}}`]
    : ["content=image.read()"];
  const headers = [
    ...(hasColumns(columns) ? [] : [`"Content-Type": "${mediaType(file)}"`]),
    ...(withKey ? ['"Authorization": f"Bearer {os.environ[\'API_KEY\']}"'] : []),
  ];
  if (headers.length) sent.push(`headers={${headers.join(", ")}}`);
  const lines = [JSON.stringify(address(query)), ...sent].map((line) => `        ${line},`);
  return [
    ...(withKey ? ["import os", ""] : []),
    "import httpx",
    "",
    `with open(${JSON.stringify(file.name)}, "rb") as image:`,
    "    response = httpx.post(",
    ...lines,
    "    )",
    "response.raise_for_status()",
    "print(response.json())",
  ].join("\n");
}

function blockOf(name, text) {
  const said = element("span", { role: "status", class: "copied" });
  const code = element("pre", { tabindex: "0", role: "region", "aria-label": `${name} code` }, text);
  const copied = async () => {
    said.textContent = (await copy(text, code)) ? "Copied" : "Selected: copy it with your keyboard";
  };
  const button = element("button", { type: "button", class: "button small", "aria-label": `Copy ${name}`, click: copied }, "Copy");
  return element("div", { class: "block" }, element("div", { class: "row" }, element("h3", {}, name), said, button), code);
}

async function copy(text, code) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // no clipboard without TLS, or it was not allowed
    getSelection().selectAllChildren(code);
    return false;
  }
}
