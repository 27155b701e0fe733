//! An error as clients see it.

use serde_json::Value;

use super::client::Response;
use super::soon;

/// An error response in OpenAI's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: u16,
    pub message: String,
    pub r#type: String,
    pub param: Option<String>,
    pub code: Option<String>,
    /// The value of `x-sluicegate-error`.
    pub kind: String,
}

impl ApiError {
    /// Reads `response`, which must have every part of OpenAI's shape and name its request.
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = soon("an error body", response.text()).await.unwrap();
        Self::parse(status, |name| headers.get(name).map(|value| value.to_str().unwrap()), &body)
    }

    /// The same for a response that was read from a raw socket.
    pub fn of_raw(response: &Response) -> Self {
        Self::parse(response.status, |name| response.header(name), &response.body)
    }

    fn parse<'a>(status: u16, header: impl Fn(&str) -> Option<&'a str>, body: &str) -> Self {
        let value: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{status} with a body like {body:?}"));
        let fields: Vec<&String> = value["error"].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["message", "type", "param", "code"], "{body}");
        assert_eq!(header("content-type"), Some("application/json"), "{body}");
        assert!(header("x-request-id").is_some(), "an error names its request: {body}");
        let text = |name: &str| value["error"][name].as_str().map(str::to_owned);
        Self {
            status,
            message: text("message").unwrap(),
            r#type: text("type").unwrap(),
            param: text("param"),
            code: text("code"),
            kind: header("x-sluicegate-error").unwrap().to_owned(),
        }
    }

    /// Whether this is an `invalid_request_error` with `status` and `code`.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.r#type.as_str(), self.code.as_deref(), self.kind.as_str()),
            (status, "invalid_request_error", Some(code), code),
            "{self:?}"
        );
    }

    /// Whether this is a 400 about the field `param`, or about the whole request.
    #[track_caller]
    pub fn assert_invalid(&self, param: Option<&str>) {
        assert_eq!(
            (self.status, self.r#type.as_str(), self.param.as_deref(), self.code.as_deref(), self.kind.as_str()),
            (400, "invalid_request_error", param, None, "invalid_request"),
            "{self:?}"
        );
    }
}
