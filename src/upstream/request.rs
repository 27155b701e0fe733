//! A request on its way to an upstream.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};

use super::Target;
use crate::dialect::{Beginning, Dialect, Path, patch};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

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
    /// The question for a provider's models in `dialect`.
    pub fn for_models(dialect: &'static dyn Dialect) -> Self {
        Self {
            dialect,
            method: Method::GET,
            path: Path::Fixed(dialect.models_path().to_owned()),
            headers: dialect.version().into_iter().collect(),
            body: Bytes::new(),
            model_span: 0..0,
        }
    }

    /// The same request, asking `target` to go on with the `beginning` of an answer to it.
    ///
    /// # Errors
    ///
    /// Half a sentence: why that cannot be asked, "it ...".
    pub(super) fn going_on(&self, target: &Target, beginning: &Beginning<'_>) -> Result<Self, &'static str> {
        if !self.dialect.extends(beginning.way) {
            return Err("it is asked in a dialect that has no word for it");
        }
        let body = self.dialect.extend_request(&self.body_for(target), beginning)?;
        let mut request = Self { body, model_span: 0..0, ..self.clone() };
        // It is another request than the one that the client gave this name.
        request.headers.remove(IDEMPOTENCY_KEY);
        Ok(request)
    }

    /// The body with the name that `target` has for the model. Everything else in it stays as it is.
    pub fn body_for(&self, target: &Target) -> Bytes {
        if self.model_span.is_empty() {
            self.body.clone()
        } else {
            patch::replace_string(&self.body, self.model_span.clone(), &target.model)
        }
    }
}
