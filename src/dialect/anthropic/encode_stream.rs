//! Writes what a model says as a stream of Anthropic's events.
//!
//! <https://docs.claude.com/en/docs/build-with-claude/streaming>

use serde_json::{Value, json};

use super::encode::{citation_of, stop_of, token_of, tool_id, usage_of};
use super::error;
use crate::canonical::{ChatAnswer, Part, Seal, ToolKind};
use crate::dialect::json::write_json;
use crate::dialect::{AnswerContext, Delta, Encoder};
use crate::error::Error;

/// Writes one stream.
#[derive(Debug)]
pub(super) struct MessageEncoder {
    id: String,
    model: String,
    /// The place of the block that is open, or of the next.
    index: u32,
    /// Thoughts have begun. They are announced when their first words come: without any they are another kind of block.
    thinks: bool,
    /// What is being written is the text for a tool that takes text, as one string in a JSON object.
    is_custom: bool,
}

impl MessageEncoder {
    pub(super) fn new(context: &AnswerContext) -> Self {
        let (id, model) = (format!("msg_{}", context.id), context.request.model.clone());
        Self { id, model, index: 0, thinks: false, is_custom: false }
    }

    fn start_block(&self, block: &Value, out: &mut Vec<u8>) {
        let event = json!({ "type": "content_block_start", "index": self.index, "content_block": block });
        write_event("content_block_start", &event, out);
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        let event = json!({ "type": "content_block_stop", "index": self.index });
        write_event("content_block_stop", &event, out);
        self.index += 1;
    }

    /// A delta of one text: nearly all that is ever written.
    fn write_delta(&self, kind: &str, field: &str, text: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        out.extend_from_slice(self.index.to_string().as_bytes());
        out.extend_from_slice(b",\"delta\":{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(b"\":");
        write_json(text, out);
        out.extend_from_slice(b"}}\n\n");
    }

    fn write_arguments(&self, fragment: &str, out: &mut Vec<u8>) {
        if self.is_custom {
            // The inside of a JSON string.
            let quoted = Value::from(fragment).to_string();
            self.write_delta("input_json_delta", "partial_json", &quoted[1..quoted.len() - 1], out);
        } else {
            self.write_delta("input_json_delta", "partial_json", fragment, out);
        }
    }

    fn think(&mut self, text: &str, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.thinks, true) {
            self.start_block(&json!({ "type": "thinking", "thinking": "", "signature": "" }), out);
        }
        self.write_delta("thinking_delta", "thinking", text, out);
    }

    /// Thoughts end with a signature, or a client would not send them again.
    fn close_thoughts(&mut self, seal: Option<&Seal>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.thinks, false) {
            self.write_delta("signature_delta", "signature", &token_of(seal), out);
            self.stop_block(out);
        } else if let Some(seal) = seal {
            self.start_block(&json!({ "type": "redacted_thinking", "data": seal.token() }), out);
            self.stop_block(out);
        }
    }
}

impl Encoder for MessageEncoder {
    fn start(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) {
        let message = json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage_of(answer.usage),
        });
        write_event("message_start", &json!({ "type": "message_start", "message": message }), out);
    }

    fn open(&mut self, part: &Part, out: &mut Vec<u8>) {
        match part {
            Part::Text(_) | Part::Refusal(_) => self.start_block(&json!({ "type": "text", "text": "" }), out),
            Part::ToolCall(call) => {
                let id = tool_id(&call.id);
                self.start_block(&json!({ "type": "tool_use", "id": id, "name": call.name, "input": {} }), out);
                self.is_custom = call.kind == ToolKind::Custom;
                if self.is_custom {
                    self.write_delta("input_json_delta", "partial_json", "{\"input\":\"", out);
                }
            }
            _ => {}
        }
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text { text: "", .. } => {}
            Delta::Text { text, .. } | Delta::Refusal(text) => self.write_delta("text_delta", "text", text, out),
            Delta::Reasoning(text) => self.think(text, out),
            Delta::Arguments(fragment) => self.write_arguments(fragment, out),
            Delta::Annotation(annotation) => {
                let delta = json!({ "type": "citations_delta", "citation": citation_of(annotation) });
                let event = json!({ "type": "content_block_delta", "index": self.index, "delta": delta });
                write_event("content_block_delta", &event, out);
            }
            // Written at the end of what it is on; texts and calls have no place for one.
            Delta::Seal(_) => {}
        }
    }

    fn close(&mut self, part: &Part, out: &mut Vec<u8>) {
        if let Part::Reasoning { seal, .. } = part {
            return self.close_thoughts(seal.as_ref(), out);
        }
        if std::mem::replace(&mut self.is_custom, false) {
            self.write_delta("input_json_delta", "partial_json", "\"}", out);
        }
        self.stop_block(out);
    }

    fn finish(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) {
        let (delta, usage) = (Value::Object(stop_of(answer)), usage_of(answer.usage));
        let event = json!({ "type": "message_delta", "delta": delta, "usage": usage });
        write_event("message_delta", &event, out);
        write_event("message_stop", &json!({ "type": "message_stop" }), out);
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(&error::frame(error));
    }
}

fn write_event(name: &str, event: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    write_json(event, out);
    out.extend_from_slice(b"\n\n");
}
