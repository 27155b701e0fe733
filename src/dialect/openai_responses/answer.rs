//! Reads an answer that did not stream.

use serde::de::Error as _;

use super::decode::StreamDecoder;
use super::wire::Response;
use crate::canonical::Usage;
use crate::dialect::{Sink, UpstreamError, answer};

pub(super) fn parse(body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
    let Some(answer) = answer::read::<Response<'_>>(body)? else { return Ok(Ok(None)) };
    match answer.failure() {
        Some(error) => Ok(Err(error)),
        None => Ok(Ok(answer.usage.map(Usage::from))),
    }
}

pub(super) fn decode(body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
    let answer: Response<'_> = serde_json::from_slice(body)?;
    if answer.output.is_none() {
        return Err(serde_json::Error::missing_field("output"));
    }
    StreamDecoder::default().end(answer, sink);
    Ok(())
}
