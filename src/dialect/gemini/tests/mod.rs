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

macro_rules! recordings {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../tests/fixtures/gemini/", $name)))),+]
    };
}

/// Every recording, by its name.
const RECORDINGS: &[(&str, &str)] = recordings![
    "code-execution.request.json",
    "code-execution.sse",
    "error-400-api-key.json",
    "error-400-api-key.request.json",
    "error-429-quota-retryinfo.json",
    "error-429-quota-retryinfo.request.json",
    "file-search-grounding.request.json",
    "file-search-grounding.sse",
    "gemini3-text-signature-empty-text.sse",
    "gemini3-tool-calls.sse",
    "json-array-stream-schema.json",
    "json-array-stream-schema.request.json",
    "json-array-stream-tool-calls.json",
    "json-array-stream-tool-calls.request.json",
    "partial-args-missing-terminal.sse",
    "partial-args-nested-vertex.sse",
    "signature-on-text.request.json",
    "signature-on-text.sse",
    "structured-output-builtin-tools.request.json",
    "structured-output-builtin-tools.sse",
    "structured-output-with-tools-2.request.json",
    "structured-output-with-tools-2.sse",
    "text-after-signature.request.json",
    "text-after-signature.sse",
    "text-crlf.request.json",
    "text-crlf.sse",
    "thinking-long.request.json",
    "thinking-long.sse",
    "token-accounting-thoughts.request.json",
    "token-accounting-thoughts.sse",
    "tool-call-thought-signature.request.json",
    "tool-call-thought-signature.sse",
    "tool-call.request.json",
    "tool-call.sse",
    "url-context.request.json",
    "url-context.sse",
    "vertex-service-tier-flex.request.json",
    "vertex-service-tier-flex.sse",
    "vertex-tool-call.request.json",
    "vertex-tool-call.sse",
];

/// The recording called `name`.
fn fixture(name: &str) -> &'static str {
    RECORDINGS.iter().find(|(own, _)| *own == name).unwrap_or_else(|| panic!("no recording is called {name}")).1
}

/// The recordings whose names end like this.
fn recordings(end: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    RECORDINGS.iter().copied().filter(move |(name, _)| name.ends_with(end))
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
    let named = |path| crate::dialect::of_client(path, &http::HeaderMap::new()).name();
    assert_eq!(named("/v1beta/models"), "gemini");
    assert_eq!(named("/v1/models/provider/llama3:8b:streamGenerateContent"), "gemini");
    assert_eq!(named("/v1/models/provider/llama3:8b"), "openai-chat");
}
