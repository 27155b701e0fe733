//! Errors in Ollama's shape: a sentence, and nothing that a program could read.
//!
//! <https://github.com/ollama/ollama/blob/main/docs/api/errors.mdx>

use bytes::Bytes;
use serde::Serialize;

use crate::dialect::upstream_error::own_words;
use crate::error::Error;

#[derive(Debug, Serialize)]
struct ErrorBody {
    error: String,
}

pub(super) fn body(error: &Error) -> Bytes {
    if let Some(body) = own_words(error, |body| body["error"].is_string()) {
        return body;
    }
    let body = ErrorBody { error: error.to_string() };
    Bytes::from(serde_json::to_vec(&body).expect("strings are JSON"))
}

/// Ollama's clients raise on a line that has an `error`.
pub(super) fn frame(error: &Error) -> Bytes {
    let mut line = body(error).to_vec();
    // Between the tokens of JSON a line break is space, and within its strings there is none.
    line.retain(|byte| !matches!(byte, b'\n' | b'\r'));
    line.push(b'\n');
    line.into()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

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
        let own = r#"{"error":"unauthorized","signin_url":"https://ollama.com/connect"}"#;
        assert_eq!(body(&upstream(401, own)), own);
        let foreign = r#"{"error":{"message":"words","type":"rate_limit_error"}}"#;
        assert_eq!(body(&upstream(429, foreign)), r#"{"error":"words"}"#);
    }

    #[test]
    fn an_error_in_a_stream_is_one_line_however_it_is_written() {
        assert_eq!(frame(&upstream(500, "{\r\n  \"error\": \"a\\nb\"\n}")), "{  \"error\": \"a\\nb\"}\n");
        let forged = frame(&Error::ModelNotFound { model: "x\n{\"done\":true}".into() });
        assert_eq!(forged.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
