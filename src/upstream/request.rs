//! A request on its way to an upstream.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::Target;
use crate::dialect::patch;

/// A request as the client sent it, freed of what belongs to the client's connection.
#[derive(Debug, Clone)]
pub struct UpstreamRequest {
    /// The method.
    pub method: Method,
    /// What is appended to the provider's base URL, with its query: `/chat/completions`.
    pub path: String,
    /// Header fields that may leave.
    pub headers: HeaderMap,
    /// The body, if it has been read.
    pub body: Bytes,
    /// Where the body names the model.
    pub model_span: Range<usize>,
}

impl UpstreamRequest {
    /// The request for `target`: its URL, its credentials, its name of the model. Everything else stays as it is.
    pub fn to(&self, target: &Target) -> reqwest::Request {
        let body = if self.model_span.is_empty() {
            self.body.clone()
        } else {
            patch::replace_string(&self.body, self.model_span.clone(), &target.model)
        };
        self.with_body(target, body.into())
    }

    /// The request for `target` with a body that is still arriving.
    pub fn with_body(&self, target: &Target, body: reqwest::Body) -> reqwest::Request {
        let upstream = &target.upstream;
        let mut request = reqwest::Request::new(self.method.clone(), upstream.url(&self.path));
        *request.headers_mut() = self.headers.clone();
        for (name, value) in &upstream.headers {
            request.headers_mut().insert(name, value.clone());
        }
        *request.body_mut() = Some(body);
        request
    }
}
