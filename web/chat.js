// The chat page: sends a conversation to /v1/chat/completions and shows the answer as it streams in.
// Whatever comes from the server or the reader reaches the page as text nodes, never as markup.

/** @typedef {"waiting"|"thinking"|"streaming"|"done"|"stopped"|"cut"|"error"} State */
/** @typedef {{role: string, content: string}} Message */
/** @typedef {{question: string, answer: Answer}} Exchange */

// ---- Server-sent events -----------------------------------------------------------------------

/**
 * The lines of a byte stream, ended by LF, CRLF or CR. An unended last line is dropped.
 *
 * A connection that breaks reads as one that ends: whether an answer is whole is told by what it said
 * (`finish_reason`, `[DONE]`), not by how the connection closed.
 * @param {ReadableStream<Uint8Array>} stream @returns {AsyncGenerator<string>}
 */
async function* readLines(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (let ended = false; !ended;) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      ended = done;
      rest += decoder.decode(value, { stream: !ended });
      // A CR at the very end may be the first half of a CRLF, so it waits for what follows.
      const lines = rest.split(ended ? /\r\n|\n|\r/ : /\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * The data of each event in an event stream. Comments and other fields are skipped, and an event that
 * no blank line ended is dropped, as the standard asks.
 * @param {ReadableStream<Uint8Array>} stream @returns {AsyncGenerator<string>}
 */
export async function* readEvents(stream) {
  /** @type {string[]} */
  let data = [];
  for await (const line of readLines(stream)) {
    if (line !== "") {
      // A comment is a line whose field name is empty.
      const [, field, value] = /** @type {RegExpExecArray} */ (/^([^:]*):? ?(.*)$/s.exec(line));
      if (field === "data") data.push(value);
    } else if (data.length > 0) {
      yield data.join("\n");
      data = [];
    }
  }
}

// ---- The API ----------------------------------------------------------------------------------

/** A failure the server reported, or one met on the way to it. */
class ApiError extends Error {
  /** @param {{message?: string, type?: string, code?: string|number}} error @param {Response} [response] */
  constructor({ message, type, code }, response) {
    super(message || "The server reported an error without a message.");
    this.status = response?.status;
    const wait = response?.headers.get("retry-after");
    // Retry-After is a number of seconds or a date.
    const retry = wait && `retry after ${wait}${/^\d+$/.test(wait) ? " s" : ""}`;
    /** What is known besides the message. */
    this.facts = [this.status && `HTTP ${this.status}`, type, code, retry].filter(Boolean).join("  ·  ");
  }
}

/** @param {string} path @param {RequestInit} [init] @throws {ApiError} unless the server answers with success */
async function request(path, init = {}) {
  const headers = new Headers(init.headers);
  if (apiKey) headers.set("authorization", `Bearer ${apiKey}`);
  const response = await fetch(path, { ...init, headers }).catch(() => {
    throw new ApiError({ message: "The server could not be reached.", type: "network_error" });
  });
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new ApiError(body?.error ?? { message: "The server could not answer the request." }, response);
}

/**
 * Streams the answer to a conversation: `chat.completion.chunk`s, and `[DONE]` as it stands.
 * @param {string} model @param {Message[]} messages @param {AbortSignal} signal @returns {AsyncGenerator<any>}
 */
async function* complete(model, messages, signal) {
  const response = await request("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, messages, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  for await (const data of readEvents(/** @type {ReadableStream<Uint8Array>} */ (response.body))) {
    if (data === "[DONE]") {
      yield data;
      return; // whenever the server may close the connection
    }
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ApiError(chunk.error);
    yield chunk;
  }
}

// ---- One answer -------------------------------------------------------------------------------

/** Times an answer and counts its tokens. Times are in milliseconds. */
class Meter {
  started = performance.now();
  first = 0;
  last = 0;
  ended = 0;
  chunks = 0;
  /** @type {number|undefined} the server's own count */
  reported;

  /** Notes a chunk that carried something. It is close to one token, which is the estimate. */
  count() {
    this.last = performance.now();
    this.first ||= this.last;
    this.chunks += 1;
  }

  /** The figures as shown, by the name of their element. */
  read() {
    const tokens = this.reported ?? this.chunks;
    const about = this.reported === undefined ? "~" : "";
    // The first token ends the wait and starts the flow, so the rate counts the ones after it. A flow
    // of a few milliseconds came out of some buffer and says nothing about speed.
    const flow = this.last - this.first;
    return {
      first: this.first ? `${Math.round(this.first - this.started)} ms` : "–",
      rate: flow > 20 ? `${about}${(((tokens - 1) * 1000) / flow).toFixed(1)} tok/s` : "–",
      tokens: tokens ? `${about}${tokens}` : "–",
      time: seconds((this.ended || performance.now()) - this.started),
    };
  }
}

/** @param {number} ms */
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** Text on its way to the page. @type {Map<Element, string>} */
const unwritten = new Map();
let frame = 0;

/** Appends text in the next frame, with all that arrives until then. @param {Element} element @param {string} text */
function write(element, text) {
  unwritten.set(element, (unwritten.get(element) ?? "") + text);
  frame ||= requestAnimationFrame(flush);
}

/** Appends what waits, as text nodes: what is already there is not written again, so it can be selected. */
function flush() {
  cancelAnimationFrame(frame);
  frame = 0;
  for (const [element, text] of unwritten) element.append(text);
  unwritten.clear();
  followEnd();
}

/** What the status line says of each state. @type {Record<State, string>} */
const STATUS = {
  waiting: "Waiting for the first token",
  thinking: "Thinking",
  streaming: "Answering",
  done: "Answer complete",
  stopped: "Answer stopped",
  cut: "Answer cut off",
  error: "Answer failed",
};

/** What a complete answer may still need said about its `finish_reason`. @type {Record<string, string>} */
const FINISH_NOTICE = {
  length: "The answer reached its token limit.",
  content_filter: "The answer was withheld by a content filter.",
};

/** An assistant message: takes chunks, shows them, and settles in one of the final states. */
class Answer {
  text = "";
  /** Whether the server said that the answer is whole. */
  whole = false;
  meter = new Meter();
  element = clone("assistant-template");
  #parts = partsOf(this.element);
  /** @type {Record<string, any>[]} the parts of each tool call, by its index */
  #calls = [];
  #thought = { from: 0, until: 0 };
  #notice = "";

  /** @param {string} model */
  constructor(model) {
    this.#parts.who.textContent = model;
    this.#enter("waiting");
    this.tick();
  }

  /** @param {any} chunk a `chat.completion.chunk`, or `[DONE]` */
  take(chunk) {
    const choice = chunk.choices?.[0];
    const { content, reasoning, reasoning_content, tool_calls } = choice?.delta ?? {};
    const thought = reasoning || reasoning_content;
    const calls = tool_calls ?? [];
    if (content || thought || calls.length > 0) this.meter.count();
    if (thought) this.#think(thought);
    if (content) this.#say(content);
    for (const call of calls) this.#call(call);
    this.meter.reported = chunk.usage?.completion_tokens ?? this.meter.reported;
    this.#notice ||= FINISH_NOTICE[choice?.finish_reason] ?? "";
    this.whole ||= chunk === "[DONE]" || Boolean(choice?.finish_reason);
  }

  /** @param {string} text */
  #think(text) {
    if (!this.#thought.from) {
      this.#thought.from = performance.now();
      this.#parts.reasoning.hidden = false;
      this.#parts.reasoning.open = true;
      this.#enter("thinking");
    }
    write(this.#parts["reasoning-text"], text);
  }

  /** @param {string} text */
  #say(text) {
    this.#enter("streaming");
    this.text += text;
    write(this.#parts.text, text);
  }

  /** @param {{index?: number, function?: {name?: string, arguments?: string}}} call */
  #call({ index = 0, function: part }) {
    this.#enter("streaming");
    if (!this.#calls[index]) {
      const element = clone("tool-template");
      this.#parts.tools.append(element);
      this.#calls[index] = partsOf(element);
    }
    write(this.#calls[index]["tool-name"], part?.name ?? "");
    write(this.#calls[index]["tool-arguments"], part?.arguments ?? "");
  }

  /** The stream is over: says how it went. @param {boolean} aborted */
  end(aborted) {
    const empty = this.meter.chunks === 0 ? "The answer is empty." : "";
    if (this.whole) this.#settle("done", this.#notice || empty);
    else if (aborted) this.#settle("stopped", "You stopped this answer.");
    else this.#settle("cut", "The stream ended before the answer was finished.");
  }

  /** @param {any} error */
  fail({ message, facts = "" }) {
    this.#parts["error-message"].textContent = message;
    this.#parts["error-facts"].textContent = facts;
    this.#parts.error.hidden = false;
    this.#settle("error", "");
  }

  /** @param {State} state @param {string} notice */
  #settle(state, notice) {
    this.meter.ended = performance.now();
    flush();
    // One text node again, so that a character split between two chunks joins up.
    this.element.normalize();
    this.#parts.notice.textContent = notice;
    this.#parts.notice.hidden = !notice;
    this.#parts.figures.hidden = !this.meter.first;
    this.#enter(state);
    this.tick();
    followEnd();
  }

  /** @param {State} state */
  #enter(state) {
    const { dataset } = this.element;
    if (dataset.state === state) return;
    if (dataset.state === "thinking") {
      // Folded away once; from then on it is the reader's to open and close.
      this.#parts.reasoning.open = false;
      this.#thought.until = performance.now();
    }
    dataset.state = state;
    // An answer of a chat that was given up has nobody to tell.
    if (state === "waiting" || this.element.isConnected) announce(STATUS[state]);
  }

  /** Brings the running figures up to date. */
  tick() {
    for (const [name, value] of Object.entries(this.meter.read())) this.#parts[name].textContent = value;
    const { from, until } = this.#thought;
    const thought = seconds((until || performance.now()) - from);
    this.#parts.thought.textContent = `${until ? "Thought" : "Thinking"} for ${thought}`;
  }
}

// ---- The conversation -------------------------------------------------------------------------

/** @type {Exchange[]} */
let exchanges = [];

/** The answer under way. @type {AbortController|null} */
let running = null;

/**
 * The conversation as the API takes it. A question that got no answer is left out once the next one is
 * asked: strict chat templates refuse two user messages in a row.
 * @returns {Message[]}
 */
function messages() {
  const past = exchanges.slice(0, -1).filter(({ answer }) => answer.text);
  return [
    ...past.flatMap(({ question, answer }) => [
      { role: "user", content: question },
      { role: "assistant", content: answer.text },
    ]),
    { role: "user", content: exchanges[exchanges.length - 1].question },
  ];
}

/** @param {string} question */
function ask(question) {
  const user = clone("user-template");
  partsOf(user).text.textContent = question;
  const answer = new Answer(ui.model.value);
  exchanges.push({ question, answer });
  ui.log.append(user, answer.element);
  ui.welcome.hidden = true;
  stream(answer);
}

/** Asks the last question again, in place of the answer it got. */
function retry() {
  const exchange = exchanges.at(-1);
  if (!exchange || running) return;
  const answer = new Answer(ui.model.value);
  exchange.answer.element.replaceWith(answer.element);
  exchange.answer = answer;
  stream(answer);
}

/** Streams the last exchange's answer, to whatever end it comes. @param {Answer} answer */
async function stream(answer) {
  const controller = new AbortController();
  const { signal } = controller;
  setRunning(controller);
  jumpToEnd();
  const ticking = setInterval(() => answer.tick(), 100);
  try {
    for await (const chunk of complete(ui.model.value, messages(), signal)) answer.take(chunk);
    answer.end(signal.aborted);
  } catch (/** @type {any} */ error) {
    signal.aborted ? answer.end(true) : answer.fail(error);
    if (error.status === 401) askForKey();
  } finally {
    clearInterval(ticking);
    // A new chat may have an answer of its own under way by now.
    if (running === controller) setRunning(null);
  }
}

/** Shows Send or Stop, which share a place, so focus passes between them. @param {AbortController|null} controller */
function setRunning(controller) {
  running = controller;
  const focused = document.activeElement;
  ui.send.hidden = Boolean(controller);
  ui.stop.hidden = !controller;
  // Whoever asked with a button that is gone by now can stop with the same key.
  if (controller && focused !== ui.input) ui.stop.focus();
  if (!controller && focused === ui.stop) ui.send.focus();
  document.body.toggleAttribute("data-running", Boolean(controller));
}

function stop() {
  running?.abort();
}

function newChat() {
  stop();
  exchanges = [];
  following = false;
  ui.log.replaceChildren();
  ui.welcome.hidden = false;
  ui.scroller.scrollTop = 0;
  ui.input.focus();
  announce("Ready");
}

// ---- Models and key ---------------------------------------------------------------------------

let apiKey = recall("sessionStorage", "key");

function askForKey() {
  announce(apiKey ? "The server refused the key" : "The server asks for a key");
  ui["key-form"].hidden = false;
  ui.key.focus();
}

async function useKey() {
  apiKey = ui.key.value.trim();
  remember("sessionStorage", "key", apiKey);
  ui.key.value = "";
  if (await loadModels()) ui.input.focus();
}

/** @returns {Promise<boolean>} whether there is a model to talk to */
async function loadModels() {
  try {
    const { data } = await (await request("/v1/models")).json();
    const chosen = recall("localStorage", "model");
    ui.model.replaceChildren(...data.map((/** @type {{id: string}} */ { id }) => new Option(id, id, false, id === chosen)));
    ui["key-form"].hidden = true;
    announce(data.length > 0 ? "Ready" : "The server offers no models");
  } catch (/** @type {any} */ error) {
    ui.model.replaceChildren(new Option("No models", ""));
    error.status === 401 ? askForKey() : announce(`The models could not be loaded. ${error.message}`);
  }
  ui.model.disabled = !ui.model.value;
  showCurl();
  return !ui.model.disabled;
}

/** Shows how to ask this server from a terminal. */
function showCurl() {
  const body = { model: ui.model.value, stream: true, messages: [{ role: "user", content: "Hello" }] };
  // Inside single quotes a shell takes everything but the single quote itself.
  const quoted = `'${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
  const key = apiKey ? `-H "authorization: Bearer $KEY" ` : "";
  const url = `${location.origin}/v1/chat/completions`;
  ui.curl.textContent = `curl -N ${url} ${key}-H 'content-type: application/json' -d ${quoted}`;
}

// ---- The composer -----------------------------------------------------------------------------

/** @param {string} text @returns {Promise<boolean>} whether it was sent */
async function send(text) {
  if (!text.trim()) return false;
  if (!ui.model.value && !(await loadModels())) return false;
  if (running) return false;
  ask(text.trim());
  return true;
}

async function sendInput() {
  if (await send(ui.input.value)) ui.input.value = "";
  fitInput();
}

function fitInput() {
  ui.input.style.height = "auto";
  ui.input.style.height = `${ui.input.scrollHeight}px`;
}

/** @param {KeyboardEvent} event */
function sendOnEnter(event) {
  // While an input method composes, Enter picks a candidate.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendInput();
}

// ---- Scrolling and theme ----------------------------------------------------------------------

/** Whether the reader is at the end of the conversation, and so stays there as it grows. */
let following = false;

function followEnd() {
  if (following) ui.scroller.scrollTop = ui.scroller.scrollHeight;
}

function jumpToEnd() {
  following = true;
  followEnd();
}

function noteScroll() {
  const { scrollHeight, scrollTop, clientHeight } = ui.scroller;
  following = scrollHeight - scrollTop - clientHeight < 40;
  ui.latest.hidden = following || exchanges.length === 0;
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");

/** Shows the remembered theme, or else the system's. */
function showTheme() {
  const dark = systemDark.matches ? "dark" : "light";
  document.documentElement.dataset.theme = recall("localStorage", "theme") || dark;
  // The browser's own bars take the colour of the page.
  ui["theme-color"].content = getComputedStyle(document.body).backgroundColor;
}

function switchTheme() {
  remember("localStorage", "theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  showTheme();
}

// ---- Small tools ------------------------------------------------------------------------------

/** A copy of a template's one element. @param {string} id @returns {HTMLElement} */
function clone(id) {
  return ui[id].content.firstElementChild.cloneNode(true);
}

/** The elements inside one, by their first class. @param {Element} element @returns {Record<string, any>} */
function partsOf(element) {
  return Object.fromEntries(Array.from(element.querySelectorAll("[class]"), (part) => [part.classList[0], part]));
}

/** Says something on the status line, and so to screen readers. @param {string} text */
function announce(text) {
  ui.status.textContent = text;
}

/** @param {"localStorage"|"sessionStorage"} area @param {string} name */
function recall(area, name) {
  try {
    return window[area].getItem(name) ?? "";
  } catch {
    return ""; // A browser may refuse storage.
  }
}

/** @param {"localStorage"|"sessionStorage"} area @param {string} name @param {string} value */
function remember(area, name, value) {
  try {
    window[area].setItem(name, value);
  } catch {
    // Then it lasts as long as the page.
  }
}

/** @param {Element} source @param {Element} button the one to confirm on */
async function copy(source, button) {
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
  } catch {
    // Over plain HTTP there is no clipboard to write to, but a selection can be copied.
    getSelection()?.selectAllChildren(source);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

/** Copies the answer that a button stands under. @param {Element} button */
function copyAnswer(button) {
  copy(partsOf(/** @type {Element} */ (button.closest(".message"))).text, button);
}

// ---- Wiring -----------------------------------------------------------------------------------

/** The page's elements by id: `ui.model` is `#model`. @type {Record<string, any>} */
const ui = Object.fromEntries(Array.from(document.querySelectorAll("[id]"), (element) => [element.id, element]));

/** @param {EventTarget} target @param {string} type @param {(event: any) => void} listener */
function on(target, type, listener) {
  target.addEventListener(type, listener);
}

/** Runs an action in place of sending a form. @param {() => void} action */
function instead(action) {
  return (/** @type {Event} */ event) => {
    event.preventDefault();
    action();
  };
}

on(ui.composer, "submit", instead(sendInput));
on(ui.input, "keydown", sendOnEnter);
on(ui.input, "input", fitInput);
on(ui.stop, "click", stop);
on(document, "keydown", ({ key }) => key === "Escape" && stop());
on(ui.examples, "click", ({ target }) => target.matches("button") && send(target.textContent));
on(ui["copy-curl"], "click", ({ target }) => copy(ui.curl, target));
on(ui.log, "click", ({ target }) => target.matches(".retry") && retry());
on(ui.log, "click", ({ target }) => target.matches(".copy") && copyAnswer(target));
on(ui.new, "click", newChat);
on(ui.model, "change", () => remember("localStorage", "model", ui.model.value));
on(ui.model, "change", showCurl);
on(ui["key-form"], "submit", instead(useKey));
on(ui.theme, "click", switchTheme);
on(systemDark, "change", showTheme);
on(ui.scroller, "scroll", noteScroll);
on(ui.latest, "click", jumpToEnd);
new ResizeObserver(followEnd).observe(ui.scroller);

showTheme();
loadModels();
