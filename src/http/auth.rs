//! Who may call.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::config::client_key::{ClientKey, Digest};
use crate::error::Error;

/// The keys that let a client in. Looked up by hash, so that no comparison takes longer for a better guess.
#[derive(Debug)]
pub(super) struct Keys(HashMap<Digest, Arc<str>>);

impl Keys {
    pub(super) fn new(keys: &[ClientKey]) -> Self {
        let digests = keys.iter().filter_map(|key| Some((key.digest().ok()?, key.name.as_str().into())));
        Self(digests.collect())
    }

    /// Whether anybody may call.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of the caller's key; `None` if no key is needed.
    pub(super) fn identify(&self, headers: &HeaderMap) -> Result<Option<Arc<str>>, Error> {
        if self.is_open() {
            return Ok(None);
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Error::MissingKey);
        };
        let (scheme, key) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Error::MissingKey)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::MissingKey);
        }
        self.0.get(&Digest::of(key.trim())).cloned().map(Some).ok_or(Error::InvalidKey)
    }
}
