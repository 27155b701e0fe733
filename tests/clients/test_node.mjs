// The official OpenAI SDK for JavaScript, through sluicegate.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import test from "node:test";

import { ANSWER, CUT_ANSWER, FAILED_ANSWER, WIDE_ANSWER, assertUpstreamClosed, load, seen } from "./harness.mjs";

const OpenAI = (await load("openai")).default;

const { PATIENT_URL: patient, IMPATIENT_URL: impatient } = process.env;

/** Longer than it takes until a request has reached the upstream, in milliseconds. */
const A_WHILE = 800;

/** The parameters of a request whose prompt is the test's name, which finds it again in the upstream's log. */
function ask({ name }, model, more) {
  return { model, messages: [{ role: "user", content: name }], ...more };
}

function client(url = patient, options) {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: "the client's own", maxRetries: 0, timeout: 30_000, ...options });
}

function stream(t, model, { url, more, ...options } = {}) {
  return client(url).chat.completions.create(ask(t, model, { stream: true, ...more }), options);
}

/** The text of a stream, and the error it ends in. */
async function read(chunks) {
  let text = "";
  try {
    for await (const { choices } of await chunks) text += choices[0]?.delta.content ?? "";
  } catch (error) {
    return { text, error };
  }
  return { text };
}

// ---- Streams ------------------------------------------------------------------------------------

test("every token of a stream arrives", async (t) => {
  assert.deepEqual(await read(stream(t, "text")), { text: ANSWER });
});

test("the key of the client stays with the proxy", async (t) => {
  await read(stream(t, "text"));
  assert.equal((await seen(t.name))[0].headers.authorization, undefined);
});

test("characters that arrive in pieces are whole again", async (t) => {
  assert.deepEqual(await read(stream(t, "bytewise")), { text: WIDE_ANSWER });
});

test("usage comes last where it is asked for", async (t) => {
  let last;
  for await (last of await stream(t, "text", { more: { stream_options: { include_usage: true } } }));
  assert.deepEqual([last.choices.length, last.usage.completion_tokens], [0, 8]);
});

test("a tool call is put together from its pieces", async (t) => {
  let call = "";
  for await (const { choices } of await stream(t, "tools")) {
    for (const { function: part } of choices[0].delta.tool_calls ?? []) call += (part.name ?? "") + part.arguments;
  }
  assert.equal(call, 'gauge{"river":"Elbe"}');
});

test("the raw response names the request", async (t) => {
  const { response, request_id: id } = await stream(t, "text", { headers: { "x-request-id": "test-17" } }).withResponse();
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(id, "test-17");
  await response.body.cancel();
});

test("the helper that accumulates a stream returns the whole answer", async (t) => {
  const accumulated = client().chat.completions.stream(ask(t, "text"));
  assert.equal(await accumulated.finalContent(), ANSWER);
});

test("keep-alives before the first token do no harm", async (t) => {
  assert.deepEqual(await read(stream(t, "slow", { url: impatient })), { text: ANSWER });
});

test("keep-alives between events with ids do no harm", async (t) => {
  assert.deepEqual(await read(stream(t, "id-events", { url: impatient })), { text: ANSWER });
});

test("a whole answer arrives with its usage", async (t) => {
  const answer = await client().chat.completions.create(ask(t, "text"));
  assert.deepEqual([answer.choices[0].message.content, answer.usage.total_tokens], [ANSWER, 11]);
});

test("models are listed, found by name, and not found", async () => {
  const { models } = client();
  const ids = (await models.list()).data.map(({ id }) => id);
  assert.ok(ids.includes("text"));
  assert.equal((await models.retrieve("text")).owned_by, "scripted");
  await assert.rejects(models.retrieve("no/such model?"), OpenAI.NotFoundError);
});

test("embeddings pass through", async (t) => {
  const answer = await client().embeddings.create({ model: "text", input: t.name, encoding_format: "float" });
  assert.deepEqual(answer.data[0].embedding, [0.25, -0.5, 1.0]);
});

// ---- Aborts -------------------------------------------------------------------------------------

test("aborting in the middle of a stream stops the upstream", async (t) => {
  const controller = new AbortController();
  let aborted;
  let tokens = 0;
  for await (const _ of await stream(t, "endless", { signal: controller.signal })) {
    tokens += 1;
    if (tokens < 5) continue;
    aborted ??= Date.now();
    controller.abort();
  }
  await assertUpstreamClosed(t, aborted);
});

test("breaking out of the loop stops the upstream", async (t) => {
  let left;
  for await (const _ of await stream(t, "endless")) {
    left = Date.now();
    break;
  }
  await assertUpstreamClosed(t, left);
});

test("aborting before the first token stops the upstream", async (t) => {
  const controller = new AbortController();
  const chunks = await stream(t, "silent", { url: impatient, signal: controller.signal });
  const reading = read(chunks);
  await sleep(A_WHILE);
  const aborted = Date.now();
  controller.abort();
  assert.equal((await reading).text, "");
  await assertUpstreamClosed(t, aborted);
});

test("aborting before the response stops the upstream", async (t) => {
  await assertAbortStopsUpstream(t, (signal) => stream(t, "hang", { signal }));
});

test("aborting a whole answer stops the upstream", async (t) => {
  await assertAbortStopsUpstream(t, (signal) => client().chat.completions.create(ask(t, "hang"), { signal }));
});

async function assertAbortStopsUpstream(t, request) {
  const controller = new AbortController();
  const refused = assert.rejects(request(controller.signal), OpenAI.APIUserAbortError);
  await sleep(A_WHILE);
  const aborted = Date.now();
  controller.abort();
  await refused;
  await assertUpstreamClosed(t, aborted);
}

test("a timeout before the response stops the upstream", async (t) => {
  await assert.rejects(stream(t, "silent", { timeout: A_WHILE }), OpenAI.APIConnectionTimeoutError);
  await assertUpstreamClosed(t, Date.now());
});

// ---- Errors -------------------------------------------------------------------------------------

const ERRORS = {
  400: OpenAI.BadRequestError,
  401: OpenAI.AuthenticationError,
  404: OpenAI.NotFoundError,
  429: OpenAI.RateLimitError,
  500: OpenAI.InternalServerError,
};

test("an error status throws the error that belongs to it", async (t) => {
  for (const [status, expected] of Object.entries(ERRORS)) {
    for (const stream of [true, false]) {
      await assert.rejects(client().chat.completions.create(ask(t, `status-${status}`, { stream })), (error) => {
        assert.ok(error instanceof expected, `${status} threw ${error}`);
        assert.equal(error.error.message, `Scripted to answer ${status}.`);
        return true;
      });
    }
  }
});

test("a rate limit says when to come back", async (t) => {
  const error = await stream(t, "status-429").then(assert.fail, (error) => error);
  assert.equal(error.headers.get("retry-after"), "1");
  assert.equal(error.code, "rate_limit_exceeded");
});

test("the SDK retries when it is told to", async (t) => {
  const retrying = client(patient, { maxRetries: 1 });
  const chunks = retrying.chat.completions.create(ask(t, "busy-once", { stream: true }));
  assert.deepEqual(await read(chunks), { text: ANSWER });
  const [refused, answered] = await seen(t.name);
  assert.ok(answered.ended_at - refused.ended_at > 0.9);
});

test("an error event throws behind the tokens that came before it", async (t) => {
  const { text, error } = await read(stream(t, "error-event"));
  assert.equal(text, FAILED_ANSWER);
  assert.ok(error instanceof OpenAI.APIError);
  assert.deepEqual([error.error.message, error.code], ["The model fell asleep.", "asleep"]);
});

test("a cut stream throws and does not end in silence", async (t) => {
  const { text, error } = await read(stream(t, "cut"));
  assert.equal(text, CUT_ANSWER);
  assert.ok(error instanceof OpenAI.APIError);
  assert.equal(error.code, "upstream_connection_broken");
});

test("a failure behind the response head throws too", async (t) => {
  const { text, error } = await read(stream(t, "late-429", { url: impatient }));
  assert.deepEqual([text, error.code], ["", "rate_limit_exceeded"]);
});
