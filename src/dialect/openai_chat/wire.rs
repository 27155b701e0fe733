//! The parts of a chunk that the proxy reads. Field names are OpenAI's and those of its speakers.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::canonical;

/// One `data:` payload: a chat completion chunk, a legacy completion chunk, or an error.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    /// vLLM marks an error chunk with `"object": "error"`.
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
}

impl Chunk<'_> {
    /// Whether the chunk calls itself an error.
    pub(super) fn is_error_object(&self) -> bool {
        self.object.is_some_and(|object| object.get() == "\"error\"")
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub(super) delta: Option<Delta>,
    /// The text of a legacy completion.
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) finish_reason: Option<IgnoredAny>,
}

/// What a chunk adds to a message, of which only one thing counts: whether it is anything.
#[derive(Debug)]
pub(super) struct Delta {
    /// Whether the model has said something: text, reasoning, a tool call, or what a provider has thought of since. The role
    /// alone, nulls and empty values are nothing.
    has_content: bool,
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(DeltaVisitor)
    }
}

struct DeltaVisitor;

impl<'de> Visitor<'de> for DeltaVisitor {
    type Value = Delta;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Delta, M::Error> {
        let mut has_content = false;
        while let Some((name, value)) = fields.next_entry::<&RawValue, &RawValue>()? {
            has_content |= name.get() != "\"role\"" && !is_empty(value);
        }
        Ok(Delta { has_content })
    }
}

/// Whether a field says nothing.
fn is_empty(value: &RawValue) -> bool {
    matches!(value.get(), "null" | "\"\"" | "[]" | "{}")
}

impl Choice<'_> {
    pub(super) fn has_content(&self) -> bool {
        self.delta.as_ref().is_some_and(|delta| delta.has_content) || self.text.is_some_and(|text| !is_empty(text))
    }
}

/// Tokens, as OpenAI and its speakers tell them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    total_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's word for what was cached.
    #[serde(default)]
    prompt_cache_hit_tokens: Option<u64>,
    /// Moonshot's and Together's.
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl From<Usage> for canonical::Usage {
    fn from(usage: Usage) -> Self {
        let prompt = usage.prompt_tokens_details.unwrap_or_default();
        let (input, told) = (usage.prompt_tokens.unwrap_or(0), usage.completion_tokens.unwrap_or(0));
        let reasoning = usage.completion_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0);
        // xAI counts reasoning beside the completion, not in it. The total tells.
        let whole = told.saturating_add(reasoning);
        let is_beside = usage.total_tokens.is_some_and(|total| total == input.saturating_add(whole));
        Self {
            input_tokens: input,
            output_tokens: if is_beside { whole } else { told },
            cached_input_tokens: prompt
                .cached_tokens
                .or(usage.prompt_cache_hit_tokens)
                .or(usage.cached_tokens)
                .unwrap_or(0),
            cache_write_input_tokens: prompt.cache_write_tokens.unwrap_or(0),
            reasoning_output_tokens: reasoning,
        }
    }
}
