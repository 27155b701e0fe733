//! What Anthropic's events and requests say, and how they are written.

mod decode;
mod decode_request;
mod encode;
mod encode_request;
mod history;
mod observe;
mod stream;
mod thinking;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::canonical::{ChatAnswer, ChatRequest, Field, Loss, Losses, Seal, Weight};
use crate::dialect::{AnswerContext, Anthropic, Quirks, Recipient, Sequencer, Shape, Translate};
use crate::framing::Framing;

/// What a provider has been recorded to send.
macro_rules! recording {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/anthropic/", $name))
    };
}
use recording;

fn context() -> AnswerContext {
    AnswerContext {
        id: "A1".to_owned(),
        created: 0,
        created_nanos: 0,
        request: Arc::new(ChatRequest { model: "theirs".to_owned(), ..ChatRequest::default() }),
        shape: Shape::Chat,
        elapsed: Duration::ZERO,
    }
}

/// Anthropic's mark, as it is told of a stream of the provider `claude`.
fn seal(data: &str) -> Seal {
    Seal { dialect: "anthropic".to_owned(), provider: "claude".to_owned(), data: data.to_owned() }
}

/// All that a stream says, and the kinds of what it says and no client can be told.
fn read(stream: &str) -> (ChatAnswer, Vec<String>) {
    let mut sequencer = sequencer();
    let (mut decoder, mut out) = (Anthropic.decoder(), Vec::new());
    for event in Framing::EventStream.events(stream.as_bytes()) {
        if let Some(data) = event.data.as_deref() {
            let data = str::from_utf8(data).unwrap();
            decoder.decode(&event, data, &mut |event| sequencer.take(event, &mut out));
        }
    }
    decoder.finish(&mut |event| sequencer.take(event, &mut out));
    sequencer.finish(&mut out);
    let unmapped = sequencer.unmapped().to_vec();
    (sequencer.into_answer(), unmapped)
}

/// All that a message says that did not stream.
fn read_answer(message: &Value) -> (ChatAnswer, Vec<String>) {
    let (mut sequencer, mut out) = (sequencer(), Vec::new());
    Anthropic.decode_answer(message.to_string().as_bytes(), &mut |event| sequencer.take(event, &mut out)).unwrap();
    sequencer.finish(&mut out);
    let unmapped = sequencer.unmapped().to_vec();
    (sequencer.into_answer(), unmapped)
}

fn sequencer() -> Sequencer {
    Sequencer::new(Anthropic.encoder(&context()), "anthropic", "claude".to_owned(), "A1".to_owned())
}

fn decode_request(request: &Value) -> ChatRequest {
    Anthropic.decode_request(Shape::Chat, request.to_string().as_bytes()).unwrap()
}

/// `request` as it is written for `model` of the provider `claude`, and what is lost.
fn encode_for(model: &str, request: &ChatRequest) -> (Value, Vec<Loss>) {
    let name = |field: Field| Anthropic.param(field);
    let mut losses = Losses::new(&name);
    let to = Recipient { model, provider: "claude", quirks: &Quirks::NONE };
    let body = Anthropic.encode_request(request, &to, &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses.into_list())
}

/// What is lost, without the reasons.
fn lost(losses: &[Loss]) -> Vec<(&str, Weight)> {
    losses.iter().map(|loss| (&*loss.param, loss.weight)).collect()
}

/// The smallest request there is, with `more` fields.
fn request_with(more: &Value) -> Value {
    let mut request = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hi" }] });
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}
