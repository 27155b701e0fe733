// The official Ollama SDK for JavaScript, to upstreams of every dialect.

import { load } from "../harness.mjs";
import { TOOLS, matrix, url } from "./matrix.mjs";

const { Ollama } = await load("ollama", "dist/index.mjs");

const client = () => new Ollama({ host: url });

matrix("ollama-js", {
  // Its errors have no class that it exports, and no header fields.
  broken: Error,
  limited: Error,
  retryAfter: ({ status_code: status }) => (status === 429 ? "7" : status),
  keepsMarks: false,

  begin: (prompt, image) => [{ role: "user", content: prompt, ...(image ? { images: [image] } : {}) }],

  async ask(messages, model, { stream, thinks, say }) {
    const functions = Object.entries(TOOLS).map(([name, parameters]) => ({ name, parameters }));
    const tools = functions.map((of) => ({ type: "function", function: of }));
    const request = { model, messages, stream, ...(thinks ? { tools, think: true } : {}) };
    const said = { role: "assistant", content: "", thinking: "", tool_calls: [] };
    const lines = await client().chat(request);
    let last;
    for await (last of stream ? lines : [lines]) {
      const { content, thinking = "", tool_calls: calls = [] } = last.message;
      say(content);
      said.content += content;
      said.thinking += thinking;
      said.tool_calls.push(...calls);
    }
    return {
      thoughts: said.thinking,
      calls: said.tool_calls.map(({ id, function: { name, arguments: args } }) => [id, name, args]),
      usage: [last.prompt_eval_count, undefined, last.eval_count, undefined],
      said: [said],
    };
  },

  results: (calls) => calls.map(([, name, text]) => ({ role: "tool", tool_name: name, content: text })),

  async leave(messages, model) {
    const lines = await client().chat({ model, messages, stream: true });
    let left;
    try {
      let count = 0;
      for await (const _ of lines) {
        count += 1;
        if (count < 5) continue;
        left ??= Date.now();
        lines.abort();
      }
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
    return left;
  },
});
