//! Nothing that comes from outside makes a translation panic, however it has been mangled.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sluicegate::canonical::{ChatRequest, Losses};
use sluicegate::dialect::{self, AnswerContext, Dialect, Quirks, Recipient, Shape, Transcoder, transcoder};

use crate::support::{Fate, Recording};

/// Mangled copies of each recording.
const COPIES: usize = 12;

fn context(request: ChatRequest) -> AnswerContext {
    AnswerContext {
        id: "0123456789abcdefghijklmn".to_owned(),
        created: 1_700_000_000,
        created_nanos: 7,
        request: Arc::new(request),
        shape: Shape::Chat,
        elapsed: Duration::from_millis(5),
    }
}

/// `bytes` with some of them changed, left out or said twice.
fn mangled(bytes: &[u8], fate: &mut Fate) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=fate.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = fate.below(bytes.len());
        let end = bytes.len().min(at + 1 + fate.below(40));
        match fate.below(4) {
            0 => bytes[at] = b"\"{}[],:0\\n\r\xff"[fate.below(12)],
            1 => drop(bytes.drain(at..end)),
            2 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => bytes.truncate(end),
        }
    }
    bytes
}

/// A value of another kind in some place of `value`, which stays JSON.
fn retyped(value: &mut Value, fate: &mut Fate) {
    match value {
        Value::Array(values) if !values.is_empty() && fate.below(8) > 0 => {
            let at = fate.below(values.len());
            retyped(&mut values[at], fate);
        }
        Value::Object(members) if !members.is_empty() && fate.below(8) > 0 => {
            let at = fate.below(members.len());
            retyped(members.values_mut().nth(at).unwrap(), fate);
        }
        value => {
            let others = serde_json::json!([null, true, -1, 1e300, "", "text", [], [[]], {}, {"type": 7}]);
            *value = others[fate.below(10)].clone();
        }
    }
}

fn ask_everyone(from: &dyn Dialect, body: &[u8]) {
    for shape in [Shape::Chat, Shape::Completion, Shape::Array] {
        let Ok(request) = from.decode_request(shape, body) else { continue };
        let name = |field| from.param(field);
        for to in dialect::ALL {
            for model in ["m", "claude-sonnet-4-6", "gemini-3-pro"] {
                let recipient = Recipient { model, provider: "p", quirks: &Quirks::NONE };
                let asked = to.encode_request(&request, &recipient, &mut Losses::new(&name));
                assert!(serde_json::from_slice::<Value>(&asked).is_ok(), "{}: no JSON: {asked:?}", to.name());
            }
        }
    }
}

#[test]
fn a_mangled_request_is_refused_or_asked_as_json() {
    let mut fate = Fate::new(7);
    for recording in Recording::all().into_iter().filter(|recording| recording.request.is_some()) {
        let body = recording.request();
        // The longest is a quarter of a megabyte of prose.
        if body.len() > 50_000 {
            continue;
        }
        let dialect = dialect::find(&recording.dialect).unwrap();
        for _ in 0..COPIES {
            ask_everyone(dialect, &mangled(&body, &mut fate));
            let mut value = serde_json::from_slice(&body).unwrap();
            retyped(&mut value, &mut fate);
            ask_everyone(dialect, value.to_string().as_bytes());
        }
    }
}

#[test]
fn a_mangled_stream_is_told_and_ended_or_failed() {
    let mut fate = Fate::new(11);
    for from in dialect::ALL {
        for recording in Recording::streams(from.name()) {
            let stream = recording.response();
            if stream.len() > 50_000 {
                continue;
            }
            for _ in 0..COPIES / 4 {
                let stream = mangled(&stream, &mut fate);
                for to in dialect::ALL {
                    let mut transcoder = Transcoder::new(*from, "p", *to, &context(ChatRequest::default()));
                    transcoder.push(&stream, Duration::from_millis(1));
                    transcoder.finish(Duration::from_millis(2));
                }
            }
        }
    }
}

#[test]
fn a_mangled_answer_is_told_or_refused() {
    let mut fate = Fate::new(13);
    for recording in Recording::all().into_iter().filter(|recording| recording.file.ends_with(".json")) {
        let from = dialect::find(&recording.dialect).unwrap();
        let Ok(answer) = serde_json::from_slice::<Value>(&recording.response()) else { continue };
        for _ in 0..COPIES * 4 {
            let mut answer = answer.clone();
            retyped(&mut answer, &mut fate);
            let Ok((told, _)) = transcoder::read_answer(from, "p", "id", answer.to_string().as_bytes()) else {
                continue;
            };
            for to in dialect::ALL {
                let body = to.encode_answer(&told, &context(ChatRequest::default()));
                assert!(serde_json::from_slice::<Value>(&body).is_ok(), "{}: no JSON: {body:?}", to.name());
            }
        }
    }
}
