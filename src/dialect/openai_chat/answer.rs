//! Reads an answer that did not stream.

use super::wire::Chunk;
use crate::canonical::Usage;
use crate::dialect::{UpstreamError, answer};

pub(super) fn parse(body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
    let Some(answer) = answer::read::<Chunk<'_>>(body)? else { return Ok(Ok(None)) };
    let is_error = answer.error.is_some() || answer.is_error_object();
    match is_error.then(|| UpstreamError::parse(body)).flatten() {
        Some(error) => Ok(Err(error)),
        None => Ok(Ok(answer.usage.map(Usage::from))),
    }
}
