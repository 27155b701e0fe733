//! To and from every other dialect, by way of [`canonical`](crate::canonical).
//!
//! Reading is called decoding, writing encoding. A decoder may tell what it reads as loosely as it comes: [`Sequencer`]
//! puts it in order, and an encoder may rely on that order.
//!
//! [`Sequencer`]: super::sequencer::Sequencer

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::continuation::{Beginning, Continuation};
use super::quirks::Quirks;
use super::request::Malformed;
use crate::canonical::{Annotation, ChatAnswer, ChatEvent, ChatRequest, Field, Logprob, Losses, Part, Seal};
use crate::error::Error;
use crate::framing::sse::Event;

/// What takes the events that a decoder tells.
pub type Sink<'a> = &'a mut dyn FnMut(ChatEvent<'_>);

/// A dialect that can be translated.
pub trait Translate {
    /// Reads a client's request. Whatever of it has no place in a [`ChatRequest`] is noted in
    /// [`unmapped`](ChatRequest::unmapped), but for values that change nothing, such as a default or null.
    ///
    /// A model, and whether to stream, is read from the body only; the caller adds what the URL says.
    ///
    /// # Errors
    ///
    /// [`Malformed`], naming the field, if the body is no request of the dialect.
    fn decode_request(&self, shape: Shape, body: &[u8]) -> Result<ChatRequest, Malformed>;

    /// What answers `body`, made at `shape` for `model`, without any model being asked: some requests ask nothing of it. `now`
    /// is the time since 1970.
    fn answer_at_once(&self, _shape: Shape, _model: &str, _body: &[u8], _now: Duration) -> Option<Bytes> {
        None
    }

    /// What the dialect calls a field of a request, for messages to its clients.
    fn param(&self, field: Field) -> &'static str;

    /// Writes a request for `to`. What the dialect cannot say is noted in `losses` and left out.
    fn encode_request(&self, request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes;

    /// Whether a request in the dialect can ask to go on with an answer, in this `way`.
    fn extends(&self, _way: Continuation) -> bool {
        false
    }

    /// `body`, a request in the dialect that [`extends`](Self::extends) in this way, asking to go on with the `beginning` of an answer to it.
    ///
    /// # Errors
    ///
    /// Half a sentence: why that cannot be asked, "it ...".
    fn extend_request(&self, _body: &[u8], _beginning: &Beginning<'_>) -> Result<Bytes, &'static str> {
        Err("the dialect has no word for it")
    }

    /// What is appended to a provider's base URL to ask `model`.
    fn path(&self, model: &str, stream: bool) -> String;

    /// Reads a stream of an upstream.
    fn decoder(&self) -> Box<dyn Decoder>;

    /// Reads an answer of an upstream that did not stream, and tells it as a stream would have.
    ///
    /// # Errors
    ///
    /// If `body` is no answer of the dialect.
    fn decode_answer(&self, body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error>;

    /// Writes a stream for a client.
    fn encoder(&self, context: &AnswerContext) -> Box<dyn Encoder>;

    /// Whether its encoder can go on with a stream that an upstream has begun to write itself; see [`Encoder::take_over`].
    fn takes_over(&self) -> bool {
        true
    }

    /// Writes an answer for a client that did not ask for a stream.
    fn encode_answer(&self, answer: &ChatAnswer, context: &AnswerContext) -> Bytes;
}

/// The endpoint of a dialect that a client asks at, where the dialect has several for one and the same thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// The usual one.
    #[default]
    Chat,
    /// The elder that completes one prompt: Ollama's `/api/generate`.
    Completion,
    /// The usual one, its stream written as one JSON array: Gemini's without `alt=sse`.
    Array,
}

/// Who is to be asked.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// The provider's name in the configuration: seals of others are not shown to it.
    pub provider: &'a str,
    /// What is peculiar to it.
    pub quirks: &'a Quirks,
}

/// What an encoder must know of the request it answers.
#[derive(Debug, Clone)]
pub struct AnswerContext {
    /// A name for the answer: 24 letters and digits, unique. Dialects put their own prefix before it.
    pub id: String,
    /// When the request came, in seconds since 1970.
    pub created: u64,
    /// When the request came, in nanoseconds after that second.
    pub created_nanos: u32,
    /// The request as the client made it; its `model` is what the client calls the model.
    pub request: Arc<ChatRequest>,
    /// Where it was asked.
    pub shape: Shape,
    /// From the request to the end of an answer that did not stream. Streams are told the time by [`Encoder::tick`].
    pub elapsed: Duration,
}

/// Reads the events of one stream.
pub trait Decoder: Send {
    /// Reads one event that has data: an event of an event stream, or a line of a stream of JSON lines.
    ///
    /// Errors, garbage, signs of life and the event that ends the stream are told by the observer, and are passed over here.
    fn decode(&mut self, event: &Event<'_>, data: &str, sink: Sink<'_>);

    /// Whether a client that reads the same stream knows no more of the answer than has been told, in so many parts.
    fn has_told_all(&self, _parts: usize) -> bool {
        true
    }

    /// The stream has ended whole: tells what was held back, if anything.
    fn finish(&mut self, _sink: Sink<'_>) {}
}

/// A piece of the part that is open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delta<'a> {
    /// More of a text.
    Text {
        /// The piece; empty where only its probabilities are told.
        text: &'a str,
        /// How likely its tokens were.
        logprobs: &'a [Logprob],
    },
    /// More of a refusal.
    Refusal(&'a str),
    /// More thoughts.
    Reasoning(&'a str),
    /// More of a call's arguments.
    Arguments(&'a str),
    /// The mark on the thoughts, the text or the call that is open.
    Seal(&'a Seal),
    /// Where the text that is open has a fact from.
    Annotation(&'a Annotation),
}

/// An answer of which the client knows a beginning.
#[derive(Debug, Clone, Copy)]
pub struct Begun<'a> {
    /// Its id, model and date as the client knows them, and the parts that are finished.
    pub answer: &'a ChatAnswer,
    /// The part that is open.
    pub open: Option<&'a Part>,
}

impl Delta<'_> {
    /// Its length in bytes, about.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text { text, .. } | Self::Refusal(text) | Self::Reasoning(text) | Self::Arguments(text) => text.len(),
            Self::Seal(seal) => seal.data.len(),
            Self::Annotation(annotation) => annotation.cited_text.as_ref().map_or(0, String::len),
        }
    }
}

/// Writes one stream, whole frames of it.
///
/// The calls come in this order: `start`, then for each part `open`, any number of `delta`s of its kind and `close`, then
/// `finish`. One part is open at a time, nothing comes before `start` or behind `finish`. A stream that another has begun to
/// write begins with `take_over` in place of `start` and of what the client has been told. In place of anything may come
/// `fail`, also before `start`, and nothing behind it.
pub trait Encoder: Send {
    /// `elapsed` has passed since the request; called before anything else of one turn.
    fn tick(&mut self, _elapsed: Duration) {}

    /// In place of `start`: the client has been told `begun` by its upstream, in the client's own dialect.
    fn take_over(&mut self, _begun: &Begun<'_>) {}

    /// The answer begins. Of `answer` the upstream's id and model are known, and perhaps the usage of its input.
    fn start(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>);

    /// A part begins: a [text](Part::Text), a [refusal](Part::Refusal), [thoughts](Part::Reasoning) or a
    /// [call](Part::ToolCall), of which the name and id are known, and else nothing yet.
    fn open(&mut self, part: &Part, out: &mut Vec<u8>);

    /// The part goes on.
    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>);

    /// The part is finished; this is all of it.
    fn close(&mut self, part: &Part, out: &mut Vec<u8>);

    /// The answer is finished; this is all of it. Writes whatever tells a client so.
    fn finish(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>);

    /// The answer breaks off. Tells why, in a way that no client takes for an end.
    fn fail(&mut self, error: &Error, out: &mut Vec<u8>);
}
