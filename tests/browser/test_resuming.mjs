// Answers that outlive what happens to a page: the chat page, and a page of another origin with sluicegate.js.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import test, { after, before } from "node:test";

import { ANSWER, assertUpstreamClosed, seen } from "../clients/harness.mjs";
import { ask, lastAct, reaches } from "./chat.mjs";
import { way } from "./network.mjs";
import { assertGrows, open, showsText } from "./browser.mjs";

const { OPEN_URL, LASTING_URL, DOOMED_URL, DOOMED_PID, DOOMED_CONFIG, SLUICEGATE_BIN } = process.env;

/** Asserts that `answer` counts up from nought without a gap, and that its question has been asked once. */
async function assertUnbroken(t, answer) {
  const numbers = (await answer.textContent()).trim().split(" ").map(Number);
  assert.deepEqual(numbers, numbers.map((_, index) => index));
  assert.equal((await seen(t.name, 0)).length, 1, "the upstream was asked once");
  return numbers.length;
}

// ---- Reloads ------------------------------------------------------------------------------------

test("a page that is reloaded in the middle of an answer goes on with it", async (t) => {
  const { page, answer } = await ask(t, "endless", { url: LASTING_URL });
  const text = answer.locator(".text");
  for (let times = 0; times < 2; times += 1) {
    await assertGrows(text);
    const length = (await text.textContent()).length;
    await page.reload();
    await page.waitForFunction((length) => document.querySelector(".assistant .text").textContent.length > length, length);
    await assertGrows(text);
    assert.equal(await page.evaluate(() => document.activeElement.id), "input");
  }
  await assertUnbroken(t, text);
  await showsText(page.locator(".user .text"), t.name);
  await page.click("#stop");
  await reaches(answer, "stopped");
  await assertUpstreamClosed(t, await lastAct(page));
});

test("a page that is reloaded while the model thinks shows all of its thoughts and its answer", async (t) => {
  const { page, answer } = await ask(t, "thinking", { url: LASTING_URL });
  await reaches(answer, "thinking");
  await page.reload();
  await reaches(answer, "done");
  assert.equal(await answer.locator(".reasoning-text").textContent(), "The user asks about water.");
  assert.equal(await answer.locator(".text").textContent(), ANSWER);
  assert.equal((await seen(t.name)).length, 1);
});

test("a conversation is still there after a reload, as it was, and goes on", async (t) => {
  const { page, answer } = await ask(t, "text", { url: LASTING_URL });
  await reaches(answer, "done");
  const { page: failed } = await ask(t, "tools", { page, question: `${t.name}: tools` });
  await reaches(answer.last(), "done");
  await ask(t, "status-401", { page: failed, question: `${t.name}: error` });
  await reaches(answer.last(), "error");
  const messages = () => page.locator("#log").innerText();
  const shown = await messages();
  await page.reload();
  await reaches(answer.last(), "error");
  assert.equal(await messages(), shown);
  assert.equal(await page.locator("#stop").isHidden(), true);
  await ask(t, "text", { page, question: `${t.name}: more` });
  await reaches(answer.last(), "done");
  assert.equal((await seen(t.name, 0)).length, 1);
  await page.click("#new");
  await page.reload();
  assert.equal(await page.locator("#welcome").isVisible(), true);
  assert.equal(await answer.count(), 0);
});

test("a page that is reloaded before the answer has begun says so, and the upstream stops", async (t) => {
  const { page, answer } = await ask(t, "hang", { url: LASTING_URL });
  while ((await seen(t.name, 0)).length === 0) await page.waitForTimeout(20);
  const left = Date.now();
  await page.reload();
  await reaches(answer, "cut");
  await showsText(answer.locator(".notice"), "The page was left before the answer had begun.");
  assert.equal(await answer.locator(".retry").isVisible(), true);
  await assertUpstreamClosed(t, left);
});

// ---- The network --------------------------------------------------------------------------------

test("a page that loses the network says so, and goes on when it is back", async (t) => {
  const network = await way(t, LASTING_URL);
  const { page, answer } = await ask(t, "endless", { url: network.url });
  const text = answer.locator(".text");
  for (let times = 0; times < 2; times += 1) {
    await assertGrows(text);
    await page.context().setOffline(true);
    network.cut();
    await answer.locator(".lost").waitFor();
    await showsText(page.locator("#status"), "Reconnecting");
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/a-lost-connection.png` });
    await page.context().setOffline(false);
    await answer.locator(".lost").waitFor({ state: "hidden" });
    await showsText(page.locator("#status"), "Answering");
  }
  await assertGrows(text);
  await assertUnbroken(t, text);
});

test("a page whose connection says nothing any more goes on when the network is back", async (t) => {
  const network = await way(t, LASTING_URL);
  const { page, answer } = await ask(t, "endless", { url: network.url });
  const text = answer.locator(".text");
  await assertGrows(text);
  network.freeze();
  await page.context().setOffline(true);
  await page.context().setOffline(false);
  await assertGrows(text);
  await assertUnbroken(t, text);
});

test("Stop without a network says that the server was not told", async (t) => {
  const network = await way(t, OPEN_URL);
  const { page, answer } = await ask(t, "endless", { url: network.url });
  await reaches(answer, "streaming");
  await page.context().setOffline(true);
  network.cut();
  await answer.locator(".lost").waitFor();
  await page.click("#stop");
  await reaches(answer, "stopped");
  await page.locator("#status").filter({ hasText: "could not be told" }).waitFor();
});

test("an answer of a server that was killed and started again ends in an error, and keeps what had come", async (t) => {
  const { page, answer } = await ask(t, "endless", { url: DOOMED_URL });
  const text = answer.locator(".text");
  await assertGrows(text);
  process.kill(Number(DOOMED_PID), "SIGKILL");
  await answer.locator(".lost").waitFor();
  const { host } = new URL(DOOMED_URL);
  const again = spawn(SLUICEGATE_BIN, ["serve", "--config", DOOMED_CONFIG, "--listen", host], { env: {}, stdio: "ignore" });
  t.after(() => again.kill("SIGKILL"));
  await reaches(answer, "error");
  assert.match(await answer.locator(".error-facts").textContent(), /HTTP 404 .*stream_not_found/);
  assert.equal(await answer.locator(".retry").isVisible(), true);
  await assertUnbroken(t, text);
});

// ---- Tabs ---------------------------------------------------------------------------------------

test("a second tab has a chat of its own, and leaves the first tab's alone", async (t) => {
  const { page, answer } = await ask(t, "endless", { url: LASTING_URL });
  await assertGrows(answer.locator(".text"));
  // Like a tab that is duplicated, it begins with a copy of what the first one keeps.
  const [second] = await Promise.all([page.waitForEvent("popup"), page.evaluate(() => void open("/"))]);
  assert.ok(await second.evaluate(() => sessionStorage.length > 0));
  await second.locator("#welcome").waitFor();
  const { answer: own } = await ask(t, "endless", { page: second, question: `${t.name}: own` });
  await assertGrows(own.locator(".text"));
  await second.click("#stop");
  await reaches(own, "stopped");
  await assertGrows(answer.locator(".text"));
  await page.reload();
  await assertGrows(answer.locator(".text"));
  await assertUnbroken(t, answer.locator(".text"));
});

// ---- Pages of other origins ---------------------------------------------------------------------

const PAGE = await readFile(new URL("library.html", import.meta.url));
const website = createServer((_, response) => response.setHeader("content-type", "text/html").end(PAGE));

before(() => new Promise((resolve) => website.listen(0, "127.0.0.1", resolve)));
after(() => website.close());

/** Opens a page that imports sluicegate.js from another origin, and presses its button to connect. */
async function connect(t, query, host = "localhost") {
  const page = await open(t, `http://${host}:${website.address().port}/?${new URLSearchParams({ server: LASTING_URL, prompt: t.name, ...query })}`);
  await page.locator("body[data-ready]").waitFor();
  await page.click("#connect");
  return { page, status: page.locator("#status"), answer: page.locator("#answer") };
}

test("a page of another origin reads a stream to its end with the module", async (t) => {
  const { status, answer } = await connect(t, { model: "text" });
  await showsText(status, "whole");
  await showsText(answer, ANSWER);
});

test("a page of another origin disconnects, connects again, and stops", async (t) => {
  const { page, status, answer } = await connect(t, { model: "endless" });
  for (let times = 0; times < 2; times += 1) {
    await assertGrows(answer);
    await page.click("#disconnect");
    await status.filter({ hasText: "AbortError" }).waitFor();
    await page.click("#connect");
    await showsText(status, "connected");
  }
  await assertGrows(answer);
  await assertUnbroken(t, answer);
  await page.click("#stop");
  await status.filter({ hasText: "AbortError" }).waitFor();
  await assertUpstreamClosed(t, await lastAct(page));
});

test("two tabs follow one stream, each with all of it, and one that leaves does not stop the other", async (t) => {
  const { page, answer } = await connect(t, { model: "endless" });
  await assertGrows(answer);
  const other = await connect(t, { follow: await page.evaluate(() => window.url) });
  await assertGrows(other.answer);
  await page.click("#disconnect");
  await assertGrows(other.answer);
  assert.ok((await assertUnbroken(t, other.answer)) > (await assertUnbroken(t, answer)));
  await other.page.click("#stop");
  await assertUpstreamClosed(t, await lastAct(other.page));
});
