//! Reads request bodies that must be known whole.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http_body_util::BodyExt;

use crate::config::server::Server;
use crate::error::Error;

/// Whether the body is announced as JSON (`application/json`, `application/anything+json`).
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let suffix = subtype.rsplit('+').next().unwrap_or_default();
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

/// Refuses a body in any transfer coding but `chunked`, the only one that hyper undoes: with others under it, what they
/// wrap would be taken for the body itself.
pub(super) fn check_coding(headers: &HeaderMap) -> Result<(), Error> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Error::InvalidRequest {
            message: "Send the body with a content length or chunked, and in no other transfer coding.".to_owned(),
            param: None,
        }),
    }
}

/// Reads the whole of `body`, within the size and time the configuration allows.
pub(super) async fn read(headers: &HeaderMap, body: Body, config: &Server) -> Result<Bytes, Error> {
    let limit = config.max_body_bytes;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Error::BodyTooLarge { limit });
    }
    within(config.body_timeout, read_whole(body, limit)).await?
}

/// Most bodies come in one piece, which is then the body.
async fn read_whole(mut body: Body, limit: usize) -> Result<Bytes, Error> {
    let mut pieces = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::InvalidRequest {
            message: format!("The request body broke off: {error}."),
            param: None,
        })?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit {
            return Err(Error::BodyTooLarge { limit });
        }
        pieces.push(data);
    }
    match pieces.len() {
        1 => Ok(pieces.swap_remove(0)),
        _ => Ok(pieces.concat().into()),
    }
}

/// Reads no longer than `limit`.
pub(super) async fn within<T>(limit: Duration, reading: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(limit, reading).await.map_err(|_| Error::BodyTimeout)
}
