// What holds for every SDK, whatever dialect its request is translated into: the cases, each for five upstreams.
// The same as in matrix.py.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ANSWER, FAILED_ANSWER, assertUpstreamClosed, seen } from "../harness.mjs";

export const url = process.env.INTERPRETER_URL;

/** The smallest picture there is. */
export const IMAGE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";

const object = (name) => ({ type: "object", properties: { [name]: { type: "string" } }, required: [name] });
export const TOOLS = { gauge: object("river"), weather: object("city") };

const THOUGHT = "The user asks about water.";
const SAID = { gauge: { river: "Elbe" }, weather: { city: "Köln" } };
const RESULTS = { gauge: "4.20 m", weather: "Regen, 9 °C" };
const MARK = "EqQBCgIYAhIk+/cmVhZCBtZQAA==";

// The tokens of the prompt, those of it that were cached, of the answer, and those of it that were thoughts.
const USAGE = [11, 4, 13, 5];
const UPSTREAMS = ["openai-chat", "openai-responses", "anthropic", "gemini", "ollama"];

/**
 * Registers the cases for an SDK:
 *
 * - `begin(prompt, image)` returns a conversation;
 * - `ask(conversation, model, { stream, thinks, say })` asks `model`, hands each piece of text to `say` as it comes, and
 *   returns `{ thoughts, calls, usage, said }`: calls as `[id, name, arguments]`, usage as in USAGE with undefined for
 *   what the SDK has no word for, and what to add to the conversation;
 * - `results(calls)` returns what to add for calls as `[id, name, text]`;
 * - `leave(conversation, model)` leaves a stream after a few events and returns when;
 * - `broken` and `limited` are the errors for what goes wrong in the middle and for being asked too often, and
 *   `retryAfter(error)` when to ask again;
 * - `keepsMarks: false` if the client's dialect has no place for marks on thoughts.
 */
export function matrix(sdk, { keepsMarks = true, retryAfter = ({ headers }) => headers.get("retry-after"), ...client }) {
  for (const upstream of UPSTREAMS) {
    const register = () => cases(upstream, { ...client, keepsMarks, retryAfter });
    describe(`${sdk} to ${upstream}`, { concurrency: 4 }, register);
  }

  function cases(upstream, { begin, ask, results, leave, broken, limited, keepsMarks, retryAfter }) {
    const usage = upstream === "ollama" ? [11, 0, 13, 0] : USAGE;

    async function answer(prompt, model, { stream = true, ...options } = {}, conversation = begin(prompt)) {
      const pieces = [];
      const say = (text) => text && pieces.push(text);
      const asked = ask(conversation, `${upstream}/${model}`, { stream, ...options, say });
      const told = await asked.catch((error) => ({ error }));
      if (told.error && !options.fails) throw told.error;
      return { ...told, pieces, text: pieces.join("") };
    }

    const it = (name, body) => test(`${sdk} to ${upstream}: ${name}`, (t) => body(t.name, t));

    function assertUsage(told) {
      assert.deepEqual(told, usage.map((count, at) => (told[at] === undefined ? undefined : count)));
    }

    it("tokens arrive one by one and with their number", async (prompt) => {
      const { pieces, usage } = await answer(prompt, "text");
      assert.equal(pieces.length, 8);
      assert.equal(pieces.join(""), ANSWER);
      assertUsage(usage);
    });

    it("a whole answer arrives", async (prompt) => {
      const { text, usage } = await answer(prompt, "text", { stream: false });
      assert.equal(text, ANSWER);
      assertUsage(usage);
    });

    it("thoughts arrive as thoughts", async (prompt) => {
      for (const stream of [true, false]) {
        const { thoughts, text } = await answer(prompt, "think", { stream, thinks: true });
        assert.deepEqual([thoughts, text], [THOUGHT, ANSWER]);
      }
    });

    for (const stream of [true, false]) {
      const where = stream ? "a stream" : "a whole answer";
      it(`tools are called in ${where} and their results understood`, async (prompt) => {
        const conversation = begin(prompt);
        const { calls, said } = await answer(prompt, "tools", { stream, thinks: true }, conversation);
        assert.deepEqual(calls.map(([, name, args]) => [name, args]), Object.entries(SAID));
        conversation.push(...said, ...results(calls.map(([id, name]) => [id, name, RESULTS[name]])));
        assert.equal((await answer(prompt, "tools", { stream, thinks: true }, conversation)).text, ANSWER);

        const { heard } = (await seen(prompt)).at(-1);
        assert.deepEqual(heard.calls.map(([, name, args]) => [name, args]), Object.entries(SAID));
        assert.deepEqual(Object.fromEntries(heard.results), RESULTS);
        assert.deepEqual(heard.marks, keepsMarks && upstream !== "ollama" ? [MARK] : []);
        assert.deepEqual(heard.tools.map(([name]) => name), Object.keys(TOOLS));
      });
    }

    it("pictures arrive", async (prompt) => {
      await answer(prompt, "text", {}, begin(prompt, IMAGE));
      assert.deepEqual((await seen(prompt))[0].heard.images, [["image/png", IMAGE]]);
    });

    it("leaving stops the upstream", async (prompt, t) => {
      await assertUpstreamClosed(t, await leave(begin(prompt), `${upstream}/endless`));
    });

    it("an error in the middle throws behind what came before it", async (prompt) => {
      const { text, error } = await answer(prompt, "error", { fails: true });
      assert.equal(text, FAILED_ANSWER);
      assert.ok(error instanceof broken, `${error}`);
      assert.match(error.message, /The model fell asleep\./);
    });

    if (upstream === "anthropic") {
      // What takes its time, and has nothing to do with who is asked.
      it("signs of life do no harm", async (prompt) => {
        assert.equal((await answer(prompt, "slow")).text, ANSWER);
      });

      it("a failure behind the response head throws too", async (prompt) => {
        const { error } = await answer(prompt, "late", { fails: true });
        assert.ok(error instanceof broken, `${error}`);
        assert.match(error.message, /Too many ask at once\./);
      });
    }

    it("who asks too often is told when to ask again", async (prompt) => {
      for (const stream of [true, false]) {
        const { error } = await answer(prompt, "busy", { stream, fails: true });
        assert.ok(error instanceof limited, `${error}`);
        assert.match(error.message, /Too many ask at once\./);
        assert.equal(retryAfter(error), "7");
      }
    });
  }
}

/** Reads a few events of `stream`, leaves it by way of `controller`, and returns when that was. */
export async function leaveAfterAFew(stream, controller) {
  let left;
  let events = 0;
  for await (const _ of await stream) {
    events += 1;
    if (events < 8) continue;
    left ??= Date.now();
    controller.abort();
  }
  return left;
}
