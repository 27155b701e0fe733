//! The fields of a chat's or completion's body that decide what the proxy does with it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::request::{self, Malformed, Request};

/// A stream announces its end once, by `"done":true`.
const ENDS: u32 = 1;

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
}

/// Ollama streams unless it is told not to.
pub(super) fn parse(body: &[u8]) -> Result<Request, Malformed> {
    let wire: Wire<'_> = request::read(body)?;
    let request = Request::new(body, wire.model, wire.stream, ENDS)?;
    Ok(Request { stream: request.stream || wire.stream.is_none(), ..request })
}
