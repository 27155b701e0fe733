//! Values that must not be seen, and references to values kept elsewhere.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is printed instead of a secret.
const MASK: &str = "********";

/// A secret: readable on purpose by [`expose`](Self::expose), never by accident through `Debug`, logs or `check`.
///
/// Written in the configuration as it is, as `${NAME}` (an environment variable) or as `${file:/path}` (the contents of a
/// file without surrounding white space).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: &str) -> Self {
        Self(value.into())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The text may be the secret itself: whatever goes wrong, no message may repeat it.
        let text = toml::Value::deserialize(from)?;
        let text = text.as_str().ok_or_else(|| serde::de::Error::custom("must be a string"))?;
        let value = expand(text).map_err(serde::de::Error::custom)?;
        if value.is_empty() {
            return Err(serde::de::Error::custom("must not be empty"));
        }
        Ok(Self::new(&value))
    }
}

/// Replaces every `${NAME}` and `${file:/path}` in `text` by what it refers to.
///
/// # Errors
///
/// A sentence that names the variable or file, but no other part of `text`.
pub(super) fn expand(text: &str) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once("${") {
        let (reference, behind) = reference.split_once('}').ok_or("has a \"${\" without a \"}\"")?;
        expanded.push_str(before);
        expanded.push_str(&resolve(reference)?);
        rest = behind;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn resolve(reference: &str) -> Result<String, String> {
    if let Some(path) = reference.strip_prefix("file:") {
        let contents = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
        return Ok(contents.trim().to_owned());
    }
    std::env::var(reference).map_err(|_| format!("environment variable {reference} is not set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_and_other_text_stays() {
        let path = std::env::var("PATH").unwrap();
        assert_eq!(expand("a${PATH}b").unwrap(), format!("a{path}b"));
        assert_eq!(expand("$5 {x}").unwrap(), "$5 {x}");
    }

    #[test]
    fn what_cannot_be_resolved_is_named() {
        assert_eq!(expand("key-${NO_SUCH_VARIABLE}").unwrap_err(), "environment variable NO_SUCH_VARIABLE is not set");
        assert!(expand("${file:/no/such/file}").unwrap_err().contains("/no/such/file"));
        assert!(expand("${open").is_err());
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("sk-123");
        assert_eq!(format!("{secret:?}"), MASK);
        assert_eq!(toml::Value::try_from(&secret).unwrap().as_str(), Some(MASK));
    }
}
