//! The parts of an event and of an answer that the proxy reads.
//!
//! <https://docs.claude.com/en/docs/build-with-claude/streaming>

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::canonical;

/// The data of one event.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow, default)]
    pub(super) content_block: Option<Block<'a>>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

/// The message as a stream announces it, and as an answer that does not stream.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Cow<'a, str>,
    /// Empty in an announcement, but for answers that the provider has kept: they begin with what was said before.
    #[serde(default)]
    pub(super) content: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

/// The beginning of a block of content.
#[derive(Debug, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
}

impl Block<'_> {
    /// Whether it says something by itself: text and thinking begin empty, a tool's call begins with its name.
    pub(super) fn has_content(&self) -> bool {
        !matches!(&*self.r#type, "text" | "thinking")
    }
}

/// Token counts. A count that is absent is one that has not changed.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct Counts {
    /// Without those read from or written to the cache.
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    #[serde(flatten)]
    counts: Counts,
    output_tokens_details: Option<OutputDetails>,
    iterations: Option<Vec<Iteration>>,
}

#[derive(Debug, Default, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

/// One of several generations that made an answer: the numbers above are those of the last.
#[derive(Debug, Deserialize)]
struct Iteration {
    #[serde(default)]
    r#type: String,
    #[serde(flatten)]
    counts: Counts,
}

impl Usage {
    /// The usage after `before`, which these numbers override.
    pub(super) fn over(&self, before: Option<canonical::Usage>) -> canonical::Usage {
        let before = before.unwrap_or_default();
        let reasoning = self.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens);
        let usage = match self.iterations.as_deref().and_then(sum) {
            Some(all) => all,
            None => self.counts.over(before),
        };
        canonical::Usage { reasoning_output_tokens: reasoning.unwrap_or(before.reasoning_output_tokens), ..usage }
    }
}

/// What the model itself has used in all its iterations: the advisor it asked is another model. `None` if another model took
/// over; then the numbers above are the whole.
fn sum(iterations: &[Iteration]) -> Option<canonical::Usage> {
    if iterations.iter().any(|iteration| iteration.r#type == "fallback_message") {
        return None;
    }
    let own = iterations.iter().filter(|iteration| matches!(&*iteration.r#type, "message" | "compaction"));
    own.map(|iteration| iteration.counts.over(canonical::Usage::default())).reduce(|sum, usage| canonical::Usage {
        input_tokens: sum.input_tokens + usage.input_tokens,
        cached_input_tokens: sum.cached_input_tokens + usage.cached_input_tokens,
        cache_write_input_tokens: sum.cache_write_input_tokens + usage.cache_write_input_tokens,
        output_tokens: sum.output_tokens + usage.output_tokens,
        reasoning_output_tokens: 0,
    })
}

impl Counts {
    fn over(self, before: canonical::Usage) -> canonical::Usage {
        let cached = self.cache_read_input_tokens.unwrap_or(before.cached_input_tokens);
        let written = self.cache_creation_input_tokens.unwrap_or(before.cache_write_input_tokens);
        let plain = self.input_tokens.unwrap_or_else(|| before.plain_input_tokens());
        canonical::Usage {
            input_tokens: plain.saturating_add(cached).saturating_add(written),
            cached_input_tokens: cached,
            cache_write_input_tokens: written,
            output_tokens: self.output_tokens.unwrap_or(before.output_tokens),
            reasoning_output_tokens: before.reasoning_output_tokens,
        }
    }
}
