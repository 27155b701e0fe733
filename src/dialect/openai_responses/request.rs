//! The fields of a response's body that decide what the proxy does with it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::request::{self, Malformed, Request};

/// A stream announces its end once.
const ENDS: u32 = 1;

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
}

pub(super) fn parse(body: &[u8]) -> Result<Request, Malformed> {
    let wire: Wire<'_> = request::read(body)?;
    Request::new(body, wire.model, wire.stream, ENDS)
}
