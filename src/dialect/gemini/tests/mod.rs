//! Recorded streams, answers and requests of Google's, and what is made of them. What is made of them is compared with what
//! they say, never with what another part of this dialect says.

mod array;
mod decode;
mod decode_request;
mod encode;
mod encode_request;
mod observe;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Gemini;
use crate::canonical::{ChatAnswer, ChatEvent, ChatRequest};
use crate::dialect::{AnswerContext, Dialect, Sequencer, Shape, Translate};
use crate::framing::Framing;

/// The recording called `name`.
fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/gemini/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Tells `take` what a stream says.
fn decode(stream: &str, take: &mut dyn FnMut(ChatEvent<'_>)) {
    let mut decoder = Gemini.decoder();
    for event in Framing::EventStream.events(stream.as_bytes()) {
        let data = String::from_utf8(event.data.as_deref().unwrap().to_vec()).unwrap();
        decoder.decode(&event, &data, take);
    }
    decoder.finish(take);
}

/// The events of a stream, written out.
fn events(stream: &str) -> Vec<String> {
    let mut events = Vec::new();
    decode(stream, &mut |event| events.push(format!("{event:?}")));
    events
}

/// The answer that a stream is.
fn answer(stream: &str) -> ChatAnswer {
    let mut sequencer = Sequencer::new(Gemini.encoder(&context("{}")), "gemini", "google".into(), "answer".into());
    let mut out = Vec::new();
    decode(stream, &mut |event| sequencer.take(event, &mut out));
    sequencer.finish(&mut out);
    sequencer.into_answer()
}

/// A stream of one chunk.
fn chunk(json: &str) -> String {
    format!("data: {json}\r\n\r\n")
}

/// What is known of a request with this `generationConfig`.
fn context(config: &str) -> AnswerContext {
    let request = format!(r#"{{"contents":[{{"parts":[{{"text":"x"}}]}}],"generationConfig":{config}}}"#);
    AnswerContext {
        id: "AAAAAAAAAAAAAAAAAAAAAAAA".into(),
        created: 1,
        created_nanos: 0,
        request: Arc::new(ChatRequest { model: "mine".into(), ..read(&request) }),
        shape: Shape::Chat,
        elapsed: Duration::ZERO,
    }
}

/// The request that `body` is.
fn read(body: &str) -> ChatRequest {
    Gemini.decode_request(Shape::Chat, body.as_bytes()).unwrap()
}

/// The objects in an event stream.
fn objects(stream: &[u8]) -> Vec<Value> {
    let data = |event: crate::framing::sse::Event<'_>| serde_json::from_slice(&event.data.unwrap()).unwrap();
    Framing::EventStream.events(stream).map(data).collect()
}

#[test]
fn it_is_known_by_its_paths_and_by_its_header() {
    let mut headers = http::HeaderMap::new();
    assert!(Gemini.owns("/v1beta/models/gemini-2.5-flash:generateContent") && !Gemini.owns("/v1/models"));
    assert!(!Gemini.marks(&headers));
    headers.insert("x-goog-api-key", "k".parse().unwrap());
    assert!(Gemini.marks(&headers));
    assert_eq!(crate::dialect::of_client("/v1beta/models", &http::HeaderMap::new()).name(), "gemini");
}
