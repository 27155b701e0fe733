//! Reads an answer that did not stream.

use super::wire::Message;
use crate::canonical::Usage;
use crate::dialect::{UpstreamError, answer};

pub(super) fn parse(body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
    let Some(answer) = answer::read::<Message<'_>>(body)? else { return Ok(Ok(None)) };
    let is_error = answer.r#type == "error" || answer.error.is_some();
    match is_error.then(|| UpstreamError::parse(body)).flatten() {
        Some(error) => Ok(Err(error)),
        None => Ok(Ok(answer.usage.map(|usage| usage.over(None)))),
    }
}
