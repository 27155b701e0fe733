//! A line of a stream, which is also what an answer is that does not stream.
//!
//! <https://github.com/ollama/ollama/blob/main/docs/api.md>

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::canonical;
use crate::dialect::UpstreamError;
use crate::dialect::json::{Str, text};

/// One line of `/api/chat` or of `/api/generate`, which says at the top what the other says in `message`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Line<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) model: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) response: Option<Str<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    thinking: Cow<'a, str>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
    /// What a model says that makes pictures.
    image: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    done: Option<bool>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) done_reason: Cow<'a, str>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow, deserialize_with = "text")]
    content: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    thinking: Cow<'a, str>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
}

/// A call of a tool, whole.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Call<'a> {
    /// Only newer servers give one.
    #[serde(borrow, deserialize_with = "text")]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) function: Function<'a>,
}

/// The called function. Its `index` is not read: some servers count the calls of a line, some those of an answer, and some do
/// not count.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Function<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// How likely a token was.
#[derive(Debug, Deserialize)]
pub(super) struct Logprob {
    token: String,
    logprob: f64,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Option<Vec<Self>>,
}

impl Line<'_> {
    /// The text said.
    pub(super) fn content(&self) -> &str {
        let of_message = self.message.as_ref().map(|message| &*message.content);
        of_message.or(self.response.as_ref().map(|response| &*response.0)).unwrap_or_default()
    }

    /// What was thought.
    pub(super) fn thinking(&self) -> &str {
        self.message.as_ref().map_or(&*self.thinking, |message| &*message.thinking)
    }

    /// The tools called.
    pub(super) fn tool_calls(&self) -> &[Call<'_>] {
        let calls = self.message.as_ref().map_or(&self.tool_calls, |message| &message.tool_calls);
        calls.as_deref().unwrap_or_default()
    }

    /// Whether a picture was made.
    pub(super) fn has_image(&self) -> bool {
        self.image.is_some()
    }

    /// Whether the model says something in it.
    pub(super) fn has_content(&self) -> bool {
        !self.content().is_empty() || !self.thinking().is_empty() || !self.tool_calls().is_empty() || self.has_image()
    }

    /// Whether it is the last.
    pub(super) fn is_done(&self) -> bool {
        self.done == Some(true)
    }

    /// Whether it is a line of an answer at all.
    pub(super) fn is_answer(&self) -> bool {
        self.message.is_some() || self.response.is_some() || self.has_image() || self.is_done()
    }

    /// The tokens used. A count of zero is left out by Ollama, as when the whole prompt was still in its cache.
    pub(super) fn usage(&self) -> Option<canonical::Usage> {
        let is_told = self.prompt_eval_count.is_some() || self.eval_count.is_some();
        is_told.then(|| canonical::Usage {
            input_tokens: self.prompt_eval_count.unwrap_or(0),
            output_tokens: self.eval_count.unwrap_or(0),
            ..canonical::Usage::default()
        })
    }

    /// The error that it tells; `text` is the line.
    pub(super) fn error(&self, text: &[u8]) -> Option<UpstreamError> {
        let told = self.error.filter(|error| !matches!(error.get(), "null" | "false" | "\"\""));
        told.and_then(|_| UpstreamError::parse(text))
    }
}

impl Function<'_> {
    /// The text of its arguments. They are an object, but for servers that write an object's text, as OpenAI does.
    pub(super) fn arguments(&self) -> Cow<'_, str> {
        let arguments = self.arguments.map_or("{}", RawValue::get);
        match serde_json::from_str::<String>(arguments) {
            Ok(text) if text.trim().is_empty() => Cow::Borrowed("{}"),
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Borrowed(arguments),
        }
    }
}

impl From<Logprob> for canonical::Logprob {
    fn from(own: Logprob) -> Self {
        let top =
            own.top_logprobs.unwrap_or_default().into_iter().map(|other| Self { top: Vec::new(), ..other.into() });
        Self { token: own.token, logprob: own.logprob, bytes: own.bytes, top: top.collect() }
    }
}
