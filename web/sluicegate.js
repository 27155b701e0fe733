// @ts-check
// Streams of LLM tokens that survive the network, in a page of any framework or none.
//
//   import { EventStream } from "http://127.0.0.1:8080/sluicegate.js";
//   const stream = await EventStream.post("/v1/chat/completions", { body: { model: "demo", stream: true, messages } });
//   for await (const { json } of stream) show(json?.choices?.[0]?.delta.content ?? "");
//
// The loop ends when the answer is whole, and only then. Everything else throws: an error that the server reports, an answer that is
// cut and cannot be resumed, a signal. In between, connections may come and go: no event is lost or given twice.

/** @typedef {{id: string, event: string, data: string, json: any}} StreamEvent `json` is `data` parsed, if it is JSON */
/**
 * @typedef {object} Options
 * @property {string} [key] sent as `Authorization: Bearer`; never stored
 * @property {HeadersInit} [headers] sent with every request
 * @property {AbortSignal} [signal] leaves the stream, which then goes on or not as its policy says; a plain one stops
 * @property {string} [name] this tab remembers the stream by it until it has ended, for {@link EventStream.resume}
 * @property {number} [patience] for how many milliseconds a lost connection is tried again; by default five minutes
 * @property {number} [silence] after how many milliseconds without as much as a keep-alive it counts as lost; by default one minute
 * @property {(state: "reconnecting" | "connected") => void} [onState] told when the connection is lost, and when it is back
 */

/** Milliseconds between two attempts, at most. */
const LONGEST_PAUSE = 30_000;
/** Names in what all pages of an origin share. */
const KEPT = "sluicegate:", CHANNEL = "sluicegate";
/** Why the server keeps no stream for a request whose answer it might still pass on. No model has been asked by then. */
const NOT_KEPT = ["invalid_request", "too_many_streams"];

/** What went wrong, in the server's words where it has said so. */
export class StreamError extends Error {
  name = "StreamError";

  /** @param {{message?: string, type?: string, code?: string|number}} error @param {Response} [response] */
  constructor({ message, type, code }, response) {
    super(message || "The server reported an error without a message.");
    this.type = type;
    this.code = code;
    this.status = response?.status;
    /** `Retry-After` as it came: a number of seconds, or a date. */
    this.retryAfter = response?.headers.get("retry-after") ?? undefined;
  }

  /** @param {Response} response one that tells of a failure, in the words of any dialect */
  static async of(response) {
    const body = await response.json().catch(() => null);
    const error = body?.error ?? body ?? { message: `The server answered with HTTP ${response.status}.` };
    return new StreamError(typeof error === "string" ? { message: error } : { code: error.status, ...error }, response);
  }
}

/** Reads `text/event-stream` as the standard says (WHATWG HTML §9.2), however the bytes are cut. */
export class EventParser {
  #decoder = new TextDecoder(); // takes a BOM away
  #line = "";
  #ended = false; // by a CR, whose LF may be still to come
  #fields = { event: "", data: /** @type {string[]} */ ([]), id: "" };
  /** @type {number|undefined} milliseconds after which the server wants clients to come back */
  retry;

  /** @param {string} id of the last event before these bytes: an event without an id has the one before it */
  constructor(id = "") {
    this.#fields.id = id;
  }

  /** The events that `bytes` end. @param {Uint8Array} bytes @returns {StreamEvent[]} */
  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return [];
    if (this.#ended && text.startsWith("\n")) text = text.slice(1);
    this.#ended = text.endsWith("\r");
    const lines = text.split(/\r\n|\n|\r/);
    lines[0] = this.#line + lines[0];
    this.#line = lines.pop() ?? "";
    return lines.flatMap((line) => (line === "" ? this.#dispatch() : this.#take(line)));
  }

  /** @param {string} line @returns {StreamEvent[]} */
  #take(line) {
    // A comment is a line whose field has no name.
    const [, field, value] = /** @type {RegExpExecArray} */ (/^([^:]*):? ?(.*)$/s.exec(line));
    if (field === "data") this.#fields.data.push(value);
    else if (field === "event") this.#fields.event = value;
    else if (field === "id" && !value.includes("\0")) this.#fields.id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value);
    return [];
  }

  /** @returns {StreamEvent[]} */
  #dispatch() {
    const { event, data: lines, id } = this.#fields;
    this.#fields = { event: "", data: [], id };
    if (lines.length === 0) return [];
    const data = lines.join("\n");
    return [{ id, event: event || "message", data, json: parsed(data) }];
  }
}

/** Reads along to know how an answer ends, in OpenAI's, Anthropic's and Gemini's words and in those of named events. */
class Ending {
  /** Nothing more will come. */
  isOver = false;
  /** @type {StreamError|undefined} the failure that the stream itself has told of */
  error;
  #isWhole = false;
  /** Whether each choice has come to its end, by its index. */
  #choices = new Map();

  /** @param {StreamEvent} event */
  note({ event, data, json }) {
    const type = json?.type ?? event;
    if (json?.error || [event, type, json?.object].includes("error") || type === "response.failed") {
      this.error = new StreamError(json?.error ?? json?.response?.error ?? json ?? { message: data });
    }
    this.#isWhole ||= data === "[DONE]" || ["message_stop", "response.completed", "response.incomplete", "done"].includes(type);
    this.isOver ||= this.#isWhole || Boolean(this.error);
    for (const { index = 0, finish_reason, finishReason } of [json?.choices ?? json?.candidates].flat().filter(Boolean)) {
      this.#choices.set(index, this.#choices.get(index) || Boolean(finish_reason ?? finishReason));
    }
    // A prompt that Gemini refuses has no candidates.
    if (json?.promptFeedback?.blockReason) this.#choices.set(0, true);
  }

  /** All of the answer has come. Its usage may still follow, and not everybody sends a `[DONE]`. */
  get isWhole() {
    return !this.error && (this.#isWhole || (this.#choices.size > 0 && [...this.#choices.values()].every(Boolean)));
  }
}

/** A stream of events, to be iterated once. Leaving the loop leaves the stream, as the signal does; `stop` stops it for everybody. */
export class EventStream {
  /** @type {string|undefined} where it can be followed; undefined if it is a plain one, which cannot be resumed */
  url;
  /** The id of the last event that the loop is done with. */
  lastEventId = "";
  /** @type {Response|undefined} the last of its responses, for whoever wants to see a header field */
  response;
  #options;
  #leaving = new AbortController();
  #ending = new Ending();
  #pause = 1000;
  #attempts = 0;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const leave = () => this.#leaving.abort(options.signal?.reason);
    if (options.signal?.aborted) leave();
    options.signal?.addEventListener("abort", leave, { signal: this.#leaving.signal });
  }

  /**
   * Asks a model, at any endpoint that streams events. The stream is resumable wherever the server lets it be. Until this returns the
   * stream has no name, and leaving by the signal stops it, as does closing the page. A request that fails is not sent again.
   * @param {string|URL} url relative to the server that this file is from
   * @param {Options & {body: any}} request @returns {Promise<EventStream>} @throws {StreamError}
   */
  static async post(url, { body, ...options }) {
    const stream = new EventStream(options);
    memory(options.name, null);
    const target = new URL(url, import.meta.url);
    const init = { method: "POST", body: JSON.stringify(body) };
    const send = (/** @type {boolean} */ resumable) =>
      stream.#send(target, init, { "content-type": "application/json", "x-sluicegate-resumable": `${resumable}` });
    let response = await send(true);
    if (NOT_KEPT.includes(response.headers.get("x-sluicegate-error") ?? "")) response = await send(false);
    if (!response.ok) throw await StreamError.of(response);
    if (!isStream(response)) {
      throw new StreamError({ message: "The server answered with something else than a stream of events.", code: "no_stream" }, response);
    }
    const id = response.headers.get("x-sluicegate-stream-id");
    stream.response = response;
    if (id) stream.#follow(new URL(`/v1/streams/${id}`, target).href);
    return stream;
  }

  /** Follows a stream that there is, behind the event with the id `after`. @param {string|URL} url @param {Options & {after?: string}} [options] */
  static follow(url, { after = "", ...options } = {}) {
    const stream = new EventStream(options);
    stream.lastEventId = after;
    stream.#follow(new URL(url, import.meta.url).href);
    return stream;
  }

  /**
   * Goes on with the stream that this tab remembers by `name`, behind the last event that was dealt with, or from the start; null if
   * there is none. A tab that was copied from one that still follows its stream leaves it to that one.
   * @param {string} name @param {Options & {from?: "last" | "start"}} [options]
   * @throws {StreamError} with the code `another_tab` in such a copy
   */
  static async resume(name, { from = "last", ...options } = {}) {
    const kept = memory(name);
    if (!kept) return null;
    if (await isFollowed(kept.url)) {
      memory(name, null);
      throw new StreamError({ message: "Another tab follows this stream.", code: "another_tab" });
    }
    return EventStream.follow(kept.url, { ...options, name, after: from === "last" ? kept.last : "" });
  }

  /** Stops the stream: its upstream closes, and whoever reads it is told. The loop throws an `AbortError`. @throws {StreamError} */
  async stop() {
    this.#forget();
    this.#leaving.abort();
    if (!this.url) return;
    const response = await this.#send(this.url, { method: "DELETE", keepalive: true, signal: null });
    // What is unknown does not run.
    if (!response.ok && response.status !== 404) throw await StreamError.of(response);
  }

  /** @returns {AsyncGenerator<StreamEvent, void>} @throws {StreamError} */
  async *[Symbol.asyncIterator]() {
    try {
      for (let response = this.response ?? (await this.#connect()); response; response = await this.#reconnect()) {
        yield* this.#read(response);
        if (this.#ending.isOver) break;
      }
    } catch (error) {
      // Of a whole answer a lost connection takes the usage at most.
      if (!(error instanceof StreamError && this.#ending.isWhole)) throw error;
    } finally {
      if (this.#ending.isOver) this.#forget();
      this.#leaving.abort();
    }
  }

  /** The events of one response, up to where it ends or breaks. @param {Response} response @returns {AsyncGenerator<StreamEvent, void>} */
  async *#read(response) {
    const parser = new EventParser(this.lastEventId);
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    const end = () => void reader.cancel().catch(() => {});
    const over = new AbortController();
    let timer;
    // Browsers do not always know that a connection is dead: over a network that has come back, or where nothing comes at all.
    if (this.url) globalThis.addEventListener?.("online", end, { signal: over.signal });
    try {
      for (;;) {
        if (this.url) timer = setTimeout(end, this.#options.silence ?? 60_000);
        const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
        clearTimeout(timer);
        this.#leaving.signal.throwIfAborted();
        if (done || !value) return;
        for (const event of parser.push(value)) {
          this.#leaving.signal.throwIfAborted();
          [this.#attempts, this.#pause] = [0, parser.retry ?? this.#pause];
          this.#ending.note(event);
          if (this.#ending.error) throw this.#ending.error;
          try {
            yield event;
          } finally {
            this.lastEventId = event.id;
            this.#remember();
          }
          if (this.#ending.isOver) return;
        }
      }
    } finally {
      over.abort();
      end();
    }
  }

  async #reconnect() {
    if (!this.url) throw new StreamError({ message: "The stream ended before the answer was finished.", code: "stream_cut" });
    this.#options.onState?.("reconnecting");
    await this.#wait(0);
    return this.#connect();
  }

  /** What follows the last event; undefined if nothing does. @returns {Promise<Response|undefined>} */
  async #connect() {
    const until = Date.now() + (this.#options.patience ?? 300_000);
    for (;;) {
      const headers = { accept: "text/event-stream", ...(this.lastEventId && { "last-event-id": this.lastEventId }) };
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), Math.min(this.#options.silence ?? 60_000, 10_000));
      const signal = AbortSignal.any([this.#leaving.signal, late.signal]);
      const response = await this.#send(/** @type {string} */ (this.url), { signal }, headers).catch((error) => {
        if (!(error instanceof StreamError)) throw error;
      });
      clearTimeout(timer);
      this.#ending.isOver = response?.status === 204 || response?.status === 404;
      if (response?.status === 204) return;
      if (response?.ok && isStream(response)) {
        this.#options.onState?.("connected");
        return (this.response = response);
      }
      // What answers something else is the page of some network that wants a word with the reader first.
      if (response && !response.ok && response.status < 500 && response.status !== 429) throw await StreamError.of(response);
      if (Date.now() > until) {
        throw new StreamError({ message: "The connection was lost, and could not be made again.", code: "connection_lost" });
      }
      await this.#wait(Number(response?.headers.get("retry-after")) * 1000 || 0);
    }
  }

  /** Waits longer each time, and a little at random: those who lost the same server should not come back as one. @param {number} least */
  async #wait(least) {
    const { signal } = this.#leaving;
    signal.throwIfAborted();
    const pause = Math.min(LONGEST_PAUSE, Math.max(least, this.#pause * 2 ** this.#attempts++)) * (1 + Math.random() / 2);
    const over = new AbortController();
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      over.signal.addEventListener("abort", () => clearTimeout(timer));
      globalThis.addEventListener?.("online", resolve, { signal: over.signal });
      signal.addEventListener("abort", resolve, { signal: over.signal });
    });
    over.abort();
    signal.throwIfAborted();
  }

  /** @param {string|URL} url @param {RequestInit} init @param {Record<string, string>} [more] header fields */
  async #send(url, init, more = {}) {
    const { key, headers: given } = this.#options;
    const headers = new Headers(given);
    for (const [name, value] of Object.entries({ ...more, ...(key && { authorization: `Bearer ${key}` }) })) headers.set(name, value);
    const { signal } = this.#leaving;
    return fetch(url, { cache: "no-store", signal, ...init, headers }).catch((error) => {
      if (init.signal !== null) signal.throwIfAborted();
      throw new StreamError({ message: "The server could not be reached.", type: "network_error", code: error.name });
    });
  }

  /** @param {string} url */
  #follow(url) {
    this.url = url;
    this.#remember();
    if (!this.#options.name) return;
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = ({ data }) => data === `who ${url}` && channel.postMessage(`I ${url}`);
    this.#leaving.signal.addEventListener("abort", () => channel.close());
  }

  #remember() {
    if (this.url) memory(this.#options.name, { url: this.url, last: this.lastEventId });
  }

  #forget() {
    const { name } = this.#options;
    // By now it may stand for another.
    if (memory(name)?.url === this.url) memory(name, null);
  }
}

/** @param {Response} response */
function isStream(response) {
  return response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
}

/** Whether a tab follows the stream at `url`. One that sleeps does not answer, and may be joined. @param {string} url */
async function isFollowed(url) {
  const channel = new BroadcastChannel(CHANNEL);
  try {
    return await new Promise((resolve) => {
      channel.onmessage = ({ data }) => data === `I ${url}` && resolve(true);
      channel.postMessage(`who ${url}`);
      setTimeout(resolve, 150, false);
    });
  } finally {
    channel.close();
  }
}

/**
 * What this tab keeps over a reload, read, or written if there is a `value`; null forgets it.
 * @param {string|undefined} name @param {{url: string, last: string}|null} [value] @returns {{url: string, last: string}|null|undefined}
 */
function memory(name, value) {
  if (!name) return;
  try {
    if (value) sessionStorage.setItem(KEPT + name, JSON.stringify(value));
    else if (value === null) sessionStorage.removeItem(KEPT + name);
    else return JSON.parse(sessionStorage.getItem(KEPT + name) ?? "null");
  } catch {
    // A browser may refuse storage, or be out of it. Then a reload ends what is under way.
  }
}

/** @param {string} json @returns {any} undefined if it is none */
function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
