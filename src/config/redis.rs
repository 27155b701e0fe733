//! Where replicas share their streams.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::secret::Secret;
use super::units;

/// `[redis]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// The server, with its password; `None` if streams are not shared.
    #[serde(with = "url")]
    pub url: Option<Secret>,
    /// What the names of all keys begin with.
    pub prefix: String,
    /// How long a stream waits for an answer before it goes on without.
    #[serde(with = "units::duration")]
    pub timeout: Duration,
}

/// A URL that may be `"off"`.
mod url {
    use super::*;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
        let url = Secret::deserialize(from)?;
        if url.expose() == units::OFF {
            return Ok(None);
        }
        // The library's own words may repeat the URL, which may hold a password.
        ::redis::Client::open(url.expose()).map_err(|_| {
            serde::de::Error::custom("is no URL of a Redis; write for example \"redis://127.0.0.1:6379\", \"rediss://:${PASSWORD}@host\" or \"off\"")
        })?;
        Ok(Some(url))
    }

    pub(super) fn serialize<S: Serializer>(url: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
        match url {
            Some(url) => url.serialize(to),
            None => to.serialize_str(units::OFF),
        }
    }
}
