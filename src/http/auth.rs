//! Who may call.

use std::collections::HashMap;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, Uri};

use super::websocket::key_in_protocols;
use crate::config::client_key::{ClientKey, Digest};
use crate::dialect::{Dialect, Gemini};
use crate::error::Error;

/// Where Anthropic's clients put their key.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Where Google's clients put theirs, if not in the query.
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

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
    pub(super) fn identify(&self, uri: &Uri, headers: &HeaderMap) -> Result<Option<Arc<str>>, Error> {
        if self.is_open() {
            return Ok(None);
        }
        let in_header = [bearer(headers), only(headers, X_API_KEY), only(headers, X_GOOG_API_KEY)];
        let elsewhere = [in_query(uri), key_in_protocols(headers)];
        let mut presented = in_header.into_iter().chain(elsewhere).flatten().peekable();
        presented.peek().ok_or(Error::MissingKey)?;
        // SDKs that find both kinds of key in their environment send both.
        let caller = presented.find_map(|key| self.0.get(&Digest::of(key.trim())));
        caller.cloned().map(Some).ok_or(Error::InvalidKey)
    }
}

/// The key in `Authorization: Bearer`, as OpenAI's clients send it.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = only(headers, AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key)
}

/// The key in the query of a URL of Gemini's: `?key=…`. Nobody else puts one there.
fn in_query(uri: &Uri) -> Option<&str> {
    let query = uri.query().filter(|_| Gemini.owns(uri.path()))?;
    query.split('&').find_map(|pair| pair.strip_prefix("key="))
}

/// The value of a field that may be there once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}
