//! The one place where an [`Error`] becomes a response.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};

use super::headers;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::upstream::whole_seconds;

/// Names the kind of an error, for programs that do not read the body and people who wonder whose 401 it is.
const ERROR_KIND: HeaderName = HeaderName::from_static("x-sluicegate-error");

impl IntoResponse for Error {
    /// An empty response that carries the error to `tell`: handlers and routes need not know how clients are told.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// Makes `response`, whatever it was, tell `error` in `dialect`. Header fields that are there stay.
pub(super) fn tell(response: &mut Response, error: &Error, dialect: &dyn Dialect) {
    let body = dialect.error_body(error);
    *response.status_mut() = error.status();
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(CONTENT_LENGTH, body.len().into());
    fields.insert(ERROR_KIND, HeaderValue::from_static(error.kind()));
    match error {
        Error::UpstreamStatus { headers: theirs, .. } => fields.extend(headers::about(theirs)),
        Error::UpstreamReported { retry_after: Some(wait), .. } => {
            fields.insert(RETRY_AFTER, whole_seconds(*wait).into());
        }
        Error::MissingKey | Error::InvalidKey => {
            fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Error::OverCapacity { .. } | Error::ShuttingDown | Error::StreamsUnavailable => {
            fields.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // Their body is still on its way; a connection is cheaper than the rest of it.
        Error::BodyTooLarge { .. } | Error::BodyTimeout => {
            fields.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    *response.body_mut() = Body::from(body);
}
