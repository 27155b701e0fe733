// A headless browser for the tests of one file, and a fresh page for each test.

import assert from "node:assert/strict";
import { after, before } from "node:test";

import { load } from "../clients/harness.mjs";

const { chromium } = await load("playwright-core");

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Names for pages that are none of this machine, and no way to any other.
  "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

let browser;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ARGUMENTS });
});

after(() => browser?.close());

/** Opens `url` in a page that keeps a record of what goes wrong in it. */
export async function open(t, url) {
  const context = await browser.newContext({ viewport: { width: 900, height: 640 } });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(error));
  await page.addInitScript(watch);
  await page.goto(url);
  t.after(async () => {
    if (!page.isClosed()) await settle(t, page);
    await context.close();
  });
  return page;
}

/** Runs in the page: notes when a person last did something, and what the content security policy refused. */
function watch() {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => violations.push(violatedDirective));
  for (const type of ["click", "keydown"]) addEventListener(type, () => (window.lastAct = Date.now()), true);
}

async function settle(t, page) {
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/${t.name.replaceAll(/\W+/g, "-")}.png` });
  const violations = await page.evaluate(() => window.violations);
  assert.deepEqual([...page.failures, ...violations], [], "the page ran without errors and within its policy");
}

/** Waits until `text` is the content of `locator`. */
export async function showsText(locator, text) {
  await locator.filter({ hasText: text }).waitFor();
  assert.equal((await locator.textContent()).trim(), text);
}

/** Asserts that the text of `locator` grows, and grows, and grows. */
export async function assertGrows(locator) {
  let length = 0;
  for (let sample = 0; sample < 4; sample += 1) {
    const grown = await locator.evaluate(longerThan, length);
    assert.ok(grown > length, `the text stays at ${length} characters`);
    length = grown;
  }
}

/** Runs in the page: the length of the element's text once it is longer than `length`, or after five seconds. */
async function longerThan(element, length) {
  for (let tries = 0; tries < 500 && element.textContent.length <= length; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return element.textContent.length;
}
