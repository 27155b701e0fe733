//! Reads an answer that did not stream.

use super::wire::Chunk;
use crate::canonical::Usage;
use crate::dialect::UpstreamError;

pub(super) fn parse(body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
    let Ok(answer) = serde_json::from_slice::<Chunk<'_>>(body) else {
        // Not an answer we know, but JSON is JSON.
        return serde_json::from_slice::<serde::de::IgnoredAny>(body).map(|_| Ok(None));
    };
    match answer.error.and_then(|_| UpstreamError::parse(body)) {
        Some(error) => Ok(Err(error)),
        None => Ok(Ok(answer.usage_metadata.and_then(|usage| usage.usage()))),
    }
}
