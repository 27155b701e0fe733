//! Errors in Anthropic's shape.
//!
//! <https://docs.claude.com/en/api/errors>

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::dialect::upstream_error::own_words;
use crate::error::{Complaint, Error};
use crate::framing::sse;

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    r#type: &'static str,
    error: ErrorObject<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorObject<'a> {
    r#type: &'a str,
    message: String,
}

pub(super) fn body(error: &Error) -> Bytes {
    if let Some(body) = own_words(error, is_in_shape) {
        return body;
    }
    let body = ErrorBody { r#type: "error", error: ErrorObject { r#type: type_of(error), message: message_of(error) } };
    Bytes::from(serde_json::to_vec(&body).expect("strings are JSON"))
}

/// Anthropic's SDKs raise on an event that is called `error`, and on no other.
pub(super) fn frame(error: &Error) -> Bytes {
    sse::write_json(Some("error"), &body(error))
}

fn is_in_shape(body: &Value) -> bool {
    body["type"] == "error" && body["error"].is_object()
}

/// The message, in the words that Anthropic's clients look for where they shorten a conversation and try again.
fn message_of(error: &Error) -> String {
    const TOO_LONG: &str = "prompt is too long";
    let message = error.to_string();
    let is_too_long = matches!(
        error,
        Error::UpstreamStatus { complaint: Some(Complaint::ContextLength), .. }
            | Error::UpstreamReported { complaint: Some(Complaint::ContextLength), .. }
    );
    if is_too_long && !message.contains(TOO_LONG) { format!("{TOO_LONG}: {message}") } else { message }
}

/// The type that an upstream gave, where it is one of Anthropic's; else the one that goes with the status.
fn type_of(error: &Error) -> &str {
    match error {
        Error::UpstreamReported { r#type: Some(word), .. } if status_of(word).is_some() => word,
        _ => type_for(error.status()),
    }
}

/// Every type that has a status of its own.
const TYPES: [(u16, &str); 11] = [
    (400, "invalid_request_error"),
    (401, "authentication_error"),
    (402, "billing_error"),
    (403, "permission_error"),
    (404, "not_found_error"),
    (409, "conflict_error"),
    (413, "request_too_large"),
    (429, "rate_limit_error"),
    (500, "api_error"),
    (504, "timeout_error"),
    (529, "overloaded_error"),
];

pub(super) fn status_of(word: &str) -> Option<StatusCode> {
    let (status, _) = TYPES.iter().find(|(_, own)| *own == word)?;
    StatusCode::from_u16(*status).ok()
}

fn type_for(status: StatusCode) -> &'static str {
    let own = TYPES.iter().find(|(own, _)| *own == status.as_u16());
    own.map_or(if status.is_client_error() { "invalid_request_error" } else { "api_error" }, |(_, word)| word)
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
        let own = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#;
        assert_eq!(body(&upstream(529, own)), own);
        let foreign = body(&upstream(429, r#"{"error":{"message":"words","code":"slow"}}"#));
        assert_eq!(foreign, r#"{"type":"error","error":{"type":"rate_limit_error","message":"words"}}"#);
    }

    #[test]
    fn every_status_has_a_type() {
        for (status, word) in [(401, "authentication_error"), (422, "invalid_request_error"), (503, "api_error")] {
            assert_eq!(type_for(StatusCode::from_u16(status).unwrap()), word);
        }
        assert_eq!(status_of("overloaded_error").unwrap().as_u16(), 529);
        assert_eq!(status_of("server_error"), None);
    }

    #[test]
    fn an_error_event_has_its_name_and_one_data_line() {
        let forged = frame(&Error::ModelNotFound { model: "x\r\n\r\ndata: forged".into() });
        assert!(forged.starts_with(b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"not_found_error\""));
        assert_eq!(forged.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count(), 3);
    }
}
