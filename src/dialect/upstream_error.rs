//! Errors as upstreams tell them, in whatever shape.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::Dialect;
use crate::error::{Complaint, Error};

/// The body of `error` in its upstream's own words, if it `is_in_shape` for the client.
pub(super) fn own_words(error: &Error, is_in_shape: impl FnOnce(&Value) -> bool) -> Option<Bytes> {
    let Error::UpstreamStatus { body: Some(body), .. } = error else { return None };
    serde_json::from_slice(body).is_ok_and(|value| is_in_shape(&value)).then(|| body.clone())
}

/// What an upstream said went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamError {
    /// Its message, or its whole error value where no message is found.
    pub message: String,
    /// Its `type`, if it gave one.
    pub r#type: Option<String>,
    /// Its `code`, if it gave one; numbers are written out.
    pub code: Option<String>,
    /// An HTTP status between 400 and 599, if its code is one.
    pub status: Option<u16>,
    /// Google's reason, among the details of its errors, or Anthropic's more exact code.
    pub reason: Option<String>,
    /// When it wants to be asked again, if its body tells: Google's does.
    pub retry_after: Option<Duration>,
}

impl UpstreamError {
    /// Reads an error from a response body or the data of an event.
    ///
    /// Known shapes: `{"error": {…}}` (OpenAI), `{"error": "text"}` (xAI, Ollama), `{"object": "error", "message": …}` (vLLM),
    /// `{"message": …}`, `{"detail": …}` (FastAPI), and any of them alone in an array (Gemini). `None` if the text is no
    /// JSON or no error: an object called `message` is what a model said (Ollama, Anthropic).
    pub fn parse(text: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let value = value.as_array().and_then(|values| values.first()).unwrap_or(&value);
        let object = value.as_object()?;
        match object.get("error") {
            Some(error) if is_truthy(error) => Some(Self::from_value(error, object.get("code"))),
            _ if object.get("object").and_then(Value::as_str) == Some("error") => Some(Self::from_value(value, None)),
            _ => ["message", "detail"]
                .iter()
                .find_map(|name| object.get(*name).filter(|found| *name != "message" || !found.is_object()))
                .map(|found| Self { message: to_text(found), ..Self::from_value(value, None) }),
        }
    }

    /// The HTTP status that goes with it where it is told in `dialect`.
    pub fn status_in(&self, dialect: &dyn Dialect) -> Option<StatusCode> {
        let status = self.status.and_then(|status| StatusCode::from_u16(status).ok());
        let by_word = || [&self.code, &self.r#type].into_iter().flatten().find_map(|word| dialect.status_of(word));
        status.or_else(by_word)
    }

    /// The error that the data of an error event tells, in words of its own if in no known shape.
    pub fn of_event(data: &str) -> Self {
        Self::parse(data.as_bytes()).unwrap_or_else(|| Self { message: data.to_owned(), ..Self::default() })
    }

    /// What it complains of, in a response with `status`.
    ///
    /// Its words count before its status: Google calls a bad key a bad request, OpenAI an empty account a rate limit.
    pub fn complaint(&self, status: u16) -> Complaint {
        let words = [&self.reason, &self.code, &self.r#type].into_iter().flatten();
        let by_word = words.filter_map(|word| complaint_of(word)).next();
        let is_too_long = || status < 500 && speaks_of_length(&self.message.to_ascii_lowercase());
        match by_word {
            Some(Complaint::InvalidRequest) | None if is_too_long() => Complaint::ContextLength,
            Some(complaint) if complaint != Complaint::InvalidRequest => complaint,
            _ => complaint_of_status(self.status.unwrap_or(status)),
        }
    }

    fn from_value(error: &Value, outer_code: Option<&Value>) -> Self {
        let field = |name| error.get(name).filter(|value| !value.is_null());
        let code = field("code").or(outer_code);
        let status = [code, field("status_code"), field("status")].into_iter().flatten().find_map(to_number);
        Self {
            message: to_text(field("message").or(field("detail")).unwrap_or(error)),
            r#type: field("type").map(to_text),
            code: code.map(to_text),
            reason: details(error)
                .find_map(|detail| Some(detail.get("reason")?.as_str()?.to_owned()))
                .or_else(|| exact_code(error)),
            retry_after: details(error).find_map(|detail| parse_seconds(detail.get("retryDelay")?.as_str()?)),
            status: status.and_then(|status| u16::try_from(status).ok()).filter(|status| (400..600).contains(status)),
        }
    }
}

/// What Google adds to an error. <https://google.aip.dev/193>
fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error.get("details").and_then(Value::as_array).into_iter().flatten()
}

/// What Anthropic adds to an error whose type says too little.
fn exact_code(error: &Value) -> Option<String> {
    Some(error.get("details")?.get("error_code")?.as_str()?.to_owned())
}

/// A duration as Google's JSON has it: `"48.5s"`.
fn parse_seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

/// What the codes and types of all providers stand for, where they stand for one thing alone.
fn complaint_of(word: &str) -> Option<Complaint> {
    Some(match word {
        "context_length_exceeded" | "string_above_max_length" => Complaint::ContextLength,
        "invalid_api_key" | "authentication_error" | "API_KEY_INVALID" | "UNAUTHENTICATED" => Complaint::Authentication,
        "billing_error" | "insufficient_quota" | "credit_balance_exhausted" | "enforced_spend_limit_reached" => {
            Complaint::Billing
        }
        "permission_error" | "PERMISSION_DENIED" => Complaint::Permission,
        "model_not_found" | "not_found_error" | "NOT_FOUND" => Complaint::NotFound,
        "conflict_error" | "ABORTED" => Complaint::Conflict,
        "request_too_large" => Complaint::TooLarge,
        "rate_limit_error" | "rate_limit_exceeded" | "slow_down" | "RESOURCE_EXHAUSTED" => Complaint::RateLimit,
        "timeout_error" | "DEADLINE_EXCEEDED" => Complaint::Timeout,
        "overloaded_error" | "server_is_overloaded" | "UNAVAILABLE" => Complaint::Overloaded,
        "api_error" | "server_error" | "INTERNAL" => Complaint::Server,
        "invalid_request_error" | "INVALID_ARGUMENT" => Complaint::InvalidRequest,
        _ => return None,
    })
}

fn complaint_of_status(status: u16) -> Complaint {
    match status {
        401 => Complaint::Authentication,
        402 => Complaint::Billing,
        403 => Complaint::Permission,
        404 => Complaint::NotFound,
        409 => Complaint::Conflict,
        413 => Complaint::TooLarge,
        408 | 504 => Complaint::Timeout,
        429 => Complaint::RateLimit,
        503 | 529 => Complaint::Overloaded,
        400..500 => Complaint::InvalidRequest,
        _ => Complaint::Server,
    }
}

/// Whether `message`, in lower case, says that a prompt is too long, in the words of one of the providers; few have a code
/// for it.
fn speaks_of_length(message: &str) -> bool {
    const WORDS: [&str; 8] = [
        "prompt is too long",
        "prompt too long",
        "maximum context length",
        "max context length",
        "context_length_exceeded",
        "exceeds the context window",
        "exceeds the maximum number of tokens",
        "context size",
    ];
    WORDS.iter().any(|words| message.contains(words))
}

/// Azure writes its numbers as text.
fn to_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn to_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// SDKs take an `error` of null, false or "" for none.
fn is_truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> UpstreamError {
        UpstreamError::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_known_shape_yields_its_message() {
        assert_eq!(
            parse(r#"{"error":{"message":"no","type":"t","code":"c"}}"#),
            UpstreamError {
                message: "no".into(),
                r#type: Some("t".into()),
                code: Some("c".into()),
                ..UpstreamError::default()
            }
        );
        assert_eq!(parse(r#"{"code":"invalid-argument","error":"bad key"}"#).code.as_deref(), Some("invalid-argument"));
        assert_eq!(parse(r#"{"object":"error","message":"m","code":404}"#).status, Some(404));
        assert_eq!(parse(r#"{"detail":"Not Found"}"#).message, "Not Found");
        assert_eq!(parse(r#"{"error":{"code":429,"message":"slow"}}"#).status, Some(429));
        assert_eq!(parse(r#"{"error":{"code":"401","message":"denied"}}"#).status, Some(401));
        assert_eq!(parse(r#"{"error":{"detail":"out of memory"}}"#).message, "out of memory");
        assert_eq!(parse(r#"[{"error":{"code":400,"message":"no"}}]"#).message, "no");
    }

    #[test]
    fn recorded_errors_complain_of_what_they_complain_of() {
        macro_rules! recorded {
            ($file:literal) => {
                parse(include_str!(concat!("../../tests/fixtures/", $file)))
            };
        }
        for (error, status, complaint) in [
            (recorded!("anthropic/error-400-context-length.json"), 400, Complaint::ContextLength),
            (recorded!("anthropic/error-404-model.json"), 404, Complaint::NotFound),
            (recorded!("gemini/error-400-api-key.json"), 400, Complaint::Authentication),
            (recorded!("gemini/error-429-quota-retryinfo.json"), 429, Complaint::RateLimit),
            (recorded!("openai-chat/error-400-context-deepseek.json"), 400, Complaint::ContextLength),
            (recorded!("openai-chat/error-400-context-openrouter.json"), 400, Complaint::ContextLength),
            (recorded!("openai-chat/error-400-ollama-cloud-compat.json"), 400, Complaint::ContextLength),
            (recorded!("openai-chat/error-401-azure.json"), 401, Complaint::Authentication),
            (recorded!("openai-chat/error-429-azure.json"), 429, Complaint::RateLimit),
            (recorded!("openai-responses/error-400-model.json"), 400, Complaint::NotFound),
            (recorded!("openai-responses/error-401.json"), 401, Complaint::Authentication),
        ] {
            assert_eq!(error.complaint(status), complaint, "{error:?}");
        }
        let wait = recorded!("gemini/error-429-quota-retryinfo.json").retry_after;
        assert_eq!(wait.map(|wait| wait.as_secs()), Some(48));
    }

    #[test]
    fn an_answer_is_no_error() {
        assert_eq!(UpstreamError::parse(br#"{"choices":[],"error":null}"#), None);
        assert_eq!(UpstreamError::parse(br#"{"message":{"content":"hi"},"done":true}"#), None);
        assert_eq!(UpstreamError::parse(b"<html>"), None);
    }
}
