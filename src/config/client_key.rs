//! Keys that clients present.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// `[[key]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientKey {
    /// Who presents it; appears in the log.
    pub name: String,
    /// The key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Or its SHA-256 in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// A SHA-256 digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `text`.
    pub fn of(text: &str) -> Self {
        let digest = digest(&SHA256, text.as_bytes());
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "must be the 64 hexadecimal digits of a SHA-256";
        if text.len() != 64 || !text.is_ascii() {
            return Err(WRONG);
        }
        let mut digest = [0; 32];
        for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| WRONG)?;
        }
        Ok(Self(digest))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl ClientKey {
    /// The digest that a presented key must have.
    ///
    /// # Errors
    ///
    /// A sentence, if not exactly one of `secret` and `sha256` is given.
    pub fn digest(&self) -> Result<Digest, &'static str> {
        match (&self.secret, self.sha256) {
            (Some(secret), None) => Ok(Digest::of(secret.expose())),
            (None, Some(digest)) => Ok(digest),
            _ => Err("needs exactly one of secret and sha256"),
        }
    }
}
