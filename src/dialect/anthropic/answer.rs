//! Reads an answer that did not stream.

use super::wire::Message;
use crate::canonical::Usage;
use crate::dialect::UpstreamError;

pub(super) fn parse(body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
    let Ok(answer) = serde_json::from_slice::<Message<'_>>(body) else {
        // Not an answer we know, but JSON is JSON.
        return serde_json::from_slice::<serde::de::IgnoredAny>(body).map(|_| Ok(None));
    };
    let is_error = answer.r#type == "error" || answer.error.is_some();
    match is_error.then(|| UpstreamError::parse(body)).flatten() {
        Some(error) => Ok(Err(error)),
        None => Ok(Ok(answer.usage.map(|usage| usage.over(None)))),
    }
}
