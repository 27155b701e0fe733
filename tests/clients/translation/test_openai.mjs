// The official OpenAI SDK for JavaScript, to upstreams of every dialect: Chat Completions and Responses.

import { load } from "../harness.mjs";
import { TOOLS, leaveAfterAFew, matrix, url } from "./matrix.mjs";

const OpenAI = (await load("openai")).default;

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 30_000 });
const errors = { broken: OpenAI.APIError, limited: OpenAI.RateLimitError };
const picture = (image) => `data:image/png;base64,${image}`;

/** Puts the pieces of `reasoning_details` together, which the SDK leaves to the application. */
function addDetails(details, pieces = []) {
  for (const { index, text, ...piece } of pieces) {
    const detail = (details[index] ??= { index });
    Object.assign(detail, piece, text === undefined ? {} : { text: (detail.text ?? "") + text });
  }
}

matrix("openai-node chat", {
  ...errors,

  begin(prompt, image) {
    const pictures = image ? [{ type: "image_url", image_url: { url: picture(image) } }] : [];
    return [{ role: "user", content: [{ type: "text", text: prompt }, ...pictures] }];
  },

  async ask(messages, model, { stream, thinks, say }) {
    const functions = Object.entries(TOOLS).map(([name, parameters]) => ({ name, parameters }));
    const tools = functions.map((of) => ({ type: "function", function: of }));
    const thinking = thinks ? { tools, reasoning_effort: "low", reasoning: { exclude: false } } : {};
    const request = { model, messages, ...thinking };
    let completion;
    let thoughts = "";
    const details = [];
    if (stream) {
      const chunks = client.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
      for await (const { choices } of chunks) {
        const delta = choices[0]?.delta ?? {};
        say(delta.content);
        thoughts += delta.reasoning_content ?? delta.reasoning ?? "";
        addDetails(details, delta.reasoning_details);
      }
      completion = await chunks.finalChatCompletion();
    } else {
      completion = await client.chat.completions.create(request);
    }
    const { message } = completion.choices[0];
    if (!stream) {
      say(message.content);
      thoughts = message.reasoning_content ?? message.reasoning;
      details.push(...(message.reasoning_details ?? []));
    }
    const calls = message.tool_calls ?? [];
    const { prompt_tokens: prompt, prompt_tokens_details: ofPrompt } = completion.usage;
    const { completion_tokens: output, completion_tokens_details: ofOutput } = completion.usage;
    return {
      thoughts,
      calls: calls.map(({ id, function: { name, arguments: json } }) => [id, name, JSON.parse(json)]),
      usage: [prompt, ofPrompt.cached_tokens, output, ofOutput.reasoning_tokens],
      said: [{ ...message, reasoning_details: details }],
    };
  },

  results: (calls) => calls.map(([id, , text]) => ({ role: "tool", tool_call_id: id, content: text })),

  leave(messages, model) {
    const controller = new AbortController();
    const stream = client.chat.completions.create({ model, messages, stream: true }, { signal: controller.signal });
    return leaveAfterAFew(stream, controller);
  },
});

matrix("openai-node responses", {
  ...errors,

  begin(prompt, image) {
    const pictures = image ? [{ type: "input_image", image_url: picture(image) }] : [];
    return [{ role: "user", content: [{ type: "input_text", text: prompt }, ...pictures] }];
  },

  async ask(input, model, { stream, thinks, say }) {
    const functions = Object.entries(TOOLS).map(([name, parameters]) => ({ name, parameters }));
    const tools = functions.map((of) => ({ type: "function", strict: false, ...of }));
    const thinking = { tools, reasoning: { effort: "low", summary: "auto" }, include: ["reasoning.encrypted_content"] };
    const request = { model, input, store: false, ...(thinks ? thinking : {}) };
    let response;
    if (stream) {
      const events = client.responses.stream(request);
      for await (const { type, delta } of events) if (type === "response.output_text.delta") say(delta);
      response = await events.finalResponse();
    } else {
      response = await client.responses.create(request);
      say(response.output_text);
    }
    const { input_tokens: prompt, input_tokens_details: ofPrompt } = response.usage;
    const { output_tokens: output, output_tokens_details: ofOutput } = response.usage;
    const items = (kind) => response.output.filter(({ type }) => type === kind);
    return {
      thoughts: items("reasoning").flatMap(({ summary }) => summary.map(({ text }) => text)).join(""),
      calls: items("function_call").map(({ call_id, name, arguments: json }) => [call_id, name, JSON.parse(json)]),
      usage: [prompt, ofPrompt.cached_tokens, output, ofOutput.reasoning_tokens],
      said: response.output,
    };
  },

  results: (calls) => calls.map(([id, , text]) => ({ type: "function_call_output", call_id: id, output: text })),

  leave(input, model) {
    const controller = new AbortController();
    const stream = client.responses.create({ model, input, stream: true }, { signal: controller.signal });
    return leaveAfterAFew(stream, controller);
  },
});
