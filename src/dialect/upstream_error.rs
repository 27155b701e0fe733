//! Errors as upstreams tell them, in whatever shape.

use serde_json::Value;

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

    /// The error that the data of an error event tells, in words of its own if in no known shape.
    pub fn of_event(data: &str) -> Self {
        Self::parse(data.as_bytes()).unwrap_or_else(|| Self { message: data.to_owned(), ..Self::default() })
    }

    fn from_value(error: &Value, outer_code: Option<&Value>) -> Self {
        let field = |name| error.get(name).filter(|value| !value.is_null());
        let code = field("code").or(outer_code);
        let status = [code, field("status_code"), field("status")].into_iter().flatten().find_map(to_number);
        Self {
            message: to_text(field("message").or(field("detail")).unwrap_or(error)),
            r#type: field("type").map(to_text),
            code: code.map(to_text),
            status: status.and_then(|status| u16::try_from(status).ok()).filter(|status| (400..600).contains(status)),
        }
    }
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
            UpstreamError { message: "no".into(), r#type: Some("t".into()), code: Some("c".into()), status: None }
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
    fn an_answer_is_no_error() {
        assert_eq!(UpstreamError::parse(br#"{"choices":[],"error":null}"#), None);
        assert_eq!(UpstreamError::parse(br#"{"message":{"content":"hi"},"done":true}"#), None);
        assert_eq!(UpstreamError::parse(b"<html>"), None);
    }
}
