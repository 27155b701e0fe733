//! The head of a streaming response ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112#section-2.1)).

use std::time::SystemTime;

use http::header::{CONNECTION, DATE, TRANSFER_ENCODING};
use http::response::Parts;

use crate::upstream::http1::write_field;

/// The head of a chunked response, after which the connection ends if it `is_last`.
pub(super) fn encode(parts: &Parts, is_last: bool) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    let reason = parts.status.canonical_reason().unwrap_or_default();
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(parts.status.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(reason.as_bytes());
    head.extend_from_slice(b"\r\n");
    for (name, value) in &parts.headers {
        write_field(&mut head, name.as_str(), value.as_bytes());
    }
    write_field(&mut head, TRANSFER_ENCODING.as_str(), b"chunked");
    if is_last {
        write_field(&mut head, CONNECTION.as_str(), b"close");
    }
    if !parts.headers.contains_key(DATE) {
        write_field(&mut head, DATE.as_str(), httpdate::fmt_http_date(SystemTime::now()).as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}
