//! The five dialects as clients and upstreams write them by hand: small, and told by nobody's code.

use serde_json::{Value, json};

use super::Script;

/// A dialect, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    Chat,
    Responses,
    Anthropic,
    Gemini,
    Ollama,
}

pub const TONGUES: [Tongue; 5] = [Tongue::Chat, Tongue::Responses, Tongue::Anthropic, Tongue::Gemini, Tongue::Ollama];

/// Every client with every upstream that speaks another dialect.
pub fn pairs() -> impl Iterator<Item = (Tongue, Tongue)> {
    TONGUES.into_iter().flat_map(|client| TONGUES.into_iter().map(move |upstream| (client, upstream)))
}

impl Tongue {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "openai-chat",
            Self::Responses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    // === What a client sends ===

    pub fn path(self, stream: bool) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Anthropic => "/v1/messages",
            Self::Gemini if stream => "/v1beta/models/m:streamGenerateContent?alt=sse",
            Self::Gemini => "/v1beta/models/m:generateContent",
            Self::Ollama => "/api/chat",
        }
    }

    pub fn request(self, stream: bool) -> Value {
        let messages = json!([{"role": "user", "content": "hi"}]);
        match self {
            Self::Chat | Self::Ollama => json!({"model": "m", "stream": stream, "messages": messages}),
            Self::Responses => json!({"model": "m", "stream": stream, "input": "hi"}),
            Self::Anthropic => json!({"model": "m", "stream": stream, "max_tokens": 99, "messages": messages}),
            Self::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
        }
    }

    // === What an upstream sends ===

    /// Where it is asked, below its host.
    pub fn upstream_path(self, stream: bool) -> &'static str {
        match self {
            Self::Gemini if stream => "/v1/models/m:streamGenerateContent?alt=sse",
            Self::Gemini => "/v1/models/m:generateContent",
            _ => self.path(stream),
        }
    }

    /// The head of a stream.
    pub fn head(self) -> Script {
        let kind = if self == Self::Ollama { "application/x-ndjson" } else { "text/event-stream" };
        Script::head("200 OK", &format!("content-type: {kind}\r\n"))
    }

    /// What comes before any text.
    pub fn begin(self) -> String {
        match self {
            Self::Chat => chat(&json!({"role": "assistant", "content": ""}), &Value::Null),
            Self::Responses => {
                let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": []});
                let part = json!({"type": "output_text", "text": "", "annotations": []});
                [
                    named(
                        &json!({"type": "response.created", "response": {"id": "resp_1", "model": "m", "output": []}}),
                    ),
                    named(&json!({"type": "response.output_item.added", "output_index": 0, "item": item})),
                    named(&json!({
                        "type": "response.content_part.added", "output_index": 0, "content_index": 0, "part": part
                    })),
                ]
                .concat()
            }
            Self::Anthropic => {
                let message = json!({
                    "type": "message", "id": "msg_1", "role": "assistant", "model": "m", "content": [],
                    "stop_reason": null, "usage": {"input_tokens": 7, "output_tokens": 1}
                });
                let block = json!({"type": "text", "text": ""});
                [
                    named(&json!({"type": "message_start", "message": message})),
                    named(&json!({"type": "content_block_start", "index": 0, "content_block": block})),
                ]
                .concat()
            }
            Self::Gemini => data(&json!({"modelVersion": "m", "usageMetadata": {"promptTokenCount": 7}}), "\r\n"),
            Self::Ollama => {
                line(&json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": false}))
            }
        }
    }

    /// More text.
    pub fn text(self, text: &str) -> String {
        match self {
            Self::Chat => chat(&json!({"content": text}), &Value::Null),
            Self::Responses => named(&json!({
                "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text
            })),
            Self::Anthropic => named(&json!({
                "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}
            })),
            Self::Gemini => data(
                &json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}]}),
                "\r\n",
            ),
            Self::Ollama => {
                line(&json!({"model": "m", "message": {"role": "assistant", "content": text}, "done": false}))
            }
        }
    }

    /// All that follows `whole`, the whole text: 7 tokens were read and 9 written.
    pub fn end(self, whole: &str) -> String {
        match self {
            Self::Chat => {
                let usage = json!({"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16});
                [
                    chat(&json!({}), &json!("stop")),
                    data(&with(chunk(&json!([])), "usage", usage), "\n"),
                    "data: [DONE]\n\n".to_owned(),
                ]
                .concat()
            }
            Self::Responses => {
                let part = json!({"type": "output_text", "text": whole, "annotations": []});
                let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [part]});
                let response = json!({
                    "id": "resp_1", "model": "m", "status": "completed", "output": [item],
                    "usage": {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}
                });
                [
                    named(&json!({"type": "response.output_item.done", "output_index": 0, "item": item})),
                    named(&json!({"type": "response.completed", "response": response})),
                ]
                .concat()
            }
            Self::Anthropic => [
                named(&json!({"type": "content_block_stop", "index": 0})),
                named(&json!({
                    "type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}
                })),
                named(&json!({"type": "message_stop"})),
            ]
            .concat(),
            Self::Gemini => data(
                &json!({
                    "candidates": [{"index": 0, "finishReason": "STOP"}],
                    "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 9, "totalTokenCount": 16}
                }),
                "\r\n",
            ),
            Self::Ollama => line(&json!({
                "model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop",
                "prompt_eval_count": 7, "eval_count": 9
            })),
        }
    }

    /// A whole, well-behaved stream of `tokens`.
    pub fn stream(self, tokens: &[&str]) -> Script {
        let script = tokens.iter().fold(self.head().send(self.begin()), |script, text| script.send(self.text(text)));
        script.send(self.end(&tokens.concat())).end()
    }

    /// An answer that does not stream.
    pub fn answer(self, text: &str) -> Script {
        let answer = match self {
            Self::Chat => json!({
                "id": "c", "object": "chat.completion", "model": "m",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
            }),
            Self::Responses => json!({
                "id": "resp_1", "object": "response", "model": "m", "status": "completed",
                "output": [{"type": "message", "id": "msg_1", "role": "assistant", "content": [
                    {"type": "output_text", "text": text, "annotations": []}
                ]}],
                "usage": {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}
            }),
            Self::Anthropic => json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
                "usage": {"input_tokens": 7, "output_tokens": 9}
            }),
            Self::Gemini => json!({
                "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 9, "totalTokenCount": 16}
            }),
            Self::Ollama => json!({
                "model": "m", "message": {"role": "assistant", "content": text}, "done": true, "done_reason": "stop",
                "prompt_eval_count": 7, "eval_count": 9
            }),
        };
        Script::json("200 OK", &answer.to_string())
    }

    /// An error response that says `message`, with `status` in its shape.
    pub fn refusal(self, status: u16, message: &str) -> Script {
        let body = match self {
            Self::Chat | Self::Responses => json!({"error": {"message": message, "type": "t", "code": null}}),
            Self::Anthropic => json!({"type": "error", "error": {"type": "t", "message": message}}),
            Self::Gemini => json!({"error": {"code": status, "message": message, "status": "S"}}),
            Self::Ollama => json!({"error": message}),
        };
        Script::json(&format!("{status} Refused"), &body.to_string())
    }

    /// An error inside a stream.
    pub fn error_event(self, message: &str) -> String {
        match self {
            Self::Chat => data(&json!({"error": {"message": message, "type": "server_error"}}), "\n"),
            Self::Responses => named(&json!({"type": "error", "code": "server_error", "message": message})),
            Self::Anthropic => {
                named(&json!({"type": "error", "error": {"type": "overloaded_error", "message": message}}))
            }
            Self::Gemini => data(&json!({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}}), "\r\n"),
            Self::Ollama => line(&json!({"error": message})),
        }
    }

    // === What a client reads ===

    /// Whether a stream says that it is whole.
    pub fn is_whole(self, stream: &str) -> bool {
        match self {
            Self::Chat => stream.ends_with("data: [DONE]\n\n"),
            Self::Responses => stream.contains("event: response.completed\n"),
            Self::Anthropic => stream.contains("event: message_stop\n"),
            Self::Gemini => stream.contains("\"finishReason\""),
            Self::Ollama => stream.contains("\"done\":true"),
        }
    }

    /// The message of an error, in a body or in the last event of a stream.
    pub fn error_message(self, body: &str) -> Option<String> {
        let last = |text: &str| serde_json::from_str::<Value>(text.strip_prefix("data:").unwrap_or(text)).ok();
        let value = last(body).or_else(|| body.lines().rev().find_map(last))?;
        let message = match self {
            Self::Responses if value["type"] == "response.failed" => &value["response"]["error"]["message"],
            Self::Responses if value["message"].is_string() => &value["message"],
            Self::Ollama => &value["error"],
            _ => &value["error"]["message"],
        };
        message.as_str().map(str::to_owned)
    }

    /// The text of an answer that did not stream.
    pub fn answer_text(self, body: &Value) -> Option<&str> {
        let text = match self {
            Self::Chat => &body["choices"][0]["message"]["content"],
            Self::Responses => &body["output"][0]["content"][0]["text"],
            Self::Anthropic => &body["content"][0]["text"],
            Self::Gemini => &body["candidates"][0]["content"]["parts"][0]["text"],
            Self::Ollama => &body["message"]["content"],
        };
        text.as_str()
    }
}

fn chunk(choices: &Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices})
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

fn chat(delta: &Value, finish_reason: &Value) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
    data(&chunk(&json!([choice])), "\n")
}

fn data(value: &Value, line_end: &str) -> String {
    format!("data: {value}{line_end}{line_end}")
}

/// An event called as its type.
fn named(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap())
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
