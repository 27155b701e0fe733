//! Writes streams and answers for clients.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::{error, finish, grounding, logprobs};
use crate::canonical::{ChatAnswer, Logprob, Part, Seal, ToolCall, ToolKind};
use crate::dialect::json::write_json;
use crate::dialect::{AnswerContext, Begun, Delta, Encoder};
use crate::error::Error;

const BEGIN: &[u8] = br#"{"candidates":[{"content":{"parts":["#;
const CONTENT_END: &[u8] = br#"],"role":"model"}"#;
const CANDIDATE_END: &[u8] = br#","index":0}]"#;

/// Writes a whole answer.
pub(super) fn encode_answer(answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
    let shows_thoughts = shows_thoughts(context);
    let mut told = Vec::new();
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for part in &answer.parts {
        let mut out = Vec::new();
        match part {
            Part::Text(text) => {
                write_text(&text.text, false, text.seal.as_ref(), &mut out);
                told.extend_from_slice(&text.logprobs);
            }
            Part::Refusal(text) => write_text(text, false, None, &mut out),
            Part::Reasoning { text, seal } if shows_thoughts || seal.is_some() => {
                write_text(if shows_thoughts { text } else { "" }, true, seal.as_ref(), &mut out);
            }
            Part::ToolCall(call) => write_call(call, &mut out),
            _ => {}
        }
        parts.push(out);
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        // Google's SDKs take a content without parts for none.
        parts.push(br#"{"text":""}"#.to_vec());
    }
    let mut out = BEGIN.to_vec();
    out.extend(parts.join(&b','));
    out.extend_from_slice(CONTENT_END);
    write_end(answer, &mut out);
    write_logprobs(&told, &mut out);
    out.extend_from_slice(CANDIDATE_END);
    write_usage(answer, &mut out);
    out.extend_from_slice(&tail(model(answer, context), &context.id));
    out.into()
}

/// Whether the client wants to be told thoughts. Gemini tells none unless asked.
fn shows_thoughts(context: &AnswerContext) -> bool {
    context.request.reasoning.visible == Some(true)
}

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Writer {
    context: AnswerContext,
    /// What is in every chunk behind its candidates.
    tail: Vec<u8>,
    shows_thoughts: bool,
    /// The open part is thoughts.
    is_thinking: bool,
    /// The open part is a call, which is told as a whole when it is closed.
    is_calling: bool,
}

impl Writer {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            context: context.clone(),
            tail: Vec::new(),
            shows_thoughts: shows_thoughts(context),
            is_thinking: false,
            is_calling: false,
        }
    }

    /// Writes a chunk that brings the one part that `write` writes.
    fn chunk(&self, write: impl FnOnce(&mut Vec<u8>), logprobs: &[Logprob], out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(BEGIN);
        write(out);
        out.extend_from_slice(CONTENT_END);
        write_logprobs(logprobs, out);
        out.extend_from_slice(CANDIDATE_END);
        self.end(out);
    }

    fn end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.tail);
        out.extend_from_slice(b"\r\n\r\n");
    }
}

impl Encoder for Writer {
    fn take_over(&mut self, begun: &Begun<'_>) {
        let known = |text: &Option<String>| text.clone().unwrap_or_default();
        self.tail = tail(&known(&begun.answer.model), &known(&begun.answer.id));
    }

    fn start(&mut self, answer: &ChatAnswer, _out: &mut Vec<u8>) {
        self.tail = tail(model(answer, &self.context), &self.context.id);
    }

    fn open(&mut self, part: &Part, _out: &mut Vec<u8>) {
        self.is_thinking = matches!(part, Part::Reasoning { .. });
        self.is_calling = matches!(part, Part::ToolCall(_));
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        let is_thought = self.is_thinking;
        match delta {
            Delta::Text { text, logprobs } => self.chunk(|out| write_text(text, false, None, out), logprobs, out),
            Delta::Refusal(text) => self.chunk(|out| write_text(text, false, None, out), &[], out),
            Delta::Reasoning(text) if self.shows_thoughts => {
                self.chunk(|out| write_text(text, true, None, out), &[], out);
            }
            Delta::Seal(seal) if !self.is_calling => {
                self.chunk(|out| write_text("", is_thought, Some(seal), out), &[], out);
            }
            // A call is told when it is whole, a source when all is said.
            Delta::Reasoning(_) | Delta::Seal(_) | Delta::Arguments(_) | Delta::Annotation(_) => {}
        }
    }

    fn close(&mut self, part: &Part, out: &mut Vec<u8>) {
        let Part::ToolCall(call) = part else { return };
        let mut part = Vec::new();
        write_call(call, &mut part);
        if !part.is_empty() {
            self.chunk(|out| out.extend_from_slice(&part), &[], out);
        }
    }

    /// The last chunk brings an empty text, as Gemini's own does.
    fn finish(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(BEGIN);
        out.extend_from_slice(br#"{"text":""}"#);
        out.extend_from_slice(CONTENT_END);
        write_end(answer, out);
        out.extend_from_slice(CANDIDATE_END);
        write_usage(answer, out);
        self.end(out);
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(&error::frame(error));
    }
}

/// What the client calls the model that answers, or its upstream if the client did not call it anything.
fn model<'a>(answer: &'a ChatAnswer, context: &'a AnswerContext) -> &'a str {
    let asked = &context.request.model;
    if asked.is_empty() { answer.model.as_ref().unwrap_or(asked) } else { asked }
}

/// What ends every chunk: which model answered, and the answer's name.
fn tail(model: &str, id: &str) -> Vec<u8> {
    let mut tail = Vec::new();
    write_field(",\"modelVersion\":", model, &mut tail);
    write_field(",\"responseId\":", id, &mut tail);
    tail.push(b'}');
    tail
}

fn write_field(name: &str, value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    write_json(value, out);
}

fn write_text(text: &str, is_thought: bool, seal: Option<&Seal>, out: &mut Vec<u8>) {
    write_field("{\"text\":", text, out);
    if is_thought {
        out.extend_from_slice(b",\"thought\":true");
    }
    write_seal(seal, out);
    out.push(b'}');
}

/// Writes a call; nothing if its arguments are no object, as when the model was cut off in the middle of them.
fn write_call(call: &ToolCall, out: &mut Vec<u8>) {
    let text = json!({ "input": call.arguments }).to_string();
    let arguments = if call.kind == ToolKind::Custom { Some(&*text) } else { call.json_arguments() };
    let Some(arguments) = arguments else { return };
    write_field("{\"functionCall\":{\"id\":", &call.id, out);
    write_field(",\"name\":", &call.name, out);
    out.extend_from_slice(b",\"args\":");
    // Outside of strings a line break is white space to JSON; inside of them there is none.
    out.extend(arguments.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    out.push(b'}');
    write_seal(call.seal.as_ref(), out);
    out.push(b'}');
}

/// Google's SDKs take a mark for bytes in base64.
fn write_seal(seal: Option<&Seal>, out: &mut Vec<u8>) {
    if let Some(seal) = seal {
        write_field(",\"thoughtSignature\":", &STANDARD.encode(seal.token()), out);
    }
}

fn write_logprobs(told: &[Logprob], out: &mut Vec<u8>) {
    if !told.is_empty() {
        out.extend_from_slice(b",\"logprobsResult\":");
        logprobs::write(told, out);
    }
}

/// Why the model stopped, and where it has its facts from.
fn write_end(answer: &ChatAnswer, out: &mut Vec<u8>) {
    let end = finish::of(answer);
    write_field(",\"finishReason\":", end.word, out);
    if let Some(message) = end.message {
        write_field(",\"finishMessage\":", message, out);
    }
    if let Some(sources) = grounding::metadata(answer) {
        write_field(",\"groundingMetadata\":", &sources, out);
    }
}

fn write_usage(answer: &ChatAnswer, out: &mut Vec<u8>) {
    let Some(usage) = answer.usage else { return };
    write_field(",\"usageMetadata\":{\"promptTokenCount\":", &usage.input_tokens, out);
    let candidates = usage.output_tokens.saturating_sub(usage.reasoning_output_tokens);
    write_field(",\"candidatesTokenCount\":", &candidates, out);
    write_field(",\"totalTokenCount\":", &usage.input_tokens.saturating_add(usage.output_tokens), out);
    if usage.cached_input_tokens > 0 {
        write_field(",\"cachedContentTokenCount\":", &usage.cached_input_tokens, out);
    }
    if usage.reasoning_output_tokens > 0 {
        write_field(",\"thoughtsTokenCount\":", &usage.reasoning_output_tokens, out);
    }
    out.push(b'}');
}
