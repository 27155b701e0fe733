//! Wire languages: how a chat request, a token stream and an error are written.
//!
//! Pure code without I/O, clock or configuration. A dialect is one folder with one type that implements [`Dialect`] and the
//! same files in each: `observe` reads along with a stream, `answer` reads an answer that did not stream, `error` writes
//! errors, `decode…` reads what is translated and `encode…` writes it.

mod answer;
pub mod anthropic;
pub mod continuation;
pub mod endpoint;
mod fields;
pub mod foreign_seals;
mod gather;
pub mod gemini;
mod json;
mod models;
pub mod observer;
pub mod ollama;
pub mod openai_chat;
pub mod openai_responses;
pub mod patch;
pub mod quirks;
pub mod request;
pub mod sequencer;
mod text_tools;
pub mod transcoder;
pub mod translate;
pub mod upstream_error;

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::canonical::Usage;
use crate::error::Error;
use crate::framing::Framing;
use crate::framing::sse::Event;

pub use anthropic::Anthropic;
pub use continuation::{Beginning, Continuation};
pub use endpoint::{Endpoint, Path};
pub use gemini::Gemini;
pub use observer::{Learned, Observer};
pub use ollama::Ollama;
pub use openai_chat::OpenAiChat;
pub use openai_responses::OpenAiResponses;
pub use quirks::Quirks;
pub use request::{Malformed, Request};
pub use sequencer::Sequencer;
pub use transcoder::Transcoder;
pub use translate::{AnswerContext, Begun, Decoder, Delta, Encoder, Recipient, Shape, Sink, Translate};
pub use upstream_error::UpstreamError;

/// Every dialect. The first is that of whoever shows no other.
pub static ALL: &[&dyn Dialect] = &[&OpenAiChat, &OpenAiResponses, &Anthropic, &Gemini, &Ollama];

/// The dialect called `name`.
pub fn find(name: &str) -> Option<&'static dyn Dialect> {
    ALL.iter().copied().find(|dialect| dialect.name() == name)
}

/// The dialect of a client that asks at `path` with `headers`.
pub fn of_client(path: &str, headers: &HeaderMap) -> &'static dyn Dialect {
    let owner = ALL.iter().find(|dialect| dialect.owns(path));
    *owner.or_else(|| ALL.iter().find(|dialect| dialect.marks(headers))).unwrap_or(&ALL[0])
}

/// What of `path` follows the root of the dialect that it is of: what is appended to a provider's base URL.
pub fn below_root(path: &str) -> &str {
    let below = ALL.iter().filter_map(|dialect| path.strip_prefix(dialect.root()).filter(|rest| rest.starts_with('/')));
    below.min_by_key(|rest| rest.len()).unwrap_or(path)
}

/// What the proxy must know of a wire language to pass it on untouched and to end it honestly, and, by [`Translate`], to
/// translate it.
pub trait Dialect: Translate + fmt::Debug + Send + Sync {
    /// The name in the configuration.
    fn name(&self) -> &'static str;

    /// The name for people.
    fn title(&self) -> &'static str;

    /// The path where a client asks for a stream; `{model}` stands for the model where the path names it.
    fn endpoint(&self) -> &'static str;

    /// The paths at which clients ask models by POST, as a router writes them.
    fn urls(&self) -> &'static [&'static str];

    /// What a request says by being made at `path`, one of [`urls`](Self::urls), with `query`; `None` if no model is asked there.
    fn endpoint_at(&self, path: &str, query: Option<&str>) -> Option<Endpoint>;

    /// The paths at which clients ask for its list of models.
    fn list_urls(&self) -> &'static [&'static str] {
        &[]
    }

    /// What the paths of its clients begin with, in place of which stands the base URL of a provider.
    fn root(&self) -> &'static str {
        "/v1"
    }

    /// All paths below which clients ask for something, as a router writes them.
    fn all_urls(&self) -> &'static str {
        "/v1/{*path}"
    }

    /// The body of a small request for a stream of `model`'s, for people to try.
    fn sample_request(&self, model: &str) -> String;

    /// Whether `path` is one of the dialect's own: whoever asks there speaks it.
    fn owns(&self, path: &str) -> bool;

    /// Whether `headers` are those of a client that speaks the dialect, wherever it asks.
    fn marks(&self, _headers: &HeaderMap) -> bool {
        false
    }

    /// How its streams are written.
    fn framing(&self) -> Framing {
        Framing::EventStream
    }

    /// Reads `body`, which must be one JSON object.
    ///
    /// # Errors
    ///
    /// [`Malformed`], for whoever sent it.
    fn parse_request(&self, body: &[u8]) -> Result<Request, Malformed>;

    /// The usage that `body`, an answer that did not stream, reports, or the error it is although its status was a success.
    ///
    /// # Errors
    ///
    /// If the body is not JSON.
    fn parse_answer(&self, body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error>;

    /// Whether there is nothing to learn from `run`, whole frames, but that the model speaks. `speaking` says whether that is
    /// known already.
    ///
    /// Asked for nearly every token, so it searches bytes and parses nothing. It may say no to a token, never yes to more.
    fn is_another_token(&self, run: &[u8], speaking: bool) -> bool;

    /// Whether `event` shows only that the stream lives, and is no beginning of an answer.
    fn is_sign_of_life(&self, _event: &Event<'_>) -> bool {
        false
    }

    /// Reads one event of a stream, with its name if it has one.
    fn observe(&self, name: Option<&[u8]>, data: &str, learned: &mut Learned);

    /// The HTTP status that goes with one of the dialect's error codes or types.
    fn status_of(&self, word: &str) -> Option<StatusCode>;

    /// The status that tells a client to come back when fewer ask.
    fn overloaded(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }

    /// The JSON body that tells `error` to a client. An upstream's own error in the dialect's shape is told in its own words.
    fn error_body(&self, error: &Error) -> Bytes;

    /// `error` as an event inside a stream.
    fn error_frame(&self, error: &Error) -> Bytes;

    /// What shows a client that the stream lives, to be written between two frames.
    fn keep_alive(&self) -> &'static [u8];

    /// The answer that a whole stream of `events`, each of them its data, would have been without streaming; `None` if they
    /// are not such a stream.
    ///
    /// It is joined from what they say and not from what it means, so that nothing of it is lost.
    fn gather(&self, _events: &mut dyn Iterator<Item = Value>) -> Option<Value> {
        None
    }

    /// Whether its clients read past the `id:` lines and comments of an event stream, as the standard has it.
    fn takes_event_ids(&self) -> bool {
        self.framing() == Framing::EventStream
    }

    /// The header field that carries a provider's `key`.
    fn credentials(&self, key: &str) -> (HeaderName, String);

    /// The header field that every request to a provider must have, where a client sends none of its own.
    fn version(&self) -> Option<(HeaderName, HeaderValue)> {
        None
    }

    /// What stands before the dialect's paths at a provider whose base URL has `path`: that, as a rule.
    fn base<'a>(&self, path: &'a str) -> &'a str {
        path
    }

    /// In whose header fields its speakers tell what is left of their limits, if they do.
    fn rate_limits(&self) -> Option<RateLimits> {
        None
    }

    /// What is appended to a provider's base URL to list its models.
    fn models_path(&self) -> &'static str;

    /// The models in `body`, the answer at [`models_path`](Self::models_path), each with its id; `None` if it is no list.
    fn read_models(&self, body: Value) -> Option<Vec<(String, Value)>> {
        models::read(body, "data", "id")
    }

    /// `card`, as a provider that speaks the dialect tells a model, with another id.
    fn renamed_card(&self, mut card: Value, id: &str) -> Value {
        card["id"] = id.into();
        card
    }

    /// All that can be said of a model of which only its `id` and the `owner` are known.
    fn model_card(&self, id: &str, owner: &str) -> Value;

    /// A list of models, each of them told in the dialect.
    fn model_list(&self, models: &[Value]) -> Value;
}

/// Header fields that tell what is left of a client's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimits {
    /// `x-ratelimit-remaining-requests` and its like.
    OpenAi,
    /// `anthropic-ratelimit-requests-remaining` and its like.
    Anthropic,
}

impl PartialEq for dyn Dialect + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for dyn Dialect + '_ {}
