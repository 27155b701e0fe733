// The chat page: sends a conversation to /v1/chat/completions and shows the answer as it streams in.
// Whatever comes from the server or the reader reaches the page as text nodes, never as markup.

import { EventStream, StreamError } from "./sluicegate.js";

/** @typedef {import("./sluicegate.js").Options} Options */
/** @typedef {"waiting"|"thinking"|"streaming"|"done"|"stopped"|"cut"|"error"} State */
/** @typedef {{role: string, content: string}} Message */
/** @typedef {{question: string, answer: Answer}} Exchange */
/** @typedef {{leave: AbortController, stream?: EventStream}} Running an answer under way, and its stream once that has a name */

/** What this tab remembers of itself over a reload: the conversation, and the stream of the answer under way. */
const NAME = "chat";

// ---- The API ----------------------------------------------------------------------------------

/** @param {string} path @throws {StreamError} unless the server answers with success */
async function request(path) {
  const response = await fetch(path, { headers: apiKey ? { authorization: `Bearer ${apiKey}` } : {} }).catch(() => {
    throw new StreamError({ message: "The server could not be reached.", type: "network_error" });
  });
  if (response.ok) return response;
  throw await StreamError.of(response);
}

/** Asks for the answer to a conversation. @param {string} model @param {Message[]} messages @param {Options} options */
function complete(model, messages, options) {
  const body = { model, messages, stream: true, stream_options: { include_usage: true } };
  return EventStream.post("/v1/chat/completions", { body, ...options });
}

/** Goes on with the answer that was under way when the page was left, from its start. @param {Options} options */
async function goOn(options) {
  const stream = await EventStream.resume(NAME, { from: "start", ...options });
  if (stream) return stream;
  throw new StreamError({ message: "The page was left before the answer had begun.", code: "stream_cut" });
}

/** What is known of a failure besides its message. @param {StreamError} error */
function factsOf({ status, type, code, retryAfter }) {
  // Retry-After is a number of seconds or a date.
  const retry = retryAfter && `retry after ${retryAfter}${/^\d+$/.test(retryAfter) ? " s" : ""}`;
  return [status && `HTTP ${status}`, type, code, retry].filter(Boolean).join("  ·  ");
}

// ---- One answer -------------------------------------------------------------------------------

/** Milliseconds since the epoch, by a clock that does not jump: a reload begins a new one. */
const now = () => performance.timeOrigin + performance.now();

/** Times an answer and counts its tokens. Times are in milliseconds. */
class Meter {
  started = now();
  first = 0;
  last = 0;
  ended = 0;
  chunks = 0;
  /** @type {number|undefined} the server's own count */
  reported;

  /** Notes a chunk that carried something. It is close to one token, which is the estimate. */
  count() {
    this.last = now();
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
      time: seconds((this.ended || now()) - this.started),
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

/** The states in which nothing more comes. */
const SETTLED = ["done", "stopped", "cut", "error"];

/** What a complete answer may still need said about its `finish_reason`. @type {Record<string, string>} */
const FINISH_NOTICE = {
  length: "The answer reached its token limit.",
  content_filter: "The answer was withheld by a content filter.",
};

/** An assistant message: takes chunks, shows them, and settles in one of the final states. */
class Answer {
  text = "";
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

  /** One as it was when the page was left. @param {any} kept */
  static restore({ model, state, text, thought, calls, notice, error, thinking, meter }) {
    const answer = new Answer(model);
    const tool_calls = calls.map((/** @type {any} */ call, /** @type {number} */ index) => ({ index, function: call }));
    answer.take({ choices: [{ delta: { reasoning: thought, content: text, tool_calls } }] });
    Object.assign(answer.meter, meter);
    if (error) answer.#showError(error);
    if (SETTLED.includes(state)) answer.#settle(state, notice);
    answer.#thought = thinking;
    answer.tick();
    return answer;
  }

  /** What is to be known of it to restore it. */
  get kept() {
    flush();
    const parts = this.#parts;
    const error = parts.error.hidden ? null : { message: parts["error-message"].textContent, facts: parts["error-facts"].textContent };
    return {
      model: parts.who.textContent,
      state: this.element.dataset.state,
      text: this.text,
      thought: parts["reasoning-text"].textContent,
      calls: this.#calls.map((call) => ({ name: call["tool-name"].textContent, arguments: call["tool-arguments"].textContent })),
      notice: parts.notice.textContent,
      error,
      thinking: this.#thought,
      meter: this.meter,
    };
  }

  get isSettled() {
    return SETTLED.includes(this.element.dataset.state ?? "");
  }

  /** Takes back what it has said, for it comes again from the start. Its times stay. */
  takeBack() {
    flush();
    for (const name of ["text", "reasoning-text", "tools"]) this.#parts[name].replaceChildren();
    this.text = "";
    this.#calls = [];
    this.meter.chunks = 0;
  }

  /** Says whether the connection is lost for now. @param {boolean} lost */
  setLost(lost) {
    this.element.toggleAttribute("data-lost", lost);
    if (this.element.isConnected) announce(lost ? "Reconnecting" : STATUS[/** @type {State} */ (this.element.dataset.state)]);
  }

  /** @param {any} chunk a `chat.completion.chunk` */
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
  }

  /** @param {string} text */
  #think(text) {
    if (!this.#thought.from) {
      this.#thought.from = now();
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

  /** All of it has come. */
  end() {
    this.#settle("done", this.#notice || (this.meter.chunks === 0 ? "The answer is empty." : ""));
  }

  /** No more of it will come. @param {any} error */
  fail(error) {
    if (error.name === "AbortError") return this.#settle("stopped", "You stopped this answer.");
    if (["stream_cut", "connection_lost"].includes(error.code)) return this.#settle("cut", error.message);
    this.#showError({ message: error.message, facts: factsOf(error) });
    this.#settle("error", "");
  }

  /** @param {{message: string, facts: string}} error */
  #showError({ message, facts }) {
    this.#parts["error-message"].textContent = message;
    this.#parts["error-facts"].textContent = facts;
    this.#parts.error.hidden = false;
  }

  /** @param {State} state @param {string} notice */
  #settle(state, notice) {
    this.meter.ended ||= now();
    this.element.removeAttribute("data-lost");
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
      this.#thought.until = now();
    }
    dataset.state = state;
    // An answer of a chat that was given up has nobody to tell.
    if (state === "waiting" || this.element.isConnected) announce(STATUS[state]);
  }

  /** Brings the running figures up to date. */
  tick() {
    for (const [name, value] of Object.entries(this.meter.read())) this.#parts[name].textContent = value;
    const { from, until } = this.#thought;
    const thought = seconds((until || now()) - from);
    this.#parts.thought.textContent = `${until ? "Thought" : "Thinking"} for ${thought}`;
  }
}

// ---- The conversation -------------------------------------------------------------------------

/** @type {Exchange[]} */
let exchanges = [];

/** @type {Running|null} */
let running = null;

/** Whether the page is about to go: what breaks from then on breaks for that reason, and is not to be kept. */
let leaving = false;

function leave() {
  save();
  leaving = true;
  setTimeout(() => (leaving = false), 3000); // It may stay after all.
}

/** Keeps the conversation for this tab, as far as it has come. */
function save() {
  if (leaving) return;
  const kept = exchanges.map(({ question, answer }) => ({ question, answer: answer.kept }));
  remember("sessionStorage", NAME, kept.length > 0 ? JSON.stringify(kept) : "");
}

/** Shows the conversation that this tab had before it was reloaded, and goes on with the answer that was under way. */
function restore() {
  const kept = JSON.parse(recall("sessionStorage", NAME) || "[]");
  for (const { question, answer } of kept) show(question, Answer.restore(answer));
  const last = exchanges.at(-1);
  if (!last) return;
  jumpToEnd();
  if (last.answer.isSettled) return;
  ui.input.focus(); // or Stop would take it
  last.answer.setLost(true);
  stream(last.answer, goOn);
}

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

/** @param {string} question @param {Answer} answer */
function show(question, answer) {
  const user = clone("user-template");
  partsOf(user).text.textContent = question;
  exchanges.push({ question, answer });
  ui.log.append(user, answer.element);
  ui.welcome.hidden = true;
}

/** @param {string} question */
function ask(question) {
  const answer = new Answer(ui.model.value);
  show(question, answer);
  stream(answer, (options) => complete(ui.model.value, messages(), options));
}

/** Asks the last question again, in place of the answer it got. */
function retry() {
  const exchange = exchanges.at(-1);
  if (!exchange || running) return;
  const answer = new Answer(ui.model.value);
  exchange.answer.element.replaceWith(answer.element);
  exchange.answer = answer;
  stream(answer, (options) => complete(ui.model.value, messages(), options));
}

/**
 * Streams the last exchange's answer, to whatever end it comes.
 * @param {Answer} answer @param {(options: Options) => Promise<EventStream>} open
 */
async function stream(answer, open) {
  /** @type {Running} */
  const mine = { leave: new AbortController() };
  setRunning(mine);
  jumpToEnd();
  save();
  const ticking = setInterval(() => answer.tick(), 100);
  try {
    const onState = (/** @type {string} */ state) => answer.setLost(state === "reconnecting");
    mine.stream = await open({ name: NAME, key: apiKey, signal: mine.leave.signal, onState });
    if (mine.leave.signal.aborted) await mine.stream.stop(); // It had no name yet.
    // What was shown before a reload makes room for what comes again, when that comes.
    let isNew = answer.meter.chunks === 0;
    for await (const { json } of mine.stream) {
      if (!isNew) answer.takeBack();
      isNew = true;
      answer.take(json ?? {});
    }
    answer.end();
  } catch (/** @type {any} */ error) {
    // The tab is a copy of one that goes on with its chat.
    if (error.code === "another_tab") return newChat();
    answer.fail(error);
    if (error.status === 401) askForKey();
  } finally {
    clearInterval(ticking);
    // A new chat may have an answer of its own under way by now.
    if (running === mine) setRunning(null);
    save();
  }
}

/** Shows Send or Stop, which share a place, so focus passes between them. @param {Running|null} answer */
function setRunning(answer) {
  running = answer;
  const focused = document.activeElement;
  ui.send.hidden = Boolean(answer);
  ui.stop.hidden = !answer;
  // Whoever asked with a button that is gone by now can stop with the same key.
  if (answer && focused !== ui.input) ui.stop.focus();
  if (!answer && focused === ui.stop) ui.send.focus();
  document.body.toggleAttribute("data-running", Boolean(answer));
}

async function stop() {
  const { leave, stream } = running ?? {};
  // Before it has a name, to leave is to stop.
  if (!stream) return leave?.abort();
  await stream.stop().catch(() => {
    announce("Answer stopped here. The server could not be told, and stops when nobody comes back");
  });
}

function newChat() {
  stop();
  exchanges = [];
  save();
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
    if (!running) announce(data.length > 0 ? "Ready" : "The server offers no models");
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

on(document, "visibilitychange", save);
on(window, "pagehide", save);
on(window, "beforeunload", leave);

showTheme();
try {
  restore();
} catch {
  newChat(); // An earlier version of this page may have kept something else.
}
loadModels();
