// The examples in the README, each as the only script of a page of another origin.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import test, { after, before } from "node:test";

import { ANSWER, seen } from "../clients/harness.mjs";
import { open } from "./browser.mjs";

const README = await readFile(new URL("../../README.md", import.meta.url), "utf8");
const EXAMPLES = [...README.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

let script = "";
const website = createServer((_, response) =>
  response.setHeader("content-type", "text/html").end(`<!doctype html><link rel="icon" href="data:,"><body><script type="module">${script}</script>`));

before(() => new Promise((resolve) => website.listen(0, "127.0.0.1", resolve)));
after(() => website.close());

/** Opens a page with the one example that contains `word`; it asks the scripted `model` for the name of the test. */
async function run(t, word, model = "text") {
  const [example, ...others] = EXAMPLES.filter((code) => code.includes(word));
  assert.deepEqual(others, []);
  script = example.replaceAll("http://127.0.0.1:8080", process.env.LASTING_URL)
    .replace('"demo"', JSON.stringify(model)).replace('"Hello"', JSON.stringify(t.name));
  return open(t, `http://localhost:${website.address().port}/`);
}

/** Runs in the page: the text beside its script. */
function shown() {
  return [...document.body.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ data }) => data).join("");
}

/** Waits until the page shows `text`. */
async function shows(page, text) {
  await page.waitForFunction(`(${shown})().includes(${JSON.stringify(text)})`);
}

test("the example with fetch prints the stream", async (t) => {
  const printed = [];
  script = "";
  const page = await run(t, "TextDecoderStream");
  page.on("console", (message) => printed.push(message.text()));
  await page.reload();
  await page.waitForEvent("console", (message) => message.text().includes("[DONE]"));
  assert.ok(printed.join("").includes('"content": "Water"'));
});

test("the example with EventSource shows the answer, and asks once", async (t) => {
  const page = await run(t, "new EventSource");
  await shows(page, ANSWER);
  assert.equal(await page.evaluate(shown), ANSWER);
  assert.equal((await seen(t.name)).length, 1);
});

test("the example with sluicegate.js shows the answer", async (t) => {
  const page = await run(t, "sluicegate.js");
  await shows(page, ANSWER);
  assert.equal(await page.evaluate(shown), ANSWER);
});

test("the example with sluicegate.js goes on when its page is reloaded, and asks once", async (t) => {
  const page = await run(t, "sluicegate.js", "endless");
  await shows(page, "5 6 7 ");
  await page.reload();
  await shows(page, "10 11 12 ");
  const numbers = (await page.evaluate(shown)).trim().split(" ").map(Number);
  assert.deepEqual(numbers, numbers.map((_, index) => index));
  assert.equal((await seen(t.name, 0)).length, 1);
});
