//! The parts of events, items and responses that the proxy reads.
//!
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::canonical;
use crate::dialect::UpstreamError;
use crate::dialect::json::Str;

/// What must be known of an event to judge a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Notable<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

/// The data of one event. What is in an item, a part or a response is read by those who need it.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Cow<'a, str>,
    #[serde(default)]
    pub(super) output_index: Option<u32>,
    #[serde(default)]
    pub(super) content_index: Option<u32>,
    #[serde(default)]
    pub(super) summary_index: Option<u32>,
    #[serde(borrow, default)]
    pub(super) delta: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) logprobs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) annotation: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) part: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) response: Option<&'a RawValue>,
}

/// What something is.
#[derive(Debug, Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Cow<'a, str>,
}

/// A response as its events carry it, and as an answer that does not stream.
#[derive(Debug, Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) model: Option<Str<'a>>,
    #[serde(borrow, default)]
    status: Option<Str<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    incomplete_details: Option<IncompleteDetails<'a>>,
    #[serde(borrow, default)]
    pub(super) output: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
struct IncompleteDetails<'a> {
    #[serde(borrow, default)]
    reason: Option<Str<'a>>,
}

impl Response<'_> {
    /// The error that the response is.
    pub(super) fn failure(&self) -> Option<UpstreamError> {
        let told = self.error.and_then(|error| {
            let body = format!(r#"{{"error":{}}}"#, error.get());
            UpstreamError::parse(body.as_bytes())
        });
        let has_failed = self.status.as_ref().is_some_and(|status| status.0 == "failed");
        let unsaid = || UpstreamError { message: "The response failed.".to_owned(), ..UpstreamError::default() };
        told.or_else(|| has_failed.then(unsaid))
    }

    /// Why the model stopped short of the end, if it did.
    pub(super) fn incomplete_reason(&self) -> Option<&str> {
        let is_incomplete = self.status.as_ref().is_some_and(|status| status.0 == "incomplete");
        let reason = self.incomplete_details.as_ref().and_then(|details| details.reason.as_ref());
        reason.map(|reason| &*reason.0).or(is_incomplete.then_some("incomplete"))
    }
}

/// One item of a response's output.
#[derive(Debug, Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) call_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) encrypted_content: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Option<Vec<Part<'a>>>,
    #[serde(borrow, default)]
    pub(super) summary: Option<Vec<Part<'a>>>,
}

/// A part of a message or of thoughts.
#[derive(Debug, Deserialize)]
pub(super) struct Part<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) annotations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) logprobs: Option<&'a RawValue>,
}

/// The list that `value` is; an empty one if it is absent or none of these. A text is worth telling without them.
pub(super) fn list_of<'a, T: Deserialize<'a>, U: From<T>>(value: Option<&'a RawValue>) -> Vec<U> {
    let told = value.filter(|value| value.get().len() > "[]".len());
    let list = told.and_then(|value| serde_json::from_str::<Vec<T>>(value.get()).ok());
    list.into_iter().flatten().map(U::from).collect()
}

/// The text that `value` is. Arguments that came as an object instead of its text are that text.
pub(super) fn text_of(value: &RawValue) -> Cow<'_, str> {
    match serde_json::from_str::<Str<'_>>(value.get()) {
        Ok(text) => text.0,
        Err(_) if value.get() == "null" => Cow::Borrowed(""),
        Err(_) => Cow::Borrowed(value.get()),
    }
}

/// Where a text has a fact from: a page, or a file that the provider knows.
#[derive(Debug, Deserialize)]
pub(super) struct Annotation {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    start_index: Option<u64>,
    #[serde(default)]
    end_index: Option<u64>,
}

impl From<Annotation> for canonical::Annotation {
    fn from(annotation: Annotation) -> Self {
        Self {
            url: annotation.url,
            title: annotation.title.or(annotation.filename),
            cited_text: None,
            span: annotation.start_index.zip(annotation.end_index),
        }
    }
}

/// How likely a token was.
#[derive(Debug, Deserialize)]
pub(super) struct Logprob {
    #[serde(default)]
    token: String,
    #[serde(default)]
    logprob: f64,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Option<Vec<Self>>,
}

impl From<Logprob> for canonical::Logprob {
    fn from(logprob: Logprob) -> Self {
        Self {
            token: logprob.token,
            logprob: logprob.logprob,
            bytes: logprob.bytes,
            top: logprob.top_logprobs.into_iter().flatten().map(Self::from).collect(),
        }
    }
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    input_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl From<Usage> for canonical::Usage {
    fn from(usage: Usage) -> Self {
        let (input, output) = (usage.input_tokens_details.unwrap_or_default(), usage.output_tokens_details);
        Self {
            input_tokens: usage.input_tokens.unwrap_or(0),
            output_tokens: usage.output_tokens.unwrap_or(0),
            cached_input_tokens: input.cached_tokens.unwrap_or(0),
            cache_write_input_tokens: input.cache_write_tokens.unwrap_or(0),
            reasoning_output_tokens: output.and_then(|details| details.reasoning_tokens).unwrap_or(0),
        }
    }
}
