//! Answers that did not stream.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// `body` as an answer of the dialect that has `T`; `None` if it is none that we know. JSON it must be.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Option<T>, serde_json::Error> {
    match serde_json::from_slice(body) {
        Ok(answer) => Ok(Some(answer)),
        Err(_) => serde_json::from_slice::<IgnoredAny>(body).map(|_| None),
    }
}
