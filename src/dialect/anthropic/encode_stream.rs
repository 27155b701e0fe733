//! Writes what a model says as a stream of Anthropic's events.
//!
//! <https://docs.claude.com/en/docs/build-with-claude/streaming>

use serde_json::{Value, json};

use super::encode::{citation_of, mark_block, stop_of, token_of, tool_id, usage_of};
use super::error;
use crate::canonical::{ChatAnswer, Part, Seal, ToolCall, ToolKind};
use crate::dialect::json::write_json;
use crate::dialect::{AnswerContext, Begun, Delta, Encoder};
use crate::error::Error;

/// Writes one stream.
#[derive(Debug)]
pub(super) struct MessageEncoder {
    id: String,
    model: String,
    /// The place of the block that is open, or of the next.
    index: u32,
    /// The block is announced. Texts and thoughts are when their first words come: a text without any is no block, thoughts
    /// without any are another kind of block.
    announced: bool,
    /// A call that is announced when the first of its arguments come: a mark on it goes before it.
    called: Option<ToolCall>,
    /// The mark on the call has been told.
    is_marked: bool,
    /// What is being written is the text for a tool that takes text, as one string in a JSON object.
    is_custom: bool,
}

impl MessageEncoder {
    pub(super) fn new(context: &AnswerContext) -> Self {
        let (id, model) = (format!("msg_{}", context.id), context.request.model.clone());
        Self { id, model, index: 0, announced: false, called: None, is_marked: false, is_custom: false }
    }

    fn announce(&mut self, block: &Value, out: &mut Vec<u8>) {
        self.announced = true;
        let event = json!({ "type": "content_block_start", "index": self.index, "content_block": block });
        write_event("content_block_start", &event, out);
    }

    /// Texts and refusals.
    fn announce_text(&mut self, out: &mut Vec<u8>) {
        if !self.announced {
            self.announce(&json!({ "type": "text", "text": "" }), out);
        }
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        self.announced = false;
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

    fn announce_call(&mut self, out: &mut Vec<u8>) {
        let Some(call) = self.called.take() else { return };
        let id = tool_id(&call.id);
        self.announce(&json!({ "type": "tool_use", "id": id, "name": call.name, "input": {} }), out);
        self.is_custom = call.kind == ToolKind::Custom;
        if self.is_custom {
            self.write_delta("input_json_delta", "partial_json", "{\"input\":\"", out);
        }
    }

    /// The mark on a call, in a block of its own: no other may be open.
    fn mark_call(&mut self, seal: &Seal, id: &str, out: &mut Vec<u8>) {
        self.announce(&mark_block(seal, id), out);
        self.stop_block(out);
        self.is_marked = true;
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
        if !self.announced {
            self.announce(&json!({ "type": "thinking", "thinking": "", "signature": "" }), out);
        }
        self.write_delta("thinking_delta", "thinking", text, out);
    }

    /// Thoughts end with a signature, or a client would not send them again.
    fn close_thoughts(&mut self, seal: Option<&Seal>, out: &mut Vec<u8>) {
        if self.announced {
            self.write_delta("signature_delta", "signature", &token_of(seal), out);
            self.stop_block(out);
        } else if let Some(seal) = seal {
            self.announce(&json!({ "type": "redacted_thinking", "data": seal.token() }), out);
            self.stop_block(out);
        }
    }
}

impl Encoder for MessageEncoder {
    /// Each part has been a block. An open one is a text, which is announced.
    fn take_over(&mut self, begun: &Begun<'_>) {
        self.index = u32::try_from(begun.answer.parts.len()).unwrap_or(u32::MAX);
        self.announced = begun.open.is_some();
    }

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

    fn open(&mut self, part: &Part, _out: &mut Vec<u8>) {
        if let Part::ToolCall(call) = part {
            (self.called, self.is_marked) = (Some(call.clone()), false);
        }
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text { text: "", .. } => {}
            Delta::Text { text, .. } | Delta::Refusal(text) => {
                self.announce_text(out);
                self.write_delta("text_delta", "text", text, out);
            }
            Delta::Reasoning(text) => self.think(text, out),
            Delta::Arguments(fragment) => {
                self.announce_call(out);
                self.write_arguments(fragment, out);
            }
            Delta::Annotation(annotation) => {
                self.announce_text(out);
                let delta = json!({ "type": "citations_delta", "citation": citation_of(annotation) });
                let event = json!({ "type": "content_block_delta", "index": self.index, "delta": delta });
                write_event("content_block_delta", &event, out);
            }
            // That on thoughts is written at their end. Texts have no place for one, and may be told without.
            Delta::Seal(seal) => {
                if let Some(id) = self.called.as_ref().map(|call| call.id.clone()) {
                    self.mark_call(seal, &id, out);
                }
            }
        }
    }

    fn close(&mut self, part: &Part, out: &mut Vec<u8>) {
        if let Part::Reasoning { seal, .. } = part {
            return self.close_thoughts(seal.as_ref(), out);
        }
        self.announce_call(out);
        if std::mem::replace(&mut self.is_custom, false) {
            self.write_delta("input_json_delta", "partial_json", "\"}", out);
        }
        if self.announced {
            self.stop_block(out);
        }
        if let Part::ToolCall(ToolCall { id, seal: Some(seal), .. }) = part
            && !self.is_marked
        {
            self.mark_call(seal, id, out);
        }
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
