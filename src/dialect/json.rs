//! JSON on the way of a token: read without a copy, written without a detour.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

/// A string, copied only where something in it is escaped. In an `Option`, serde would always copy a `Cow`.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Str<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Reads a string like [`Str`]; null is an empty one.
pub(super) fn text<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Cow<'a, str>, D::Error> {
    Ok(Option::<Str<'a>>::deserialize(from)?.unwrap_or_default().0)
}

pub(super) fn write_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("strings, numbers and JSON are JSON, and memory takes them");
}
