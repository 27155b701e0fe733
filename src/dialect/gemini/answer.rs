//! Reads an answer that did not stream.

use super::wire::Chunk;
use crate::canonical::Usage;
use crate::dialect::{UpstreamError, answer};

pub(super) fn parse(body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
    let Some(answer) = answer::read::<Chunk<'_>>(body)? else { return Ok(Ok(None)) };
    match answer.error.and_then(|_| UpstreamError::parse(body)) {
        Some(error) => Ok(Err(error)),
        None => Ok(Ok(answer.usage_metadata.and_then(|usage| usage.usage()))),
    }
}
