//! The client side: where sluicegate listens, whom it lets in, what it spends on each.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units;

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Worker threads; zero for one per core.
    pub workers: usize,
    /// Whether to listen beyond this machine without any key configured.
    pub allow_public_without_keys: bool,
    /// Host names accepted, without port. Empty: loopback names on a loopback address, any name otherwise.
    pub allowed_hosts: Vec<String>,
    /// Client connections at a time.
    pub max_connections: usize,
    /// Size of one request's head, in bytes.
    #[serde(with = "units::bytes")]
    pub max_header_bytes: usize,
    /// Number of one request's header fields.
    pub max_headers: usize,
    /// Size of a request body that must be read whole, in bytes.
    #[serde(with = "units::bytes")]
    pub max_body_bytes: usize,
    /// From the connection to its first byte.
    #[serde(with = "units::duration")]
    pub first_byte_timeout: Duration,
    /// From the first byte of a request to the end of its head.
    #[serde(with = "units::duration")]
    pub header_timeout: Duration,
    /// For what must be read of a request body before it can be sent on: all of JSON, the start of a form.
    #[serde(with = "units::duration")]
    pub body_timeout: Duration,
    /// How long a client may take no byte while there are some for it.
    #[serde(with = "units::duration")]
    pub write_timeout: Duration,
    /// How long sent bytes may stay unacknowledged.
    #[serde(with = "units::duration")]
    pub tcp_user_timeout: Duration,
    /// Kernel send buffer of a client connection, in bytes.
    #[serde(with = "units::bytes")]
    pub send_buffer_bytes: usize,
    /// How long running streams may go on once shutdown began.
    #[serde(with = "units::duration")]
    pub drain_timeout: Duration,
    /// Certificate and key for HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// `[server.tls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// `[cors]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Origins whose pages may call.
    pub allowed_origins: Vec<OriginPattern>,
}

/// An origin as in `https://chat.example`, one with any port (`http://localhost:*`), or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginPattern(String);

impl OriginPattern {
    /// Whether the value of an `Origin` header is meant.
    pub fn matches(&self, origin: &str) -> bool {
        if let Some(host) = self.0.strip_suffix(":*") {
            let port = origin.strip_prefix(host);
            return port.is_some_and(|port| {
                port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok())
            });
        }
        self.is_any() || self.0 == origin
    }

    /// Whether every origin is meant.
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }
}

impl TryFrom<String> for OriginPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text.split_once("://").map_or("", |(_, host)| host);
        if text == "*" || (!host.is_empty() && !host.contains('/')) {
            Ok(Self(text))
        } else {
            Err(format!("\"{text}\" is no origin; write scheme, host and port without a path, or \"*\""))
        }
    }
}

impl From<OriginPattern> for String {
    fn from(pattern: OriginPattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_pattern_means_one_host() {
        let pattern = |text: &str| OriginPattern::try_from(text.to_owned()).unwrap();
        let local = pattern("http://localhost:*");
        assert!(local.matches("http://localhost:3000") && local.matches("http://localhost"));
        for origin in [
            "http://localhost.evil",
            "https://localhost:1",
            "http://localhost:99999",
            "http://localhost:1.evil",
            "null",
        ] {
            assert!(!local.matches(origin), "{origin}");
        }
        assert!(pattern("https://a.example").matches("https://a.example"));
        assert!(!pattern("https://a.example").matches("https://a.example:8443"));
        assert!(OriginPattern::try_from("localhost".to_owned()).is_err());
    }
}
