// sluicegate.js without a browser: its parser on the web platform tests' table, and its streams on a server that cuts them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import test, { afterEach } from "node:test";

import { ANSWER, CUT_ANSWER, FAILED_ANSWER, assertUpstreamClosed, seen } from "../clients/harness.mjs";
import { way } from "./network.mjs";
import { EventParser, EventStream, StreamError } from "../../web/sluicegate.js";

const { FORGETFUL_URL, LASTING_URL } = process.env;
const STREAM = "0123456789abcdef0123456789abcdef";
const CASES = JSON.parse(await readFile(new URL("../../src/framing/tests/wpt.json", import.meta.url), "utf8"));

// ---- The parser ---------------------------------------------------------------------------------

/** The events of `pieces`, as the table has them. */
function parse(pieces) {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.push(piece)).map(({ event, data, id }) => [event, data, id]);
}

test("every case of the web platform tests gives its events, however it is cut", () => {
  assert.ok(CASES.length > 30);
  for (const [name, stream, expected] of CASES) {
    const bytes = new TextEncoder().encode(stream.replaceAll("{x}", "x".repeat(2000)));
    for (let at = 0; at <= bytes.length; at += 1) {
      assert.deepEqual(parse([bytes.subarray(0, at), bytes.subarray(at)]), expected, `${name}, cut at ${at}`);
    }
    assert.deepEqual(parse([...bytes].map((byte) => Uint8Array.of(byte))), expected, `${name}, byte by byte`);
  }
});

test("a reconnection time is all digits", () => {
  const cases = [["retry:3000\n", 3000], ["retry: 1\nretry:2x\n", 1], ["retry\n", undefined], ["retry:+1\n", undefined], ["retry:１\n", undefined]];
  for (const [text, retry] of cases) {
    const parser = new EventParser();
    parser.push(new TextEncoder().encode(text));
    assert.equal(parser.retry, retry, text);
  }
});

test("an event comes with the line that ends it, even where a CR may be half of a line end", () => {
  const parser = new EventParser();
  assert.equal(parser.push(new TextEncoder().encode("data: 1\r\n\r")).length, 1);
  assert.equal(parser.push(new TextEncoder().encode("\ndata: 2\r\n\r\n")).length, 1);
});

test("an event of a new connection without an id has the id of the one before it", () => {
  const [event] = new EventParser("a:7").push(new TextEncoder().encode('event: ping\ndata: {"type": "ping"}\n\n'));
  assert.deepEqual([event.id, event.json], ["a:7", { type: "ping" }]);
});

// ---- A server to try streams on -----------------------------------------------------------------

let servers = [];
afterEach(() => {
  for (const server of servers) server.closeAllConnections(), server.close();
  servers = [];
});

/** Serves `handle(request, response, number of requests before it)`, and notes what was asked. */
async function serve(handle) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request);
    handle(request, response, asked.length - 1);
  });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { url: `http://127.0.0.1:${server.address().port}/v1/chat/completions`, asked };
}

/** A server of one resumable stream of `frames`, whose responses are written by `write(response, bytes, number)`. */
function serveKept(frames, write) {
  const numbered = frames.map((frame, index) => `id: ${STREAM}:${index + 1}\n${index === 0 ? "retry: 1\n" : ""}${frame}\n\n`);
  return serve((request, response, number) => {
    const after = Number((request.headers["last-event-id"] ?? ":0").split(":")[1]);
    if (after === frames.length) return response.writeHead(204).end();
    response.writeHead(200, { "content-type": "text/event-stream", "x-sluicegate-stream-id": STREAM });
    write(response, Buffer.from(numbered.slice(after).join("")), number);
  });
}

const chunk = (content, finish_reason = null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason }] })}`;

const post = (url, options = {}) => EventStream.post(url, { body: { model: "m", stream: true }, ...options });

/** All that a stream gives, and how it ends. */
async function drain(stream) {
  const events = [];
  try {
    for await (const event of await stream) events.push(event);
    return { events };
  } catch (error) {
    return { events, error };
  }
}

const text = (events) => events.map(({ json }) => json?.choices?.[0]?.delta.content ?? "").join("");

// ---- Coming back --------------------------------------------------------------------------------

test("a stream that is cut at five hundred random places loses nothing and gives nothing twice", async (t) => {
  const frames = [...Array.from({ length: 3000 }, (_, index) => chunk(`${index} 水\r`)), chunk("", "stop"), "data: [DONE]"];
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  let state = seed;
  const random = () => (state = (state * 48271 + 11) % (2 ** 31 - 1)) / (2 ** 31 - 1);
  let cuts = 0;
  // Some end within the first event, as from a proxy that dies, and some as if all were well.
  const { url, asked } = await serveKept(frames, (response, bytes) => {
    if (cuts === 500) return response.end(bytes);
    cuts += 1;
    const piece = bytes.subarray(0, Math.floor(random() ** 2 * 1500));
    random() < 0.5 ? response.end(piece) : response.write(piece, () => response.destroy());
  });
  const { events, error } = await drain(post(url));
  assert.equal(error, undefined);
  assert.equal(cuts, 500);
  assert.deepEqual(events.map(({ id }) => id), frames.map((_, index) => `${STREAM}:${index + 1}`));
  assert.deepEqual(events.map(({ data }) => `data: ${data}`), frames);
  assert.deepEqual(asked.map(({ method }) => method).filter((method) => method === "POST"), ["POST"], "one question");
  assert.equal(asked.length, 501);
});

test("an interruption is told, and that it is over", async () => {
  const states = [];
  const frames = [chunk("a"), chunk("b", "stop"), "data: [DONE]"];
  const { url } = await serveKept(frames, (response, bytes, number) => response.end(number ? bytes : bytes.subarray(0, 150)));
  const { events } = await drain(post(url, { onState: (state) => states.push(state) }));
  assert.equal(text(events), "ab");
  assert.deepEqual(states, ["reconnecting", "connected"]);
});

test("a server that is away for a while is asked again, and its refusals are waited out", async () => {
  const frames = [chunk("a"), chunk("b", "stop"), "data: [DONE]"];
  const { url, asked } = await serve((request, response, number) => {
    if (number === 1) return request.destroy();
    if (number === 2) return response.writeHead(503).end();
    // A page of a network that wants a word first.
    if (number === 3) return response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome on board</h1>");
    response.writeHead(200, { "content-type": "text/event-stream", "x-sluicegate-stream-id": STREAM });
    const from = number === 0 ? 0 : 1;
    response.write(frames.slice(from, number === 0 ? 1 : 3).map((frame, index) => `id: ${STREAM}:${from + index + 1}\nretry: 1\n${frame}\n\n`).join(""));
    number === 0 ? setTimeout(() => response.destroy(), 20) : response.end();
  });
  const states = [];
  const { events, error } = await drain(post(url, { onState: (state) => states.push(state) }));
  assert.deepEqual([text(events), error, states], ["ab", undefined, ["reconnecting", "connected"]]);
  assert.equal(asked.length, 5);
  assert.deepEqual(asked.slice(1).map(({ method, headers }) => [method, headers["last-event-id"]]), Array(4).fill(["GET", `${STREAM}:1`]));
});

test("a keep-alive that is an event does not lose the place", async () => {
  const frames = ["data: 1", 'event: message_stop\ndata: {"type": "message_stop"}'];
  const { url, asked } = await serveKept(frames, (response, bytes, number) => {
    if (number === 0) response.end(bytes.subarray(0, bytes.indexOf("\n\n") + 2));
    else if (number === 1) response.end('event: ping\ndata: {"type": "ping"}\n\n');
    else response.end(bytes);
  });
  const { events, error } = await drain(post(url));
  assert.deepEqual([events.map(({ event }) => event), error], [["message", "ping", "message_stop"], undefined]);
  assert.deepEqual(asked.slice(1).map(({ headers }) => headers["last-event-id"]), [`${STREAM}:1`, `${STREAM}:1`]);
});

test("a connection that says nothing at all for too long counts as lost", async () => {
  const frames = [chunk("a"), chunk("b"), chunk("c", "stop"), "data: [DONE]"];
  // The first time in the middle of a response, then where one would begin.
  const { url, asked } = await serveKept(frames, (response, bytes, number) => {
    if (number === 0) response.write(bytes.subarray(0, 150));
    if (number === 2) response.end(bytes);
  });
  const { events, error } = await drain(post(url, { silence: 200 }));
  assert.deepEqual([text(events), error, asked.length], ["abc", undefined, 3]);
});

test("a server that stays away is given up on, and the tab still remembers the stream", async (t) => {
  const kept = fakeStorage(t);
  const { url } = await serveKept([chunk("a"), chunk("b")], (response, bytes, number) =>
    number === 0 ? response.end(bytes.subarray(0, 150)) : response.destroy());
  const { events, error } = await drain(post(url, { patience: 300, name: "chat" }));
  assert.equal(text(events), "a");
  assert.deepEqual([error instanceof StreamError, error.code], [true, "connection_lost"]);
  assert.equal(JSON.parse(kept.get("sluicegate:chat")).last, `${STREAM}:1`);
});

test("a stream that is no longer kept is an error, and forgotten", async (t) => {
  const kept = fakeStorage(t);
  const { url, asked } = await serve((_, response, number) => {
    if (number > 0) return response.writeHead(404, { "content-type": "application/json" }).end('{"error": {"message": "gone", "code": "stream_not_found"}}');
    response.writeHead(200, { "content-type": "text/event-stream", "x-sluicegate-stream-id": STREAM });
    response.end(`id: ${STREAM}:1\nretry: 1\n${chunk("a")}\n\n`);
  });
  const { error } = await drain(post(url, { name: "chat" }));
  assert.deepEqual([error.message, error.code, error.status, asked.length, kept.size], ["gone", "stream_not_found", 404, 2, 0]);
});

test("what the loop is done with is remembered, and a tab goes on behind it or from the start", async (t) => {
  const kept = fakeStorage(t);
  const frames = [chunk("a"), chunk("b"), chunk("c", "stop"), "data: [DONE]"];
  const { url } = await serveKept(frames, (response, bytes) => response.end(bytes));
  for (const [from, expected] of [["last", "c"], ["start", "abc"]]) {
    let said = "";
    for await (const event of await post(url, { name: "chat" })) {
      said += text([event]);
      if (said === "ab") break;
    }
    assert.equal(kept.size, 1);
    const { events, error } = await drain(EventStream.resume("chat", { from }));
    assert.deepEqual([text(events), error, kept.size], [expected, undefined, 0]);
    assert.equal(await EventStream.resume("chat"), null);
  }
});

test("a tab with a copy of another's memory leaves the stream to that one", async (t) => {
  const kept = fakeStorage(t);
  const { url } = await serveKept([chunk("a")], (response, bytes) => response.write(bytes));
  const leave = new AbortController();
  const first = drain(post(url, { name: "chat", signal: leave.signal }));
  while (kept.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await assert.rejects(EventStream.resume("chat"), { code: "another_tab" });
  assert.equal(kept.size, 0);
  leave.abort();
  assert.equal((await first).error.name, "AbortError");
});

function fakeStorage(t) {
  const kept = new Map();
  const [getItem, setItem, removeItem] = [(name) => kept.get(name) ?? null, (name, value) => kept.set(name, value), (name) => kept.delete(name)];
  globalThis.sessionStorage = { getItem, setItem, removeItem };
  t.after(() => delete globalThis.sessionStorage);
  return kept;
}

// ---- Ends ---------------------------------------------------------------------------------------

/** How a plain stream of `frames` ends that closes cleanly behind them. */
async function endOf(...frames) {
  const { url } = await serve((_, response) => response.writeHead(200, { "content-type": "text/event-stream" }).end(frames.map((frame) => `${frame}\n\n`).join("")));
  const { error } = await drain(post(url));
  return error ? error.code ?? error.message : "whole";
}

test("a plain stream is whole if its dialect says so, and else an error", async () => {
  const gemini = (more) => `data: ${JSON.stringify({ candidates: [{ content: { parts: [{ text: "a" }] }, ...more }] })}`;
  const two = (index, finish_reason) => `data: ${JSON.stringify({ choices: [{ index, delta: {}, finish_reason }] })}`;
  const cases = [
    [[chunk("a"), "data: [DONE]"], "whole"],
    [[chunk("a", "stop")], "whole"],
    [[chunk("a")], "stream_cut"],
    [[chunk('"finish_reason": "stop"')], "stream_cut"],
    [[two(0, "stop"), two(1, null)], "stream_cut"],
    [[two(0, "stop"), two(1, null), two(1, "length")], "whole"],
    [['event: message_delta\ndata: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}'], "stream_cut"],
    [['event: message_stop\ndata: {"type": "message_stop"}'], "whole"],
    [['data: {"type": "response.output_text.delta", "delta": "a"}'], "stream_cut"],
    [['data: {"type": "response.incomplete", "response": {"error": null}}'], "whole"],
    [['data: {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "no"}}}'], "server_error"],
    [[gemini({})], "stream_cut"],
    [[gemini({ finishReason: "STOP" })], "whole"],
    [['data: {"promptFeedback": {"blockReason": "SAFETY"}}'], "whole"],
    [['event: token\ndata: {"text": "a"}'], "stream_cut"],
    [['event: done\ndata: {"finish_reason": "stop"}'], "whole"],
    [['event: error\ndata: {"message": "no", "code": "asleep"}'], "asleep"],
    [['data: {"error": {"message": "no", "code": "asleep"}}', "data: [DONE]"], "asleep"],
    [['data: {"object": "error", "message": "no", "code": 40}'], 40],
    [["event: error\ndata: no JSON"], "no JSON"],
    [[], "stream_cut"],
  ];
  for (const [frames, expected] of cases) assert.equal(await endOf(...frames), expected, frames.join("\n"));
});

test("a plain stream whose connection breaks is an error, unless all had been said", async () => {
  for (const [frame, expected] of [[chunk("a"), "stream_cut"], [chunk("a", "stop"), undefined]]) {
    const { url } = await serve((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(`${frame}\n\n`);
      setTimeout(() => response.destroy(), 20);
    });
    const { events, error } = await drain(post(url));
    assert.deepEqual([text(events), error?.code], ["a", expected]);
  }
});

test("a refusal is an error with all that is known of it, and asked no second time", async () => {
  const { url, asked } = await serve((_, response) =>
    response.writeHead(429, { "content-type": "application/json", "retry-after": "7" }).end('{"error": {"message": "slow", "type": "requests", "code": "rate"}}'));
  const { error } = await drain(post(url, { key: "k", headers: { "x-mine": "1" } }));
  assert.deepEqual([error.message, error.type, error.code, error.status, error.retryAfter], ["slow", "requests", "rate", 429, "7"]);
  assert.deepEqual([asked.length, asked[0].headers.authorization, asked[0].headers["x-mine"]], [1, "Bearer k", "1"]);
  const unreachable = await drain(post("http://127.0.0.1:1/v1/chat/completions"));
  assert.equal(unreachable.error.type, "network_error");
  const page = await serve((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("hello"));
  assert.equal((await drain(post(page.url))).error.code, "no_stream");
});

test("where no stream may be kept, it is asked for as a plain one", async () => {
  const { url, asked } = await serve((request, response) => {
    if (request.headers["x-sluicegate-resumable"] === "true") return response.writeHead(400, { "x-sluicegate-error": "invalid_request" }).end("{}");
    response.writeHead(200, { "content-type": "text/event-stream" }).end("data: [DONE]\n\n");
  });
  const stream = await post(url);
  assert.deepEqual([(await drain(stream)).error, stream.url, asked.length], [undefined, undefined, 2]);
});

// ---- With sluicegate, through a network that breaks -----------------------------------------------

const request = (t, model) => ({ body: { model, stream: true, messages: [{ role: "user", content: t.name }] } });

test("an answer through a network that breaks ten times is whole, and asked for once", async (t) => {
  const network = await way(t, LASTING_URL);
  network.limit = () => (network.cuts < 10 ? 700 + Math.random() * 900 : Infinity);
  let said = "";
  for await (const { json } of await EventStream.post(`${network.url}/v1/chat/completions`, request(t, "endless"))) {
    said += json.choices[0].delta.content;
    if (network.cuts === 10 && said.endsWith("0 ")) break;
  }
  const numbers = said.trim().split(" ").map(Number);
  assert.deepEqual(numbers, numbers.map((_, index) => index));
  assert.equal((await seen(t.name, 0)).length, 1);
});

test("whole, failed and cut answers of sluicegate end as such", async (t) => {
  const url = `${LASTING_URL}/v1/chat/completions`;
  for (const [model, said, code] of [["text", ANSWER], ["error-event", FAILED_ANSWER, "asleep"], ["cut", CUT_ANSWER, "upstream_connection_broken"]]) {
    const { events, error } = await drain(EventStream.post(url, request(t, model)));
    assert.deepEqual([text(events), error?.code], [said, code]);
  }
});

test("an answer of a sluicegate that keeps no streams is a plain one", async (t) => {
  const stream = await EventStream.post(`${FORGETFUL_URL}/v1/chat/completions`, request(t, "text"));
  const { events, error } = await drain(stream);
  assert.deepEqual([text(events), error, stream.url], [ANSWER, undefined, undefined]);
  assert.equal((await seen(t.name)).length, 1, "the upstream was asked once");
});

test("a stream of Anthropic's events ends with its message", async (t) => {
  const { events, error } = await drain(EventStream.post(`${LASTING_URL}/v1/messages`, {
    body: { ...request(t, "text").body, max_tokens: 100 }, headers: { "anthropic-version": "2023-06-01" } }));
  assert.deepEqual([error, events.at(-1).event], [undefined, "message_stop"]);
});

test("stop closes the upstream at once, and the loop throws", async (t) => {
  const stream = await EventStream.post(`${LASTING_URL}/v1/chat/completions`, request(t, "endless"));
  let stopped = 0;
  const { error } = await drain((async function* () {
    for await (const event of stream) {
      yield event;
      if (!stopped) (stopped = Date.now()), await stream.stop();
    }
  })());
  assert.equal(error.name, "AbortError");
  await assertUpstreamClosed(t, stopped);
});

test("a signal before the answer has begun closes the upstream", async (t) => {
  const leave = new AbortController();
  const answer = drain(EventStream.post(`${LASTING_URL}/v1/chat/completions`, { ...request(t, "silent"), signal: leave.signal }));
  while ((await seen(t.name, 0)).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const left = Date.now();
  leave.abort();
  assert.equal((await answer).error.name, "AbortError");
  await assertUpstreamClosed(t, left);
});
