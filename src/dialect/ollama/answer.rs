//! Reads an answer that did not stream.

use super::wire::Line;
use crate::canonical::Usage;
use crate::dialect::{UpstreamError, answer};

pub(super) fn parse(body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
    let Some(answer) = answer::read::<Line<'_>>(body)? else { return Ok(Ok(None)) };
    match answer.error(body) {
        Some(error) => Ok(Err(error)),
        None => Ok(Ok(answer.usage())),
    }
}
