//! The fields of a request's body that decide what the proxy does with it. The model, and whether to stream, is in the URL.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::request::{self, Malformed, Request};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, alias = "generation_config")]
    generation_config: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(alias = "candidate_count")]
    candidate_count: Option<u32>,
}

pub(super) fn parse(body: &[u8]) -> Result<Request, Malformed> {
    let wire: Wire<'_> = request::read(body)?;
    // A provider judges a strange configuration; here it only tells how many finish reasons to expect.
    let config = wire.generation_config.and_then(|config| serde_json::from_str::<Config>(config.get()).ok());
    let candidates = config.and_then(|config| config.candidate_count).unwrap_or(1).max(1);
    Request::new(body, None, None, candidates)
}
