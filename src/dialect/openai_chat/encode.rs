//! Writes a stream.

use std::fmt::Arguments;
use std::io::Write;

use super::{error, finish, notes};
use crate::canonical::{ChatAnswer, Finish, FinishReason, Part, ToolKind};
use crate::dialect::json::write_json;
use crate::dialect::{AnswerContext, Begun, Delta, Encoder};
use crate::error::Error;

/// Writes chunks. All that is the same in each is written once.
#[derive(Debug)]
pub(super) struct ChatEncoder {
    /// Up to the bracket that opens `choices`.
    head: Vec<u8>,
    /// When the request came, in seconds since 1970.
    created: u64,
    /// From the bracket that closes them.
    tail: &'static str,
    tells_usage: bool,
    tells_thoughts: bool,
    open: Open,
    /// How many calls have begun.
    calls: usize,
    /// How many entries of `reasoning_details` are finished.
    details: usize,
}

/// The part that is open.
#[derive(Debug)]
enum Open {
    /// A text or a refusal.
    Content,
    Thoughts {
        /// Whether there are any yet.
        are_told: bool,
    },
    Call {
        id: String,
        kind: ToolKind,
    },
}

/// What stands in place of a call's id on the mark on a text.
pub(super) const OF_CONTENT: &str = "content";

impl ChatEncoder {
    pub(super) fn new(context: &AnswerContext) -> Self {
        let request = &context.request;
        Self {
            head: head(&answer_id(context), context.created, &request.model),
            created: context.created,
            tail: if request.include_usage { "],\"usage\":null}\n\n" } else { "]}\n\n" },
            tells_usage: request.include_usage,
            tells_thoughts: request.reasoning.visible != Some(false),
            open: Open::Content,
            calls: 0,
            details: 0,
        }
    }

    /// A chunk whose choice is what `write` writes behind its index.
    fn choice(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{\"index\":0,\"delta\":{");
        write(out);
        out.push(b'}');
        out.extend_from_slice(self.tail.as_bytes());
    }

    /// A chunk whose delta has what `write` writes.
    fn chunk(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.choice(out, |out| {
            write(out);
            out.extend_from_slice(b"},\"finish_reason\":null");
        });
    }

    /// A piece of what the open call is called with.
    fn arguments(&self, piece: &str, out: &mut Vec<u8>) {
        let Open::Call { kind, .. } = &self.open else { return };
        let (kind, name) = words_of(*kind);
        let index = self.calls.saturating_sub(1);
        self.chunk(out, |out| {
            text(format_args!("\"tool_calls\":[{{\"index\":{index},\"{kind}\":{{"), out);
            field(name, piece, out);
            out.extend_from_slice(b"}}]");
        });
    }

    fn thoughts(&mut self, piece: &str, out: &mut Vec<u8>) {
        self.open = Open::Thoughts { are_told: true };
        // What is to be sent back is in the details, as OpenRouter has it; whoever shows thoughts shows one of the two.
        self.chunk(out, |out| {
            field("reasoning_content", piece, out);
            out.extend_from_slice(b",\"reasoning_details\":[{\"type\":\"reasoning.text\",");
            field("text", piece, out);
            text(format_args!(",\"index\":{}}}]", self.details), out);
        });
    }

    /// The mark on the open part. That on a call or a text is an entry of its own, which says what it is on.
    fn seal(&mut self, token: &str, out: &mut Vec<u8>) {
        let (is_signature, id) = match &self.open {
            Open::Thoughts { .. } if !self.tells_thoughts => return,
            Open::Thoughts { are_told } => (*are_told, None),
            Open::Content => (false, Some(OF_CONTENT)),
            Open::Call { id, .. } => (false, Some(&**id)),
        };
        let (kind, name) = if is_signature { ("text", "signature") } else { ("encrypted", "data") };
        self.chunk(out, |out| {
            text(format_args!("\"reasoning_details\":[{{\"type\":\"reasoning.{kind}\","), out);
            field(name, token, out);
            if let Some(id) = id {
                out.push(b',');
                field("id", id, out);
            }
            text(format_args!(",\"index\":{}}}]", self.details), out);
        });
        if !matches!(self.open, Open::Thoughts { .. }) {
            self.details += 1;
        }
    }
}

impl Encoder for ChatEncoder {
    fn take_over(&mut self, begun: &Begun<'_>) {
        let Begun { answer, open } = begun;
        let known = |text: &Option<String>| text.clone().unwrap_or_default();
        self.head = head(&known(&answer.id), answer.created.unwrap_or(self.created), &known(&answer.model));
        let parts = answer.parts.iter().chain(*open);
        self.details = parts.filter(|part| matches!(part, Part::Reasoning { .. })).count();
    }

    fn start(&mut self, _: &ChatAnswer, out: &mut Vec<u8>) {
        self.chunk(out, |out| out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\",\"refusal\":null"));
    }

    fn open(&mut self, part: &Part, out: &mut Vec<u8>) {
        self.open = match part {
            Part::Reasoning { .. } => Open::Thoughts { are_told: false },
            Part::ToolCall(call) => Open::Call { id: call.id.clone(), kind: call.kind },
            _ => Open::Content,
        };
        let Part::ToolCall(call) = part else { return };
        let (index, (kind, arguments)) = (self.calls, words_of(call.kind));
        self.calls += 1;
        self.chunk(out, |out| {
            text(format_args!("\"tool_calls\":[{{\"index\":{index},"), out);
            field("id", &call.id, out);
            text(format_args!(",\"type\":\"{kind}\",\"{kind}\":{{"), out);
            field("name", &call.name, out);
            text(format_args!(",\"{arguments}\":\"\"}}}}]"), out);
        });
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text { text, logprobs: [] } => self.chunk(out, |out| field("content", text, out)),
            Delta::Text { text, logprobs } => self.choice(out, |out| {
                field("content", text, out);
                out.extend_from_slice(b"},\"logprobs\":{\"content\":");
                write_json(&notes::told(logprobs), out);
                out.extend_from_slice(b",\"refusal\":null},\"finish_reason\":null");
            }),
            Delta::Refusal(text) => self.chunk(out, |out| field("refusal", text, out)),
            Delta::Reasoning(text) if self.tells_thoughts => self.thoughts(text, out),
            Delta::Reasoning(_) => {}
            Delta::Arguments(piece) => self.arguments(piece, out),
            Delta::Seal(seal) => self.seal(&seal.token(), out),
            // Clients that gather deltas can take annotations only once: they are told at the end.
            Delta::Annotation(_) => {}
        }
    }

    fn close(&mut self, part: &Part, out: &mut Vec<u8>) {
        match part {
            // Clients parse the arguments, and nothing is no JSON.
            Part::ToolCall(call) if call.kind == ToolKind::Function && call.arguments.is_empty() => {
                self.arguments("{}", out);
            }
            Part::Reasoning { .. } => self.details += 1,
            _ => {}
        }
    }

    fn finish(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) {
        let annotations = notes::all_annotations(&answer.parts);
        if !annotations.is_empty() {
            self.chunk(out, |out| {
                out.extend_from_slice(b"\"annotations\":");
                write_json(&annotations, out);
            });
        }
        if let Some(explanation) = refusal_of(answer) {
            self.chunk(out, |out| field("refusal", explanation, out));
        }
        let finish = answer.finish.as_ref();
        self.choice(out, |out| {
            let word = finish.map_or("stop", |finish| finish::word_of(finish.reason));
            text(format_args!("}},\"finish_reason\":\"{word}\""), out);
            if let Some(native) = finish.and_then(|finish| finish.native.as_deref()) {
                out.extend_from_slice(b",\"native_finish_reason\":");
                write_json(native, out);
            }
        });
        if let Some(usage) = answer.usage.as_ref().filter(|_| self.tells_usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"],\"usage\":");
            write_json(&notes::usage(usage), out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(&error::frame(error));
    }
}

/// All that is the same in each chunk, up to its choices.
fn head(id: &str, created: u64, model: &str) -> Vec<u8> {
    let mut head = b"data: {\"id\":".to_vec();
    write_json(id, &mut head);
    head.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
    write_json(&created, &mut head);
    head.extend_from_slice(b",\"model\":");
    write_json(model, &mut head);
    head.extend_from_slice(b",\"choices\":[");
    head
}

/// What the client knows the answer by.
pub(super) fn answer_id(context: &AnswerContext) -> String {
    format!("chatcmpl-{}", context.id)
}

/// The fields that a call of `kind` has what it is in, and what it is called with.
pub(super) fn words_of(kind: ToolKind) -> (&'static str, &'static str) {
    match kind {
        ToolKind::Function => ("function", "arguments"),
        ToolKind::Custom => ("custom", "input"),
    }
}

/// Why the model refused, where it said nothing else.
pub(super) fn refusal_of(answer: &ChatAnswer) -> Option<&str> {
    let Finish { reason: FinishReason::Refusal, explanation, .. } = answer.finish.as_ref()? else { return None };
    let speaks = answer.parts.iter().any(|part| matches!(part, Part::Text(_) | Part::Refusal(_)));
    explanation.as_deref().filter(|_| !speaks)
}

/// A field whose value is a string.
fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    text(format_args!("\"{name}\":"), out);
    write_json(value, out);
}

fn text(text: Arguments<'_>, out: &mut Vec<u8>) {
    out.write_fmt(text).expect("memory takes it");
}
