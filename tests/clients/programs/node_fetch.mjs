// node node_fetch.mjs URL FILE: one image as the body, two as a form, one damaged.
import { readFileSync } from "node:fs";
const [url, file] = process.argv.slice(2);
const image = readFileSync(file);
const headers = { "content-type": "image/png" };
const one = await fetch(`${url}/v1/predict`, { method: "POST", body: image, headers });
const form = new FormData();
for (const name of ["a.png", "b.png"]) form.append("image", new Blob([image], { type: "image/png" }), name);
const two = await fetch(`${url}/v1/predict`, { method: "POST", body: form });
const bad = await fetch(`${url}/v1/predict`, { method: "POST", body: "no image", headers });
console.log(JSON.stringify({
  one: (await one.json()).label,
  two: (await two.json()).predictions.map((each) => each.label),
  bad: [bad.status, (await bad.json()).code],
}));
