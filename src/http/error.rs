//! The one place where an [`Error`] becomes a response.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::dialect::openai_chat::error::error_body;
use crate::error::Error;

/// Names the kind of an error, for programs that do not read the body and people who wonder whose 401 it is.
const ERROR_KIND: HeaderName = HeaderName::from_static("x-sluicegate-error");

impl IntoResponse for Error {
    /// The error also goes along as an extension, for the log.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(error_body(&self)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ERROR_KIND, HeaderValue::from_static(self.kind()));
        match &self {
            Self::UpstreamStatus { retry_after: Some(when), .. } => {
                if let Ok(when) = HeaderValue::from_str(when) {
                    headers.insert(RETRY_AFTER, when);
                }
            }
            Self::MissingKey | Self::InvalidKey => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::ShuttingDown => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // Their body is still on its way; a connection is cheaper than the rest of it.
            Self::BodyTooLarge { .. } | Self::BodyTimeout => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}
