//! Reads an answer that did not stream.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde_json::Value;

use super::decode::StreamDecoder;
use super::wire::Response;
use crate::canonical::Usage;
use crate::dialect::gather::index_of;
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

/// The response that the last event of a stream tells, with the items in it that some tell only before.
pub(super) fn gather(events: &mut dyn Iterator<Item = Value>) -> Option<Value> {
    let mut items = BTreeMap::new();
    let mut response = None;
    for event in events {
        let Value::Object(mut event) = event else { continue };
        match event.get("type").and_then(Value::as_str).unwrap_or_default() {
            "response.output_item.done" => {
                items.insert(index_of(&event, "output_index"), event.get_mut("item").map(Value::take));
            }
            "response.completed" | "response.incomplete" => response = event.get_mut("response").map(Value::take),
            _ => {}
        }
    }
    let mut response = response.filter(Value::is_object)?;
    if response["output"].as_array().is_none_or(Vec::is_empty) {
        response["output"] = items.into_values().flatten().collect();
    }
    Some(response)
}
