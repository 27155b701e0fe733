// What the Node and the browser tests share: the servers, and what the scripted one has seen.

import assert from "node:assert/strict";

export const ANSWER = "Water finds its way, drop by drop.";
export const WIDE_ANSWER = "Grüße ‹水› 🚰👩‍🔧";
export const CUT_ANSWER = "Water finds its way,";
export const FAILED_ANSWER = "Water finds its";

// An abort takes a millisecond or two. The bound leaves room for a machine that is busy with other things.
const SOON = 1000;

/** Loads an installed package, which lives apart from the sources. */
export function load(name, index = "index.mjs") {
  return import(`${process.env.PACKAGES}/${name}/${index}`);
}

/** What the upstream knows of the requests with `prompt`, once the last of them has ended or `wait` seconds have passed. */
export async function seen(prompt, wait = 3) {
  const response = await fetch(`${process.env.UPSTREAM_URL}/_log?${new URLSearchParams({ prompt, wait })}`);
  return response.json();
}

/** Asserts that the upstream of the only request with the test's name as prompt saw it close soon after `since`. */
export async function assertUpstreamClosed(test, since) {
  const entries = await seen(test.name);
  assert.deepEqual(entries.map(({ ended }) => ended), ["closed by the peer"]);
  const latency = entries[0].ended_at * 1000 - since;
  test.diagnostic(`cancelled upstream after ${latency.toFixed(1)} ms: ${test.name}`);
  assert.ok(latency < SOON, `the upstream saw its connection close after ${latency} ms`);
}
