//! Recordings, and what the tests read them with.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::OpenAiResponses;
use crate::canonical::{ChatAnswer, ChatRequest, Part, Seal};
use crate::dialect::{AnswerContext, Delta, Dialect, Encoder, Sequencer, Shape, Translate};
use crate::error::Error;
use crate::framing::Framing;

macro_rules! recording {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/fixtures/openai-responses/", $name))
    };
}
pub(super) use recording;

macro_rules! recordings {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("../../../../tests/fixtures/openai-responses/", $name, ".sse")))),+] };
}

/// Every recorded stream that ends well.
pub(super) const STREAMS: &[(&str, &str)] = recordings![
    "azure-text",
    "background-resume-starting-after-0",
    "background-stream",
    "bedrock-mantle-reasoning-text",
    "bedrock-mantle-reused-call-ids",
    "client-tool-search",
    "compaction-item",
    "copilot-item-id-rotation",
    "deepseek-function-tool",
    "file-search",
    "function-call",
    "gpt54-long-text",
    "gpt5nano-tool-noargs",
    "llm-cli-basic",
    "llm-cli-tool-use",
    "mcp-approval-emoji",
    "moderation",
    "native-tool-search-namespace",
    "openrouter-image-prompt",
    "openrouter-tool-calls",
    "pdf-input-file",
    "reasoning-code-interpreter",
    "reasoning-encrypted-content",
    "text-after-tool",
    "web-search",
    "web-search-annotations-2",
];

/// The frames of `stream`.
pub(super) fn frames(stream: &str) -> impl Iterator<Item = &str> {
    Framing::EventStream.frames(stream.as_bytes()).map(|frame| str::from_utf8(frame).unwrap())
}

/// The data of the events of `stream`, as JSON.
pub(super) fn events(stream: &str) -> Vec<Value> {
    let data = Framing::EventStream.events(stream.as_bytes()).filter_map(|event| event.data);
    data.filter(|data| **data != *b"[DONE]").map(|data| serde_json::from_slice(&data).unwrap()).collect()
}

/// The response in the last event of `stream`.
pub(super) fn last_response(stream: &str) -> Value {
    events(stream).pop().unwrap()["response"].take()
}

/// What `stream` of the provider `cloud` says, and the kinds of what no client can be told.
pub(super) fn decode(stream: &str) -> (ChatAnswer, Vec<String>) {
    let mut sequencer = sequencer();
    let (mut decoder, mut out) = (OpenAiResponses.decoder(), Vec::new());
    for event in Framing::EventStream.events(stream.as_bytes()) {
        let Some(data) = event.data.as_deref() else { continue };
        decoder.decode(&event, str::from_utf8(data).unwrap(), &mut |event| sequencer.take(event, &mut out));
    }
    decoder.finish(&mut |event| sequencer.take(event, &mut out));
    finish(sequencer)
}

/// What `body`, an answer of the provider `cloud` that did not stream, says.
pub(super) fn decode_answer(body: &Value) -> (ChatAnswer, Vec<String>) {
    let (mut sequencer, mut out) = (sequencer(), Vec::new());
    let body = body.to_string();
    OpenAiResponses.decode_answer(body.as_bytes(), &mut |event| sequencer.take(event, &mut out)).unwrap();
    finish(sequencer)
}

fn sequencer() -> Sequencer {
    Sequencer::new(Box::new(Silent), OpenAiResponses.name(), "cloud".to_owned(), "answer".to_owned())
}

fn finish(mut sequencer: Sequencer) -> (ChatAnswer, Vec<String>) {
    sequencer.finish(&mut Vec::new());
    let unmapped = sequencer.unmapped().to_vec();
    (sequencer.into_answer(), unmapped)
}

/// A seal of `data` by the provider `cloud`, which speaks this dialect.
pub(super) fn own_seal(data: &str) -> Seal {
    Seal { dialect: "openai-responses".to_owned(), provider: "cloud".to_owned(), data: data.to_owned() }
}

/// A seal of Gemini's.
pub(super) fn foreign_seal() -> Seal {
    Seal { dialect: "gemini".to_owned(), provider: "google".to_owned(), data: "thought".to_owned() }
}

pub(super) fn context(request: ChatRequest) -> AnswerContext {
    AnswerContext {
        id: "ID".to_owned(),
        created: 1_700_000_000,
        created_nanos: 0,
        request: Arc::new(request),
        shape: Shape::Chat,
        elapsed: Duration::from_secs(3),
    }
}

pub(super) fn request(body: &str) -> ChatRequest {
    OpenAiResponses.decode_request(Shape::Chat, body.as_bytes()).unwrap()
}

struct Silent;

impl Encoder for Silent {
    fn start(&mut self, _: &ChatAnswer, _: &mut Vec<u8>) {}
    fn open(&mut self, _: &Part, _: &mut Vec<u8>) {}
    fn delta(&mut self, _: Delta<'_>, _: &mut Vec<u8>) {}
    fn close(&mut self, _: &Part, _: &mut Vec<u8>) {}
    fn finish(&mut self, _: &ChatAnswer, _: &mut Vec<u8>) {}
    fn fail(&mut self, _: &Error, _: &mut Vec<u8>) {}
}
