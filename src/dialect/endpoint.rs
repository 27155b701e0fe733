//! Where clients ask, and what the URL says of a request.

use std::borrow::Cow;
use std::fmt;

use super::Shape;

/// One endpoint, and what a request says by being made there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where an upstream that speaks the dialect is asked.
    pub path: Path,
    /// The model, where the URL names it.
    pub model: Option<String>,
    /// Whether to stream, where the URL says so.
    pub stream: Option<bool>,
    /// Which of the dialect's endpoints it is.
    pub shape: Shape,
    /// Whether it is translated for those who speak another dialect. Whoever speaks only others cannot be asked if not.
    pub is_translated: bool,
    /// Whether the body is JSON whatever it is announced as.
    pub takes_any_type: bool,
}

impl Endpoint {
    /// A chat that is asked of an upstream at `path`, with the client's `query`.
    pub fn chat(path: &str, query: Option<&str>) -> Self {
        Self {
            path: Path::Fixed(query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))),
            model: None,
            stream: None,
            shape: Shape::Chat,
            is_translated: true,
            takes_any_type: false,
        }
    }
}

/// What is appended to a provider's base URL, with its query.
#[derive(Clone)]
pub enum Path {
    /// The same for every model: `/chat/completions`.
    Fixed(String),
    /// One that names the model, as Gemini's do.
    OfModel {
        /// Writes the path of an action with a model.
        write: fn(model: &str, action: &str) -> String,
        /// The action.
        action: String,
        /// The query, with its `?`; empty if there is none.
        query: String,
    },
}

impl Path {
    /// The path where a provider calls the model `model`.
    pub fn to(&self, model: &str) -> Cow<'_, str> {
        match self {
            Self::Fixed(path) => Cow::Borrowed(path),
            Self::OfModel { write, action, query } => Cow::Owned(write(model, action) + query),
        }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to("{model}"))
    }
}
