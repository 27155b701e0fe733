//! The blocks that a message is made of, as a translation reads them.
//!
//! <https://docs.claude.com/en/docs/build-with-claude/streaming>. A token is read into these without being copied, unless
//! something in it is escaped.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::Usage;
use crate::canonical::Annotation;
use crate::dialect::json::text;

/// The data of one event.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) r#type: Cow<'a, str>,
    #[serde(default)]
    pub(super) index: u64,
    #[serde(borrow, default)]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    pub(super) content_block: Option<Block<'a>>,
    #[serde(borrow, default)]
    pub(super) message: Option<Message<'a>>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
}

/// A message: what a stream announces, or an answer that did not stream.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) model: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) content: Option<Vec<Block<'a>>>,
    #[serde(flatten)]
    pub(super) stop: Stop,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
}

/// Why the model stopped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stop {
    #[serde(rename = "stop_reason")]
    pub(super) reason: Option<String>,
    #[serde(rename = "stop_sequence")]
    pub(super) sequence: Option<String>,
    #[serde(rename = "stop_details")]
    pub(super) details: Option<StopDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StopDetails {
    pub(super) explanation: Option<String>,
}

/// A block, or the beginning of one.
#[derive(Debug, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) r#type: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) text: Cow<'a, str>,
    #[serde(default)]
    pub(super) citations: Option<Vec<Citation>>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) thinking: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) signature: Cow<'a, str>,
    /// Of redacted thinking.
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) data: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
}

/// What is added to a block, or, at the end, to the message.
#[derive(Debug, Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) r#type: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) text: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) thinking: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) signature: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) partial_json: Cow<'a, str>,
    #[serde(default)]
    pub(super) citation: Option<Citation>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    stop_sequence: Option<String>,
    #[serde(default)]
    stop_details: Option<StopDetails>,
}

impl Delta<'_> {
    pub(super) fn into_stop(self) -> Stop {
        Stop { reason: self.stop_reason, sequence: self.stop_sequence, details: self.stop_details }
    }
}

/// Where a text has a fact from: a page, a document of the request, a search result of the client's own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Citation {
    cited_text: Option<String>,
    url: Option<String>,
    title: Option<String>,
    document_title: Option<String>,
    /// Of a search result: where it was found, often a URL.
    source: Option<String>,
}

impl From<Citation> for Annotation {
    fn from(citation: Citation) -> Self {
        let source = citation.source.filter(|source| source.starts_with("https://") || source.starts_with("http://"));
        Self {
            url: citation.url.or(source),
            title: citation.title.or(citation.document_title),
            cited_text: citation.cited_text,
            span: None,
        }
    }
}
