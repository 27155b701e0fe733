// A web page of another origin with a plain EventSource, which can neither post nor send a header.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import test, { after, before } from "node:test";

import { ANSWER, assertUpstreamClosed, seen } from "../clients/harness.mjs";
import { assertGrows, open, showsText } from "./browser.mjs";

const { OPEN_URL } = process.env;

const PAGE = await readFile(new URL("event-source.html", import.meta.url));

const website = createServer((_, response) => response.setHeader("content-type", "text/html").end(PAGE));

before(() => new Promise((resolve) => website.listen(0, "127.0.0.1", resolve)));
after(() => website.close());

/** Opens the page and presses its button to connect. */
async function connect(t, model) {
  const query = new URLSearchParams({ server: OPEN_URL, model, prompt: t.name });
  const page = await open(t, `http://localhost:${website.address().port}/?${query}`);
  await page.click("#connect");
  return { page, status: page.locator("#status"), answer: page.locator("#answer") };
}

test("an EventSource reads a stream to its end, comes back and is told to stay away", async (t) => {
  const { page, status, answer } = await connect(t, "text");
  await showsText(status, "over");
  await showsText(answer, ANSWER);
  assert.deepEqual(await page.evaluate(() => [done, opened]), [1, 1]);
  assert.equal((await seen(t.name)).length, 1, "the upstream was asked once");
});

test("a page that disconnects and connects again misses nothing and shows nothing twice", async (t) => {
  const { page, status, answer } = await connect(t, "endless");
  for (let times = 0; times < 3; times += 1) {
    await assertGrows(answer);
    await page.click("#disconnect");
    await showsText(status, "left");
    await page.click("#connect");
    await showsText(status, "connected");
  }
  await assertGrows(answer);
  const numbers = (await answer.textContent()).trim().split(" ").map(Number);
  assert.deepEqual(numbers, numbers.map((_, index) => index));
  await page.click("#disconnect");
  assert.equal((await seen(t.name)).length, 1, "the upstream was asked once");
});

test("a page that disconnects and does not come back stops the upstream", async (t) => {
  const { page, answer } = await connect(t, "endless");
  await assertGrows(answer);
  await page.click("#disconnect");
  await assertUpstreamClosed(t, await page.evaluate(() => window.lastAct));
});

test("a page that stops the stream stops the upstream, and is told", async (t) => {
  const { page, status, answer } = await connect(t, "endless");
  await assertGrows(answer);
  await page.click("#stop");
  await assertUpstreamClosed(t, await page.evaluate(() => window.lastAct));
  await showsText(status, "over");
  assert.match(await page.evaluate(() => window.reported), /stopped/);
});
