//! Translation, held against what providers really sent.

mod answers;
mod asked;
mod asking;
mod recordings;
mod streams;
mod variants;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::OpenAiChat;
use crate::canonical::{ChatAnswer, ChatRequest, Part};
use crate::dialect::transcoder::read_answer;
use crate::dialect::{AnswerContext, Delta, Dialect, Encoder, Sequencer, Shape, Transcoder, Translate};
use crate::error::Error;

/// A recorded file of this dialect.
fn recording(name: &str) -> String {
    let path = format!("{}/tests/fixtures/openai-chat/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a stream says, and what of it has no place.
fn read_stream(stream: &str) -> (ChatAnswer, Vec<String>) {
    let told = Arc::new(Mutex::new(None));
    let encoder = Box::new(Keep(Arc::clone(&told)));
    let mut sequencer = Sequencer::new(encoder, OpenAiChat.name(), "p".to_owned(), "a".to_owned());
    let mut decoder = OpenAiChat.decoder();
    let mut out = Vec::new();
    for event in OpenAiChat.framing().events(stream.as_bytes()) {
        let Some(data) = event.data.as_deref() else { continue };
        decoder.decode(&event, std::str::from_utf8(data).unwrap(), &mut |event| sequencer.take(event, &mut out));
    }
    decoder.finish(&mut |event| sequencer.take(event, &mut out));
    sequencer.finish(&mut out);
    let unmapped = sequencer.unmapped().to_vec();
    (told.lock().unwrap().take().unwrap(), unmapped)
}

/// What chunks say that have these choices.
fn read_choices(choices: &[&str]) -> ChatAnswer {
    let chunk = |choice: &&str| format!("data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{choice}]}}\n\n");
    read_stream(&choices.iter().map(chunk).collect::<String>()).0
}

/// What chunks say that have these deltas.
fn read_deltas(deltas: &[&str]) -> ChatAnswer {
    let choices: Vec<String> = deltas.iter().map(|delta| format!("{{\"index\":0,\"delta\":{delta}}}")).collect();
    read_choices(&choices.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What an answer says that did not stream.
fn read_whole(body: &str) -> ChatAnswer {
    read_answer(&OpenAiChat, "p", "a", body.as_bytes()).unwrap().0
}

/// Keeps the whole answer.
struct Keep(Arc<Mutex<Option<ChatAnswer>>>);

impl Encoder for Keep {
    fn start(&mut self, _: &ChatAnswer, _: &mut Vec<u8>) {}
    fn open(&mut self, _: &Part, _: &mut Vec<u8>) {}
    fn delta(&mut self, _: Delta<'_>, _: &mut Vec<u8>) {}
    fn close(&mut self, _: &Part, _: &mut Vec<u8>) {}
    fn finish(&mut self, answer: &ChatAnswer, _: &mut Vec<u8>) {
        *self.0.lock().unwrap() = Some(answer.clone());
    }
    fn fail(&mut self, _: &Error, _: &mut Vec<u8>) {}
}

fn context(request: ChatRequest) -> AnswerContext {
    AnswerContext {
        id: "0123456789abcdefghijklmn".to_owned(),
        created: 1_700_000_000,
        created_nanos: 0,
        request: Arc::new(request),
        shape: Shape::Chat,
        elapsed: Duration::ZERO,
    }
}

fn request() -> ChatRequest {
    ChatRequest { model: "asked/for".to_owned(), include_usage: true, ..ChatRequest::default() }
}

/// `stream`, written anew for a client of this dialect.
fn rewrite(stream: &str, request: ChatRequest) -> String {
    let mut transcoder = Transcoder::new(&OpenAiChat, "p", &OpenAiChat, &context(request));
    let mut out = transcoder.push(stream.as_bytes(), Duration::ZERO).to_vec();
    out.extend_from_slice(&transcoder.finish(Duration::ZERO));
    String::from_utf8(out).unwrap()
}

/// The chunks of a stream of ours, each of which must be one line of JSON.
fn chunks(stream: &str) -> Vec<Value> {
    let frames = stream.strip_suffix("data: [DONE]\n\n").expect("a stream that is whole ends so");
    let frames = frames.split_terminator("\n\n").map(|frame| frame.strip_prefix("data: ").unwrap());
    frames.map(|data| serde_json::from_str(data).unwrap()).collect()
}
