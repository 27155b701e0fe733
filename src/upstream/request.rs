//! A request on its way to an upstream.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::Target;
use crate::dialect::{Dialect, patch};

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

/// What is appended to a provider's base URL, with its query.
#[derive(Debug, Clone)]
pub enum Path {
    /// The same for every model: `/chat/completions`.
    Fixed(String),
    /// What is to be done with a model that the path names, as Gemini has it: `generateContent`, with a query from the `?` on.
    OfModel {
        /// The method behind the model's name.
        action: String,
        /// The query, with its `?`; empty if there is none.
        query: String,
    },
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

    /// The path with the name that `target` has for the model.
    pub fn path_for(&self, target: &Target) -> Cow<'_, str> {
        match &self.path {
            Path::Fixed(path) => Cow::Borrowed(path),
            Path::OfModel { action, query } => {
                Cow::Owned(format!("{}{query}", crate::dialect::gemini::path_of(&target.model, action)))
            }
        }
    }
}
