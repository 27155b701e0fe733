//! Which web pages may call, and what they are told.
//!
//! Without keys, any page that a person visits could spend the operator's tokens through a proxy on localhost. So pages of
//! origins that are not allowed are refused then, rather than only denied the answer.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use axum::body::Body;
use axum::response::Response;

use crate::config::server::Cors;
use crate::error::Error;

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const EXPOSED: &str = "x-request-id, request-id, x-sluicegate-error, x-sluicegate-dropped, x-sluicegate-stream-id, \
    location, retry-after";

/// The page that a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// None, or one of this server's own.
    Own,
    /// One that may call. Holds the value of `Access-Control-Allow-Origin`.
    Allowed(HeaderValue),
    /// Another one.
    Foreign,
}

impl Page {
    /// Reads `Origin`, which only browsers send.
    pub(super) fn of(headers: &HeaderMap, host: &str, config: &Cors) -> Self {
        let Some(origin) = headers.get(ORIGIN) else {
            return Self::Own;
        };
        let text = origin.to_str().unwrap_or("null");
        if text.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host)) {
            return Self::Own;
        }
        match config.allowed_origins.iter().find(|pattern| pattern.matches(text)) {
            Some(pattern) if pattern.is_any() => Self::Allowed(HeaderValue::from_static("*")),
            Some(_) => Self::Allowed(origin.clone()),
            None => Self::Foreign,
        }
    }

    /// The answer to a preflight, if the request is one. It comes before any key is asked for: browsers send none.
    pub(super) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Result<Response, Error>> {
        if *method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        if *self == Self::Foreign {
            return Some(Err(Error::OriginRefused));
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE, OPTIONS"));
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        if headers.contains_key(REQUEST_PRIVATE_NETWORK) {
            answer.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        Some(Ok(response))
    }

    /// Adds what the browser must see to give the answer to the page, be it a stream or an error.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        if let Self::Allowed(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
        if *self != Self::Own {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
    }
}
