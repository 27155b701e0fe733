//! Errors in OpenAI's shape.
//!
//! <https://platform.openai.com/docs/guides/error-codes>

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use crate::dialect::upstream_error::own_words;
use crate::error::{Complaint, Error, Origin};
use crate::framing::sse;

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    error: ErrorObject<'a>,
}

/// The object inside `{"error": …}`.
#[derive(Debug, Serialize)]
struct ErrorObject<'a> {
    message: Cow<'a, str>,
    r#type: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

pub(super) fn body(error: &Error) -> Bytes {
    if let Some(body) = own_words(error, |body| body["error"].is_object()) {
        return body;
    }
    let body = ErrorBody { error: error.into() };
    Bytes::from(serde_json::to_vec(&body).expect("strings are JSON"))
}

/// OpenAI's SDKs raise on any event whose data has a top-level `error`.
pub(super) fn frame(error: &Error) -> Bytes {
    sse::write_json(None, &body(error))
}

/// The status that goes with an error code or type.
pub(super) fn status_of(word: &str) -> Option<StatusCode> {
    match word {
        "invalid_api_key" | "authentication_error" => Some(StatusCode::UNAUTHORIZED),
        "permission_error" => Some(StatusCode::FORBIDDEN),
        "model_not_found" | "not_found_error" => Some(StatusCode::NOT_FOUND),
        "insufficient_quota" => Some(StatusCode::TOO_MANY_REQUESTS),
        "invalid_request_error" => Some(StatusCode::BAD_REQUEST),
        word if word.contains("rate_limit") => Some(StatusCode::TOO_MANY_REQUESTS),
        _ => None,
    }
}

/// The type and, where there is one, the code of an upstream's complaint that was made in other words.
fn words_for(complaint: Complaint) -> (&'static str, Option<&'static str>) {
    match complaint {
        Complaint::ContextLength => ("invalid_request_error", Some("context_length_exceeded")),
        Complaint::Authentication => ("invalid_request_error", Some("invalid_api_key")),
        Complaint::Billing => ("insufficient_quota", Some("insufficient_quota")),
        Complaint::Permission => ("permission_error", None),
        Complaint::NotFound => ("invalid_request_error", Some("model_not_found")),
        Complaint::InvalidRequest | Complaint::Conflict | Complaint::TooLarge => ("invalid_request_error", None),
        Complaint::RateLimit => ("rate_limit_error", Some("rate_limit_exceeded")),
        Complaint::Overloaded => ("service_unavailable_error", Some("server_is_overloaded")),
        Complaint::Timeout | Complaint::Server => ("upstream_error", None),
    }
}

impl<'a> From<&'a Error> for ErrorObject<'a> {
    fn from(error: &'a Error) -> Self {
        let message = Cow::Owned(error.to_string());
        let object = |r#type, param, code| Self { message, r#type, param, code };
        match (error, error.origin()) {
            (Error::InvalidRequest { param, .. }, _) => object("invalid_request_error", *param, None),
            (Error::Untranslatable { param, .. }, _) => {
                object("invalid_request_error", Some(param), Some(error.kind()))
            }
            (Error::ModelNotFound { .. } | Error::WrongDialect { .. }, _) => {
                object("invalid_request_error", Some("model"), Some(error.kind()))
            }
            (
                Error::UpstreamStatus { complaint: Some(complaint), .. }
                | Error::UpstreamReported { complaint: Some(complaint), .. },
                _,
            ) => {
                let (r#type, code) = words_for(*complaint);
                object(r#type, None, Some(code.unwrap_or(error.kind())))
            }
            (Error::UpstreamReported { r#type, code, .. }, _) => object(
                r#type.as_deref().unwrap_or("upstream_error"),
                None,
                Some(code.as_deref().unwrap_or(error.kind())),
            ),
            (_, Origin::Client) => object("invalid_request_error", None, Some(error.kind())),
            (_, Origin::Upstream) => object("upstream_error", None, Some(error.kind())),
            (_, Origin::Proxy) => object("server_error", None, Some(error.kind())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_event_is_one_data_line_however_the_message_is_written() {
        let body = Bytes::from_static(b"{\n  \"error\": {\"message\": \"a\\nb\"}\n}");
        let error = Error::UpstreamStatus {
            provider: "p".into(),
            status: http::StatusCode::TOO_MANY_REQUESTS,
            headers: Box::default(),
            body: Some(body),
            complaint: None,
            message: "a\nb".into(),
        };
        assert_eq!(frame(&error), "data: {   \"error\": {\"message\": \"a\\nb\"} }\n\n");
        let forged = Error::ModelNotFound { model: "x\r\n\r\ndata: forged".into() };
        assert_eq!(frame(&forged).iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count(), 2);
    }
}
