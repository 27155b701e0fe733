//! A request on its way to an upstream.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::Target;
use crate::dialect::{Dialect, Path, patch};

/// A request freed of what belongs to the client's connection.
#[derive(Debug, Clone)]
pub struct UpstreamRequest {
    /// The dialect it is written in, and its answer.
    pub dialect: &'static dyn Dialect,
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub path: Path,
    /// Header fields that may leave.
    pub headers: HeaderMap,
    /// The body, if it has been read.
    pub body: Bytes,
    /// Where the body names the model.
    pub model_span: Range<usize>,
}

impl UpstreamRequest {
    /// The body with the name that `target` has for the model. Everything else in it stays as it is.
    pub fn body_for(&self, target: &Target) -> Bytes {
        if self.model_span.is_empty() {
            self.body.clone()
        } else {
            patch::replace_string(&self.body, self.model_span.clone(), &target.model)
        }
    }
}
