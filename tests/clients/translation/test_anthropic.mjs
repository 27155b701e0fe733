// The official Anthropic SDK for JavaScript, to upstreams of every dialect.

import { load } from "../harness.mjs";
import { TOOLS, leaveAfterAFew, matrix, url } from "./matrix.mjs";

const Anthropic = (await load("@anthropic-ai/sdk")).default;

const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0, timeout: 30_000 });

matrix("anthropic-node", {
  broken: Anthropic.APIError,
  limited: Anthropic.RateLimitError,

  begin(prompt, image) {
    const source = { type: "base64", media_type: "image/png", data: image };
    return [{ role: "user", content: [{ type: "text", text: prompt }, ...(image ? [{ type: "image", source }] : [])] }];
  },

  async ask(messages, model, { stream, thinks, say }) {
    const tools = Object.entries(TOOLS).map(([name, input_schema]) => ({ name, input_schema }));
    const thinking = thinks ? { tools, thinking: { type: "enabled", budget_tokens: 1024 } } : {};
    const request = { model, messages, max_tokens: 2048, ...thinking };
    let message;
    if (stream) {
      const events = client.messages.stream(request).on("text", say);
      message = await events.finalMessage();
    } else {
      message = await client.messages.create(request);
      for (const { type, text } of message.content) if (type === "text") say(text);
    }
    const blocks = (kind) => message.content.filter(({ type }) => type === kind);
    const { input_tokens, cache_read_input_tokens: cached, output_tokens } = message.usage;
    const thought = message.usage.output_tokens_details?.thinking_tokens ?? 0;
    return {
      thoughts: blocks("thinking").map(({ thinking }) => thinking).join(""),
      calls: blocks("tool_use").map(({ id, name, input }) => [id, name, input]),
      usage: [input_tokens + cached, cached, output_tokens, thought],
      said: [{ role: "assistant", content: message.content }],
    };
  },

  results(calls) {
    const content = calls.map(([id, , text]) => ({ type: "tool_result", tool_use_id: id, content: text }));
    return [{ role: "user", content }];
  },

  leave(messages, model) {
    const controller = new AbortController();
    const request = { model, messages, max_tokens: 2048, stream: true };
    return leaveAfterAFew(client.messages.create(request, { signal: controller.signal }), controller);
  },
});
