//! Responses that are made in the background and fetched later.
//!
//! An upstream that cannot do so streams the response like any other; its events are entered into a [`Ledger`], whose copy of
//! them is what clients see: one name for the response, and numbers without a gap.
//!
//! <https://platform.openai.com/docs/guides/background>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{encode, error};
use crate::canonical::ChatRequest;
use crate::dialect::request::{self, Malformed};
use crate::dialect::{AnswerContext, Shape};
use crate::error::Error;
use crate::framing::{Framing, sse};

/// What stands before the name of a response.
pub const PREFIX: &str = "resp_";

/// Whether `body` asks for a response in the background.
pub(super) fn is_asked_for(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        background: Option<&'a RawValue>,
    }
    // Few do, and bodies may be long.
    let is_named = memchr::memmem::find(body, b"\"background\"").is_some();
    let wire = is_named.then(|| serde_json::from_slice::<Wire<'_>>(body).ok()).flatten();
    wire.and_then(|wire| wire.background).is_some_and(|value| value.get() == "true")
}

/// `body`, a request for a response in the background, as the request for a stream of it.
///
/// # Errors
///
/// [`Malformed`] if the response is not to be kept: then nobody could fetch it.
pub fn in_foreground(body: &[u8]) -> Result<Bytes, Malformed> {
    let mut fields: Map<String, Value> = request::read(body)?;
    if fields.get("store") == Some(&Value::Bool(false)) {
        return Err(Malformed {
            message: "`background` needs `store`: a response that is not kept cannot be fetched.".to_owned(),
            param: Some("store"),
        });
    }
    // It is kept here: its upstream need not.
    for name in ["background", "store"] {
        fields.shift_remove(name);
    }
    fields.insert("stream".to_owned(), Value::Bool(true));
    Ok(Value::Object(fields).to_string().into())
}

/// Writes down the events of one response. See the [module documentation](self).
#[derive(Debug)]
pub struct Ledger {
    /// The response before anything has been done about it.
    queued: Value,
    /// The number of the event that comes next.
    next: u64,
}

impl Ledger {
    /// The ledger of a response to `request` called `name`, asked for `created` seconds after 1970.
    pub fn new(name: &str, created: u64, request: Arc<ChatRequest>) -> Self {
        let (shape, elapsed) = (Shape::Chat, Duration::ZERO);
        let context = AnswerContext { id: name.to_owned(), created, created_nanos: 0, request, shape, elapsed };
        let mut queued: Value = serde_json::from_slice(&encode::queued(&context)).unwrap_or_default();
        for (field, value) in [("background", json!(true)), ("store", json!(true))] {
            queued[field] = value;
        }
        Self { queued, next: 0 }
    }

    /// The response before anything has been done about it.
    pub fn queued(&self) -> &Value {
        &self.queued
    }

    /// What stands at the beginning, before the upstream has said anything.
    pub fn begin(&mut self) -> Bytes {
        let response = self.queued.clone();
        let mut out = self.write("response.created", json!({ "response": response }));
        out.extend(self.write("response.queued", json!({ "response": response })));
        out.into()
    }

    /// Takes a run of whole frames of the upstream's, and returns what is entered.
    pub fn enter(&mut self, run: &[u8]) -> Bytes {
        let mut out = Vec::new();
        for frame in Framing::EventStream.frames(sse::strip_bom(run)) {
            let event = sse::Event::parse(frame);
            let Some(data) = event.data.as_deref() else { continue };
            let Ok(Value::Object(mut fields)) = serde_json::from_slice(data) else {
                // Such as `[DONE]`. It has a place among the others, if no number.
                out.extend_from_slice(frame);
                self.next += 1;
                continue;
            };
            let name = event.event.and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
            let kind = fields.get("type").and_then(Value::as_str).unwrap_or(name).to_owned();
            // These have been told.
            if kind == "response.created" || kind == "response.queued" {
                continue;
            }
            if let Some(Value::Object(response)) = fields.get_mut("response") {
                for field in ["id", "created_at", "background", "store"] {
                    response.insert(field.to_owned(), self.queued[field].clone());
                }
            }
            out.extend(self.write(&kind, Value::Object(fields)));
        }
        out.into()
    }

    /// An event of `kind`, if that is known, with its number.
    fn write(&mut self, kind: &str, mut event: Value) -> Vec<u8> {
        if !kind.is_empty() {
            event["type"] = kind.into();
        }
        event["sequence_number"] = self.next.into();
        self.next += 1;
        // What stands in a line of its own must fit one.
        let is_name = !kind.is_empty() && !kind.contains(char::is_control);
        sse::write_json(is_name.then_some(kind), event.to_string().as_bytes()).into()
    }
}

/// The place of the event with the number `sequence_number` in a ledger, counted from one.
pub fn place_of(sequence_number: u64) -> u64 {
    sequence_number.saturating_add(1)
}

/// The response as the last event in `run` tells it that tells all of it; with `is_final`, that ends it.
pub fn told_in(run: &[u8], is_final: bool) -> Option<Value> {
    const ENDS: [&str; 3] = ["response.completed", "response.incomplete", "response.failed"];
    let events =
        Framing::EventStream.events(run).filter_map(|event| serde_json::from_slice::<Value>(&event.data?).ok());
    let whole = events.filter(|event| event["response"].is_object());
    let last =
        whole.filter(|event| !is_final || event["type"].as_str().is_some_and(|kind| ENDS.contains(&kind))).last();
    last.map(|mut event| event["response"].take())
}

/// `response`, which has come to `status`.
#[must_use]
pub fn with_status(mut response: Value, status: &str) -> Value {
    response["status"] = status.into();
    response
}

/// `response`, which has failed with `error`.
#[must_use]
pub fn failed(response: Value, error: &Error) -> Value {
    let mut response = with_status(response, "failed");
    response["error"] = error::of_response(error);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_body_that_says_so_asks_for_the_background() {
        assert!(is_asked_for(br#"{"model":"m","background" : true}"#));
        for body in
            [r#"{"background":false}"#, r#"{"background":null}"#, r#"{"input":"\"background\": true"}"#, "{", "[]"]
        {
            assert!(!is_asked_for(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn in_the_foreground_it_is_a_request_for_a_stream_with_all_else_it_had() {
        let body =
            in_foreground(br#"{"model":"m","background":true,"store":true,"stream":false,"new":{"a":[1]}}"#).unwrap();
        assert_eq!(body, &br#"{"model":"m","stream":true,"new":{"a":[1]}}"#[..]);
        assert_eq!(in_foreground(br#"{"background":true,"store":false}"#).unwrap_err().param, Some("store"));
    }

    fn ledger() -> Ledger {
        let request = ChatRequest { model: "m".to_owned(), ..ChatRequest::default() };
        Ledger::new("0a", 1_700_000_000, Arc::new(request))
    }

    #[test]
    fn the_response_has_one_name_and_its_events_numbers_without_a_gap() {
        let mut ledger = ledger();
        let run = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_theirs\"}}\n\n\
                   event: response.output_text.delta\ndata: {\"delta\":\"a\",\"sequence_number\":7}\n\n: comment\n\n\
                   data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_theirs\",\"status\":\"completed\"}}\n\n\
                   data: [DONE]\n\n";
        let told = [ledger.begin(), ledger.enter(run.as_bytes())].concat();
        let events: Vec<Value> =
            Framing::EventStream.events(&told).filter_map(|event| serde_json::from_slice(&event.data?).ok()).collect();
        let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["response.created", "response.queued", "response.output_text.delta", "response.completed"]);
        for (number, event) in (0..).zip(&events) {
            assert_eq!(event["sequence_number"], number);
        }
        let response = told_in(&told, true).unwrap();
        assert_eq!((&response["id"], &response["background"]), (&json!("resp_0a"), &json!(true)));
        assert_eq!((&response["status"], &response["store"]), (&json!("completed"), &json!(true)));
        assert!(told.ends_with(b"data: [DONE]\n\n"));
    }

    #[test]
    fn no_event_s_kind_says_more_than_a_kind() {
        let mut ledger = ledger();
        let told = ledger.enter(b"data: {\"type\":\"a\\n\\ndata: [DONE]\"}\n\ndata: {\"x\":1}\n\n");
        let told = str::from_utf8(&told).unwrap();
        assert_eq!(Framing::EventStream.frames(told.as_bytes()).count(), 2, "{told}");
        assert!(told.ends_with("data: {\"x\":1,\"sequence_number\":1}\n\n"), "{told}");
    }

    #[test]
    fn a_response_stands_as_its_last_event_says() {
        let mut ledger = ledger();
        let told = ledger.begin();
        assert_eq!(told_in(&told, false).unwrap()["status"], "queued");
        assert_eq!(told_in(&told, true), None);
        let error = Error::StreamStopped { why: "it was deleted" };
        assert_eq!(failed(ledger.queued().clone(), &error)["error"]["code"], "server_error");
    }
}
