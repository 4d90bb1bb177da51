// node predict.mjs IMAGE ..., with SERVER_URL and API_KEY in the environment.
import { readFile } from "node:fs/promises";
import { predict, TandemError } from "./tandem.mjs";

const { SERVER_URL: url = "http://127.0.0.1:3000", API_KEY: key } = process.env;
for (const name of process.argv.slice(2)) {
  try {
    const image = new Blob([await readFile(name)]);
    console.log(name, JSON.stringify(await predict(url, image, { query: { top_k: 1 }, key })));
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    console.error(name, `${error.code}: ${error.message}`);
  }
}
