// The chat page in a browser: what a person sees, and what the model server sees of it.

import assert from "node:assert/strict";
import test from "node:test";

import { ANSWER, CUT_ANSWER, FAILED_ANSWER, WIDE_ANSWER, assertUpstreamClosed } from "../clients/harness.mjs";
import { assertGrows, open, showsText } from "./browser.mjs";
import { ask, lastAct, reaches } from "./chat.mjs";

const { OPEN_URL } = process.env;

// ---- Answers ------------------------------------------------------------------------------------

test("an answer grows token by token", async (t) => {
  const { answer } = await ask(t, "endless");
  await reaches(answer, "streaming");
  await assertGrows(answer.locator(".text"));
});

test("a whole answer is shown with its figures", async (t) => {
  const { page, answer } = await ask(t, "text");
  await reaches(answer, "done");
  assert.equal(await answer.locator(".text").textContent(), ANSWER);
  assert.equal(await answer.locator(".tokens").textContent(), "8");
  assert.match(await answer.locator(".first").textContent(), /^\d+ ms$/);
  assert.equal(await answer.locator(".error").isHidden(), true);
  assert.equal(await answer.locator(".notice").isHidden(), true);
  assert.equal(await page.locator("#stop").isHidden(), true);
});

test("a slow answer is waited for while keep-alives come", async (t) => {
  const { answer } = await ask(t, "slow");
  await reaches(answer, "waiting");
  assert.equal(await answer.locator(".waiting").isVisible(), true);
  await reaches(answer, "done");
  assert.equal(await answer.locator(".text").textContent(), ANSWER);
});

test("reasoning is shown apart from the answer", async (t) => {
  const { answer } = await ask(t, "thinking");
  await reaches(answer, "thinking");
  assert.equal(await answer.locator(".reasoning-text").isVisible(), true);
  assert.equal(await answer.locator(".text").textContent(), "");
  await reaches(answer, "done");
  assert.equal(await answer.locator(".reasoning-text").textContent(), "The user asks about water.");
  assert.equal(await answer.locator(".text").textContent(), ANSWER);
  assert.match(await answer.locator(".reasoning summary").textContent(), /^Thought for \d+\.\d s$/);
});

test("a tool call is shown with its arguments", async (t) => {
  const { answer } = await ask(t, "tools");
  await reaches(answer, "done");
  assert.equal(await answer.locator(".tool-name").textContent(), "gauge");
  assert.equal(await answer.locator(".tool-arguments").textContent(), '{"river":"Elbe"}');
});

test("characters that arrive in pieces are whole again", async (t) => {
  const { answer } = await ask(t, "bytewise");
  await reaches(answer, "done");
  assert.equal(await answer.locator(".text").textContent(), WIDE_ANSWER);
});

test("markup in an answer is shown as it is written", async (t) => {
  const question = '<img src="x" onerror="alert(1)"> <b>bold</b>';
  const { answer } = await ask(t, "echo", { question });
  await reaches(answer, "done");
  assert.equal(await answer.locator(".text").textContent(), question);
  assert.equal(await answer.locator(".text *").count(), 0);
});

// ---- Ends ---------------------------------------------------------------------------------------

test("Stop in the middle of an answer stops the upstream", async (t) => {
  const { page, answer } = await ask(t, "endless");
  await reaches(answer, "streaming");
  await page.click("#stop");
  await reaches(answer, "stopped");
  await showsText(answer.locator(".notice"), "You stopped this answer.");
  await assertUpstreamClosed(t, await lastAct(page));
});

test("Stop before the first token stops the upstream", async (t) => {
  const { page, answer } = await ask(t, "silent");
  // Beyond the first second the response is under way.
  await page.waitForTimeout(1500);
  await page.click("#stop");
  await reaches(answer, "stopped");
  await assertUpstreamClosed(t, await lastAct(page));
});

test("a new chat stops the upstream of the old one", async (t) => {
  const { page, answer } = await ask(t, "endless");
  await reaches(answer, "streaming");
  await page.click("#new");
  await answer.waitFor({ state: "detached" });
  await assertUpstreamClosed(t, await lastAct(page));
});

test("closing the tab stops the upstream when nobody has come back in time", async (t) => {
  const { page, answer } = await ask(t, "endless");
  await reaches(answer, "streaming");
  const closed = Date.now();
  await page.close();
  await assertUpstreamClosed(t, closed);
});

test("the keyboard is enough to ask and to stop", async (t) => {
  const page = await open(t, OPEN_URL);
  await page.selectOption("#model", "endless");
  await page.locator("#input").focus();
  await page.keyboard.type(t.name);
  await page.keyboard.press("Enter");
  const answer = page.locator(".message.assistant");
  await reaches(answer, "streaming");
  await page.keyboard.press("Escape");
  await reaches(answer, "stopped");
  await assertUpstreamClosed(t, await lastAct(page));
  assert.equal(await page.evaluate(() => document.activeElement.id), "input");
});

test("the page is ready to type into", async (t) => {
  const page = await open(t, OPEN_URL);
  // The browser gives it the focus with the first frame that it draws, a moment behind the page's load.
  await page.waitForFunction(() => document.activeElement?.id === "input");
  await page.keyboard.type("Hello");
  assert.equal(await page.inputValue("#input"), "Hello");
});

test("a rate limit is shown as an error, and can be retried", async (t) => {
  const { page, answer } = await ask(t, "busy-once");
  await reaches(answer, "error");
  assert.equal(await answer.locator(".error-message").textContent(), "Scripted to answer 429.");
  assert.match(await answer.locator(".error-facts").textContent(), /HTTP 429 .*rate_limit_exceeded .*retry after 1 s/);
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/a-rate-limit.png` });
  await answer.locator(".retry").click();
  await reaches(answer, "done");
  assert.equal(await answer.locator(".text").textContent(), ANSWER);
});

test("an error in the middle leaves the text that came before it", async (t) => {
  const { answer } = await ask(t, "error-event");
  await reaches(answer, "error");
  assert.equal(await answer.locator(".text").textContent(), FAILED_ANSWER);
  assert.equal(await answer.locator(".error-message").textContent(), "The model fell asleep.");
});

test("an answer that the upstream cuts is shown as failed", async (t) => {
  const { answer } = await ask(t, "cut");
  await reaches(answer, "error");
  assert.equal(await answer.locator(".text").textContent(), CUT_ANSWER);
  assert.match(await answer.locator(".error-facts").textContent(), /upstream_connection_broken/);
});

// ---- Policy -------------------------------------------------------------------------------------

test("the page's policy refuses a script that is not the server's", async (t) => {
  const page = await open(t, OPEN_URL);
  const violations = await page.evaluate(async () => {
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.body.append(script);
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Taken away, for every page is asserted to have none at its end.
    return window.violations.splice(0);
  });
  assert.deepEqual(violations, ["script-src-elem"]);
  assert.equal(await page.evaluate(() => window.injected), undefined);
});
