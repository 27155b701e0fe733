//! How a stream of events is written to the client.

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::dialect::gemini::ArrayWriter;

/// The form of a streaming response's body.
#[derive(Debug, Default)]
pub enum Output {
    /// Frames as they are.
    #[default]
    AsIs,
    /// The data of events as the elements of one JSON array: what Gemini's clients get that ask without `alt=sse`.
    Array(ArrayWriter),
}

impl Output {
    /// The media type of the body that a stream of `dialect` becomes.
    pub fn content_type(&self, dialect: &dyn Dialect) -> &'static str {
        match self {
            Self::AsIs => dialect.framing().content_type(),
            Self::Array(_) => "application/json",
        }
    }

    pub(super) fn write(&mut self, run: Bytes) -> Bytes {
        match self {
            Self::AsIs => run,
            Self::Array(array) => array.push(&run).into(),
        }
    }

    /// Writes the last frames, if there are any, and what ends the body.
    pub(super) fn write_last(&mut self, run: Bytes) -> Bytes {
        match self {
            Self::AsIs => run,
            Self::Array(array) => [array.push(&run), array.end()].concat().into(),
        }
    }

    /// What shows a client that speaks `dialect` that the stream lives.
    pub(super) fn keep_alive(&self, dialect: &dyn Dialect) -> &'static [u8] {
        match self {
            Self::AsIs => dialect.keep_alive(),
            Self::Array(_) => ArrayWriter::KEEP_ALIVE,
        }
    }
}
