//! Errors inside a stream. Error bodies are those of all OpenAI endpoints.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::dialect::{Dialect, OpenAiChat};
use crate::error::Error;
use crate::framing::sse;

/// The status that goes with an error code or type; the last ones are those of Open Responses.
pub(super) fn status_of(word: &str) -> Option<StatusCode> {
    match word {
        "server_is_overloaded" | "service_unavailable_error" => Some(StatusCode::SERVICE_UNAVAILABLE),
        "slow_down" | "too_many_requests" => Some(StatusCode::TOO_MANY_REQUESTS),
        "invalid_request" | "invalid_prompt" => Some(StatusCode::BAD_REQUEST),
        "not_found" => Some(StatusCode::NOT_FOUND),
        _ => OpenAiChat.status_of(word),
    }
}

/// The event that tells `error`. How many events came before it is not known here, and 0 stands for that: Vercel's AI SDK
/// passes over an error without a number.
pub(super) fn frame(error: &Error) -> Bytes {
    let event = event(error, 0).to_string();
    sse::write_json(Some("error"), event.as_bytes())
}

/// The members of an error twice: beside `type` as OpenAI's schema has them, and in an object as OpenAI sends them. Its SDKs
/// raise on the object.
pub(super) fn event(error: &Error, sequence_number: u64) -> Value {
    let told = told(error);
    json!({
        "type": "error",
        "sequence_number": sequence_number,
        "code": told["code"],
        "message": told["message"],
        "param": told["param"],
        "error": told,
    })
}

/// What a response that failed says of it.
pub(super) fn of_response(error: &Error) -> Value {
    let told = told(error);
    let code = match told["code"].as_str() {
        Some(code) if CODES.contains(&code) => code,
        _ if error.status() == StatusCode::TOO_MANY_REQUESTS => "rate_limit_exceeded",
        _ => "server_error",
    };
    json!({ "code": code, "message": told["message"] })
}

/// The codes of failed responses that OpenAI's SDKs know and another upstream may have a use for.
const CODES: [&str; 4] = ["server_error", "rate_limit_exceeded", "invalid_prompt", "bio_policy"];

/// The error object of an error body, with a type and a code that are text whatever the upstream wrote.
fn told(error: &Error) -> Value {
    let body: Value = serde_json::from_slice(&OpenAiChat.error_body(error)).unwrap_or_default();
    let field = |name: &str| &body["error"][name];
    let text = |name: &str| match field(name) {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    json!({
        "type": text("type").unwrap_or_else(|| "server_error".to_owned()),
        "code": text("code").unwrap_or_else(|| error.kind().to_owned()),
        "message": text("message").unwrap_or_else(|| error.to_string()),
        "param": text("param"),
    })
}
