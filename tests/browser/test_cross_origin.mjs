// A web page of another origin: fetch, a reader, and an abort controller behind a button.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import test, { after, before } from "node:test";

import { ANSWER, assertUpstreamClosed, seen } from "../clients/harness.mjs";
import { assertGrows, open, showsText } from "./browser.mjs";

const { OPEN_URL, CHOOSY_URL } = process.env;

const PAGE = await readFile(new URL("cross-origin.html", import.meta.url));

/** Serves the page, under whichever name it is asked for. */
const website = createServer((_, response) => response.setHeader("content-type", "text/html").end(PAGE));

before(() => new Promise((resolve) => website.listen(0, "127.0.0.1", resolve)));
after(() => website.close());

/** Opens the page as one of `host`, and presses its button to connect to `server`. */
async function connect(t, { host, server, model }) {
  const query = new URLSearchParams({ server, model, prompt: t.name });
  const page = await open(t, `http://${host}:${website.address().port}/?${query}`);
  await page.click("#connect");
  return { page, status: page.locator("#status"), answer: page.locator("#answer") };
}

async function assertRefused(t, { host, server }) {
  const { status } = await connect(t, { host, server, model: "text" });
  // What fetch rejects with when the browser keeps the answer, or the preflight fails.
  await showsText(status, "TypeError");
  assert.deepEqual(await seen(t.name, 0.5), [], "nothing has reached the upstream");
}

test("a page of localhost reads a stream to its end", async (t) => {
  const { status, answer } = await connect(t, { host: "localhost", server: OPEN_URL, model: "text" });
  await showsText(status, "complete");
  await showsText(answer, ANSWER);
});

test("a page of another origin disconnects, and the upstream stops", async (t) => {
  const { page, status, answer } = await connect(t, { host: "localhost", server: OPEN_URL, model: "endless" });
  await assertGrows(answer);
  // An exposed header: other origins see only those.
  assert.match(await status.textContent(), /^200, request req_/);
  await page.click("#disconnect");
  await showsText(status, "AbortError");
  await assertUpstreamClosed(t, await page.evaluate(() => window.lastAct));
});

test("a page of another origin disconnects before the first token, and the upstream stops", async (t) => {
  const { page, status } = await connect(t, { host: "localhost", server: OPEN_URL, model: "silent" });
  await status.filter({ hasText: "200" }).waitFor();
  await page.click("#disconnect");
  await showsText(status, "AbortError");
  await assertUpstreamClosed(t, await page.evaluate(() => window.lastAct));
});

test("a page of a host that is not allowed is refused", async (t) => {
  await assertRefused(t, { host: "stranger.example", server: OPEN_URL });
});

test("a page of localhost is refused where only another host is allowed", async (t) => {
  await assertRefused(t, { host: "localhost", server: CHOOSY_URL });
});

test("a page of the host that is allowed reads a stream", async (t) => {
  const { status, answer } = await connect(t, { host: "friend.example", server: CHOOSY_URL, model: "text" });
  await showsText(status, "complete");
  await showsText(answer, ANSWER);
});

test("a request that needs no preflight is refused all the same", async (t) => {
  const page = await open(t, `http://stranger.example:${website.address().port}/`);
  const body = JSON.stringify({ input: t.name });
  // The browser sends this without asking first, and only keeps the answer from the page. It is no JSON by its header,
  // so the chat would not take it; the endpoints that are passed through would.
  const send = ([url, body]) => fetch(url, { method: "POST", mode: "no-cors", body }).then(({ type }) => type);
  assert.equal(await page.evaluate(send, [`${OPEN_URL}/v1/embeddings`, body]), "opaque");
  assert.deepEqual(await seen(t.name, 0.5), [], "nothing has reached the upstream");
});
