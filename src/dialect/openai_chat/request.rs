//! The fields of a chat completion's body that decide what the proxy does with it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::request::{self, Malformed, Request};

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    n: Option<&'a RawValue>,
}

pub(super) fn parse(body: &[u8]) -> Result<Request, Malformed> {
    let wire: Wire<'_> = request::read(body)?;
    // A provider judges a strange `n`; here it only tells how many finish reasons to expect.
    let choices = wire.n.and_then(|n| n.get().parse().ok()).unwrap_or(1).max(1);
    Request::new(body, wire.model, wire.stream, choices)
}
