//! A chunk of a stream, which is what a whole answer is, too. All of it is borrowed from the text it is read from.
//!
//! <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;
use serde_json::value::RawValue;

use crate::canonical;
use crate::dialect::json::Str;

/// The data of one event, or a whole answer, or an error.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow, default)]
    pub(super) prompt_feedback: Option<PromptFeedback<'a>>,
    /// In every chunk, and the last one counts.
    #[serde(default)]
    pub(super) usage_metadata: Option<UsageMetadata>,
    #[serde(borrow, default)]
    pub(super) model_version: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) response_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

impl<'a> Chunk<'a> {
    /// Why the prompt was refused, if it was: then there is no candidate, and nothing else comes.
    pub(super) fn refusal(&self) -> Option<(&Str<'a>, Option<&Str<'a>>)> {
        let feedback = self.prompt_feedback.as_ref()?;
        let reason = feedback.block_reason.as_ref().filter(|_| self.candidates.iter().flatten().next().is_none())?;
        Some((reason, feedback.block_reason_message.as_ref()))
    }
}

/// One of the answers: there is one unless more were asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(default)]
    pub(super) index: Option<u32>,
    #[serde(borrow, default)]
    pub(super) content: Option<Content<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_message: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) grounding_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) citation_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) logprobs_result: Option<&'a RawValue>,
}

impl<'a> Candidate<'a> {
    /// The parts of it that this chunk brings.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part<'a>> {
        self.content.iter().flat_map(|content| content.parts.iter().flatten())
    }

    /// Why it ends, if it does.
    pub(super) fn finish_reason(&self) -> Option<&str> {
        let reason = self.finish_reason.as_ref().map(|reason| &*reason.0);
        reason.filter(|reason| !reason.is_empty() && *reason != "FINISH_REASON_UNSPECIFIED")
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow, default)]
    pub(super) parts: Option<Vec<Part<'a>>>,
}

/// More of an answer: a piece of text, or the whole of anything else.
#[derive(Debug, Default)]
pub(super) struct Part<'a> {
    pub(super) text: Option<Cow<'a, str>>,
    /// The text is a thought.
    pub(super) thought: bool,
    pub(super) signature: Option<Cow<'a, str>>,
    pub(super) call: Option<FunctionCall<'a>>,
    /// The name of what it is if it is none of these.
    pub(super) other: Option<Cow<'a, str>>,
}

impl Part<'_> {
    /// Whether it says something: a last chunk often brings an empty text.
    pub(super) fn has_content(&self) -> bool {
        self.text.as_ref().is_some_and(|text| !text.is_empty()) || self.call.is_some() || self.other.is_some()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Part<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Part<'de>, M::Error> {
        let mut part = Part::default();
        while let Some(Str(name)) = fields.next_key()? {
            match &*name {
                "text" => part.text = fields.next_value::<Option<Str<'_>>>()?.map(|text| text.0),
                "thought" => part.thought = fields.next_value::<Option<bool>>()?.unwrap_or(false),
                "thoughtSignature" => part.signature = fields.next_value::<Option<Str<'_>>>()?.map(|mark| mark.0),
                "functionCall" => part.call = fields.next_value()?,
                _ if name.ends_with("Metadata") || name == "mediaResolution" => {
                    fields.next_value::<IgnoredAny>().map(|_| ())?;
                }
                _ => part.other = fields.next_value::<Option<IgnoredAny>>()?.map(|_| name).or(part.other),
            }
        }
        Ok(part)
    }
}

/// A call of a tool: whole, or, where arguments are streamed, a piece of one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FunctionCall<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) args: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) partial_args: Option<Vec<PartialArg<'a>>>,
    #[serde(default)]
    will_continue: Option<bool>,
}

impl FunctionCall<'_> {
    /// Whether more of it comes.
    pub(super) fn will_continue(&self) -> bool {
        self.will_continue == Some(true)
    }
}

/// One value among a call's arguments, or a piece of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartialArg<'a> {
    #[serde(borrow, default)]
    pub(super) json_path: Str<'a>,
    #[serde(borrow, default)]
    pub(super) string_value: Option<Str<'a>>,
    #[serde(default)]
    pub(super) number_value: Option<Number>,
    #[serde(default)]
    pub(super) bool_value: Option<bool>,
    #[serde(default)]
    pub(super) will_continue: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback<'a> {
    #[serde(borrow, default)]
    block_reason: Option<Str<'a>>,
    #[serde(borrow, default)]
    block_reason_message: Option<Str<'a>>,
}

/// Token counts so far.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UsageMetadata {
    /// Those from the cache included, those of the results of tools that Google runs not.
    prompt_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    /// Thoughts not included.
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
}

impl UsageMetadata {
    /// The usage it tells; `None` if it tells none, as in the middle of a stream of Vertex AI.
    pub(super) fn usage(&self) -> Option<canonical::Usage> {
        let Self { prompt_token_count: prompt, candidates_token_count: candidates, .. } = self;
        let sum = |one: Option<u64>, other: Option<u64>| one.unwrap_or(0).saturating_add(other.unwrap_or(0));
        prompt.or(*candidates).or(self.thoughts_token_count)?;
        Some(canonical::Usage {
            input_tokens: sum(*prompt, self.tool_use_prompt_token_count),
            output_tokens: sum(*candidates, self.thoughts_token_count),
            cached_input_tokens: self.cached_content_token_count.unwrap_or(0),
            cache_write_input_tokens: 0,
            reasoning_output_tokens: self.thoughts_token_count.unwrap_or(0),
        })
    }
}
