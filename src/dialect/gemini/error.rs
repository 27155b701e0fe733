//! Errors in Google's shape.
//!
//! <https://ai.google.dev/gemini-api/docs/troubleshooting#error-codes>

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Serialize;
use serde_json::{Value, json};

use crate::dialect::upstream_error::own_words;
use crate::error::Error;

#[derive(Debug, Serialize)]
struct ErrorBody {
    error: ErrorObject,
}

#[derive(Debug, Serialize)]
struct ErrorObject {
    code: u16,
    message: String,
    status: &'static str,
    details: Vec<Value>,
}

pub(super) fn body(error: &Error) -> Bytes {
    if let Some(body) = own_words(error, is_in_shape) {
        return body;
    }
    let code = own_status(error.status());
    let details = retry_info(error).into_iter().collect();
    let body = ErrorBody { error: ErrorObject { code, message: error.to_string(), status: word_for(code), details } };
    Bytes::from(serde_json::to_vec(&body).expect("strings and numbers are JSON"))
}

/// When to ask again. Google's clients look for it here and not in the header field that says so.
fn retry_info(error: &Error) -> Option<Value> {
    let Error::UpstreamStatus { headers, .. } = error else { return None };
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s") }))
}

/// Google's SDKs raise on any event whose data begins with a top-level `error` that has a status for its `code`.
pub(super) fn frame(error: &Error) -> Bytes {
    let mut frame = b"data: ".to_vec();
    // An error in its own words may be spread over lines, and an event's data line may not. Outside of strings a line break
    // is white space to JSON; inside of them there is none.
    frame.extend(body(error).trim_ascii().iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    frame.extend_from_slice(b"\r\n\r\n");
    frame.into()
}

fn is_in_shape(body: &Value) -> bool {
    body["error"]["code"].is_u64() && body["error"]["status"].is_string()
}

/// Google knows no 529.
fn own_status(status: StatusCode) -> u16 {
    if status.as_u16() == 529 { 503 } else { status.as_u16() }
}

/// Google's words and the statuses they have. Where a status has several, the first is the one we say.
const WORDS: [(u16, &str); 16] = [
    (400, "INVALID_ARGUMENT"),
    (400, "FAILED_PRECONDITION"),
    (400, "OUT_OF_RANGE"),
    (401, "UNAUTHENTICATED"),
    (403, "PERMISSION_DENIED"),
    (404, "NOT_FOUND"),
    (409, "ABORTED"),
    (409, "ALREADY_EXISTS"),
    (429, "RESOURCE_EXHAUSTED"),
    (499, "CANCELLED"),
    (500, "INTERNAL"),
    (500, "UNKNOWN"),
    (500, "DATA_LOSS"),
    (501, "UNIMPLEMENTED"),
    (503, "UNAVAILABLE"),
    (504, "DEADLINE_EXCEEDED"),
];

pub(super) fn status_of(word: &str) -> Option<StatusCode> {
    let (status, _) = WORDS.iter().find(|(_, own)| *own == word)?;
    StatusCode::from_u16(*status).ok()
}

fn word_for(status: u16) -> &'static str {
    let own = WORDS.iter().find(|(own, _)| *own == status);
    match (status, own) {
        (_, Some((_, word))) => word,
        // Billing is a thing to be set up first.
        (402, None) => "FAILED_PRECONDITION",
        (408, None) => "DEADLINE_EXCEEDED",
        (400..500, None) => "INVALID_ARGUMENT",
        (_, None) => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(status: u16, body: &'static str) -> Error {
        Error::UpstreamStatus {
            provider: "p".into(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: Box::default(),
            body: Some(Bytes::from_static(body.as_bytes())),
            complaint: None,
            message: "words".into(),
        }
    }

    #[test]
    fn an_error_in_shape_is_told_in_its_own_words_and_any_other_in_ours() {
        let own = include_str!("../../../tests/fixtures/gemini/error-429-quota-retryinfo.json");
        assert_eq!(body(&upstream(429, own)), own);
        let foreign = body(&upstream(429, r#"{"error":{"message":"words","code":"slow"}}"#));
        assert_eq!(foreign, r#"{"error":{"code":429,"message":"words","status":"RESOURCE_EXHAUSTED","details":[]}}"#);
    }

    #[test]
    fn when_to_ask_again_is_told_where_google_tells_it() {
        let mut error = upstream(429, "{}");
        if let Error::UpstreamStatus { headers, .. } = &mut error {
            headers.insert(RETRY_AFTER, http::HeaderValue::from_static("7"));
        }
        let body: Value = serde_json::from_slice(&body(&error)).unwrap();
        let details = json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s" }]);
        assert_eq!(body["error"]["details"], details);
    }

    #[test]
    fn every_status_has_a_word() {
        for (status, word) in [
            (400, "INVALID_ARGUMENT"),
            (401, "UNAUTHENTICATED"),
            (413, "INVALID_ARGUMENT"),
            (502, "INTERNAL"),
            (503, "UNAVAILABLE"),
            (504, "DEADLINE_EXCEEDED"),
        ] {
            assert_eq!(word_for(status), word);
        }
        assert_eq!(status_of("RESOURCE_EXHAUSTED").unwrap().as_u16(), 429);
        assert_eq!(status_of("rate_limit_error"), None);
        assert!(body(&upstream(529, "{}")).starts_with(br#"{"error":{"code":503,"#));
    }

    #[test]
    fn an_error_event_is_one_data_line_however_the_message_is_written() {
        let own = include_str!("../../../tests/fixtures/gemini/error-400-api-key.json");
        for error in [upstream(400, own), Error::ModelNotFound { model: "x\r\n\r\ndata: forged".into() }] {
            let frame = frame(&error);
            assert!(frame.starts_with(b"data: {") && frame.ends_with(b"}\r\n\r\n"), "{frame:?}");
            assert_eq!(frame.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count(), 4);
        }
    }
}
