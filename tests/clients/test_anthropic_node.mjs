// The official Anthropic SDK for JavaScript, through sluicegate.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import test from "node:test";

import { ANSWER, CUT_ANSWER, FAILED_ANSWER, assertUpstreamClosed, load, seen } from "./harness.mjs";

const Anthropic = (await load("@anthropic-ai/sdk")).default;

const { PATIENT_URL: patient, IMPATIENT_URL: impatient } = process.env;

/** Longer than it takes until a request has reached the upstream, in milliseconds. */
const A_WHILE = 800;

/** The parameters of a request whose prompt is the test's name, which finds it again in the upstream's log. */
function ask({ name }, model, more) {
  return { model, max_tokens: 64, messages: [{ role: "user", content: name }], ...more };
}

function client(url = patient) {
  return new Anthropic({ baseURL: url, apiKey: "the client's own", maxRetries: 0, timeout: 30_000 });
}

function stream(t, model, { url, ...options } = {}) {
  return client(url).messages.create(ask(t, model, { stream: true }), options);
}

/** The text of a stream, and the error it ends in. */
async function read(events) {
  let text = "";
  try {
    for await (const { type, delta } of await events) if (type === "content_block_delta") text += delta.text;
  } catch (error) {
    return { text, error };
  }
  return { text };
}

// ---- Streams ------------------------------------------------------------------------------------

test("anthropic: every token of a message arrives", async (t) => {
  assert.deepEqual(await read(stream(t, "text")), { text: ANSWER });
});

test("anthropic: the key of the client stays with the proxy", async (t) => {
  await read(stream(t, "text"));
  const [{ headers }] = await seen(t.name);
  assert.deepEqual([headers["x-api-key"], headers.authorization], [undefined, undefined]);
});

test("anthropic: recorded messages are put together", async (t) => {
  const accumulate = (model) => client().messages.stream(ask(t, model)).finalMessage();
  const [text] = (await accumulate("text-haiku")).content;
  assert.equal(text.text, "1\n2\n3");
  const [call] = (await accumulate("tool-use")).content;
  assert.deepEqual(call.input, { latitude: "52.5200", longitude: "13.4050" });
  const [thinking, tool] = (await accumulate("thinking-then-tool")).content;
  assert.ok(thinking.thinking.startsWith("The user wants me to") && thinking.signature);
  assert.deepEqual([tool.type, tool.input], ["tool_use", {}]);
});

test("anthropic: pings before and behind the first event do no harm", async (t) => {
  assert.deepEqual(await read(stream(t, "slow", { url: impatient })), { text: ANSWER });
  assert.equal(await client(impatient).messages.stream(ask(t, "slow")).finalText(), ANSWER);
});

test("anthropic: a whole message arrives, tokens are counted, models are listed", async (t) => {
  const { messages, models } = client();
  assert.equal((await messages.create(ask(t, "text"))).content[0].text, ANSWER);
  assert.equal((await messages.countTokens({ ...ask(t, "text"), max_tokens: undefined })).input_tokens, 3);
  assert.ok((await models.list()).data.some(({ id }) => id === "text"));
});

// ---- Aborts -------------------------------------------------------------------------------------

test("anthropic: aborting in the middle of a message stops the upstream", async (t) => {
  const controller = new AbortController();
  let aborted;
  let events = 0;
  for await (const _ of await stream(t, "endless", { signal: controller.signal })) {
    events += 1;
    if (events < 5) continue;
    aborted ??= Date.now();
    controller.abort();
  }
  await assertUpstreamClosed(t, aborted);
});

test("anthropic: aborting before the first event stops the upstream", async (t) => {
  const controller = new AbortController();
  const reading = read(stream(t, "silent", { url: impatient, signal: controller.signal }));
  await sleep(A_WHILE);
  const aborted = Date.now();
  controller.abort();
  assert.equal((await reading).text, "");
  await assertUpstreamClosed(t, aborted);
});

// ---- Errors -------------------------------------------------------------------------------------

const ERRORS = {
  400: Anthropic.BadRequestError,
  401: Anthropic.AuthenticationError,
  404: Anthropic.NotFoundError,
  429: Anthropic.RateLimitError,
  500: Anthropic.InternalServerError,
  529: Anthropic.InternalServerError,
};

test("anthropic: an error status throws the error that belongs to it", async (t) => {
  for (const [status, expected] of Object.entries(ERRORS)) {
    for (const stream of [true, false]) {
      await assert.rejects(client().messages.create(ask(t, `status-${status}`, { stream })), (error) => {
        assert.ok(error instanceof expected, `${status} threw ${error}`);
        assert.equal(error.error.error.message, `Scripted to answer ${status}.`);
        return true;
      });
    }
  }
});

test("anthropic: what goes wrong inside a message throws behind the tokens that came before it", async (t) => {
  for (const [model, url, expected, type] of [
    ["error-event", patient, FAILED_ANSWER, "overloaded_error"],
    ["cut", patient, CUT_ANSWER, "api_error"],
    ["late-529", impatient, "", "overloaded_error"],
  ]) {
    const { text, error } = await read(stream(t, model, { url }));
    assert.ok(error instanceof Anthropic.APIError, `${model} threw ${error}`);
    assert.deepEqual([text, error.error.error.type], [expected, type]);
  }
});
