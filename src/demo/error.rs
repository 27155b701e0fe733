//! Errors in OpenAI's shape.

use axum::{
    body::Body,
    extract::rejection::BytesRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// A refusal before the first token: an ordinary HTTP error.
#[derive(Debug, Serialize)]
pub(super) struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    #[serde(skip)]
    retry_after: Option<HeaderValue>,
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a ApiError,
}

impl ApiError {
    /// The request is at fault: status 400 and no more than a message.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            retry_after: None,
            message: message.into(),
            kind: "invalid_request_error",
            param: None,
            code: None,
        }
    }

    /// A parameter of the request is missing or wrong.
    pub(super) fn parameter(param: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(param), code: Some(code), ..Self::invalid(message) }
    }

    pub(super) fn unknown_model(id: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: Some("model_not_found"),
            ..Self::invalid(format!("The model `{id}` does not exist or you do not have access to it."))
        }
    }

    pub(super) fn unknown_url(method: &str, path: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::invalid(format!("Invalid URL ({method} {path})")) }
    }

    pub(super) fn rate_limited() -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(HeaderValue::from_static("7")),
            kind: "requests",
            code: Some("rate_limit_exceeded"),
            ..Self::invalid("Rate limit reached for demo-error: it always is. Please try again in 7s.")
        }
    }
}

/// A body that is too large or broke off.
impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        Self { status: rejection.status(), ..Self::invalid(rejection.body_text()) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json_response(self.status, to_json(&Envelope { error: &self }));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// A response whose body is JSON.
pub(super) fn json_response(status: StatusCode, json: impl Into<Body>) -> Response {
    let mut response = Response::new(json.into());
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// `value` as JSON bytes. The types of this module have string keys only, so they always serialise.
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_error_carries_all_four_fields() {
        let json = to_json(&Envelope { error: &ApiError::invalid("no") });
        let expected = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
        assert_eq!(String::from_utf8_lossy(&json), expected);
    }

    #[test]
    fn a_rate_limit_says_when_to_come_back() {
        let response = ApiError::rate_limited().into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["content-type"], "application/json");
    }

    #[test]
    fn an_unknown_model_is_a_404() {
        assert_eq!(ApiError::unknown_model("gpt-9").into_response().status(), 404);
    }
}
