//! How an HTTP/1.1 connection becomes a WebSocket.
//!
//! [RFC 6455 §4.2](https://www.rfc-editor.org/rfc/rfc6455#section-4.2)

use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Version};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::error::Error;

/// The only version there is.
pub(super) const VERSION: HeaderValue = HeaderValue::from_static("13");
/// What every server appends to the client's key before it hashes it.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// A browser can set no header but the list of protocols. So OpenAI takes a key there, under this name.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// Whether `request` asks for a WebSocket on a connection that can become one.
pub(crate) fn is_wanted(request: &Request) -> bool {
    request.version() == Version::HTTP_11
        && *request.method() == Method::GET
        && elements(request.headers(), UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// The API key in the list of protocols, if there is one.
pub(crate) fn key_in_protocols(headers: &HeaderMap) -> Option<&str> {
    elements(headers, SEC_WEBSOCKET_PROTOCOL).find_map(|protocol| protocol.strip_prefix(KEY_PROTOCOL))
}

/// What to answer the client's key with, and which of its protocols to name. Browsers want one named if they named any.
pub(super) fn check(headers: &HeaderMap) -> Result<(HeaderValue, Option<HeaderValue>), Error> {
    let wrong = |message: &str| Err(Error::InvalidRequest { message: message.to_owned(), param: None });
    if !elements(headers, CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade")) {
        return wrong("A WebSocket handshake needs \"connection: upgrade\".");
    }
    if headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        return wrong("A WebSocket handshake needs \"sec-websocket-version: 13\".");
    }
    let has_body = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body || headers.contains_key(TRANSFER_ENCODING) {
        return wrong("A WebSocket handshake has no body.");
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) => {
            Ok((accept(key.as_bytes()), protocol(headers)))
        }
        _ => wrong("A WebSocket handshake needs one sec-websocket-key: 16 bytes in Base64."),
    }
}

fn accept(key: &[u8]) -> HeaderValue {
    // No secret depends on this hash; the standard wants no other.
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    HeaderValue::try_from(STANDARD.encode(hash.finish())).expect("Base64 is visible ASCII")
}

/// The first protocol that the client offers and that is no key.
fn protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut offered = elements(headers, SEC_WEBSOCKET_PROTOCOL).filter(|protocol| !protocol.starts_with(KEY_PROTOCOL));
    offered.next().and_then(|protocol| HeaderValue::from_str(protocol).ok())
}

/// The elements of a field that is a list, over however many lines.
fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(protocols: &'static str) -> HeaderMap {
        let fields = [
            (CONNECTION, "keep-alive, Upgrade"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
            (SEC_WEBSOCKET_PROTOCOL, protocols),
        ];
        fields.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_key_of_the_standard_is_answered_as_the_standard_does() {
        let (accept, protocol) = check(&headers("")).unwrap();
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(protocol, None);
    }

    #[test]
    fn a_key_among_the_protocols_is_found_and_never_named() {
        for protocols in ["openai-insecure-api-key.sk-1, responses", "responses,openai-insecure-api-key.sk-1"] {
            let headers = headers(protocols);
            assert_eq!(key_in_protocols(&headers), Some("sk-1"));
            assert_eq!(check(&headers).unwrap().1.unwrap(), "responses");
        }
        assert_eq!(check(&headers("openai-insecure-api-key.sk-1")).unwrap().1, None);
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        let broken: [(HeaderName, &str); 4] = [
            (CONNECTION, "keep-alive"),
            (SEC_WEBSOCKET_VERSION, "8"),
            (SEC_WEBSOCKET_KEY, "c2hvcnQ="),
            (CONTENT_LENGTH, "5"),
        ];
        for (name, value) in broken {
            let mut headers = headers("");
            headers.insert(&name, HeaderValue::from_static(value));
            assert!(check(&headers).is_err(), "{name}: {value}");
        }
    }
}
