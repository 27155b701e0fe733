// What the tests of the chat page do with it.

import { open } from "./browser.mjs";

/** Asks `model` on the chat page, opened unless given. The question is the test's name, which finds it again in the upstream's log. */
export async function ask(t, model, { url = process.env.OPEN_URL, question = t.name, page } = {}) {
  page ??= await open(t, url);
  await page.selectOption("#model", model);
  await page.fill("#input", question);
  await page.click("#send");
  return { page, answer: page.locator(".message.assistant") };
}

/** Waits for one of the answer's states. */
export function reaches(answer, state) {
  return answer.and(answer.page().locator(`[data-state=${state}]`)).waitFor();
}

/** When a person last pressed a key or a button. */
export function lastAct(page) {
  return page.evaluate(() => window.lastAct);
}
