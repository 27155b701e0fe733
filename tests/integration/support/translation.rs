//! A stream on its way from one dialect to another, as the relay takes it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use sluicegate::canonical::{ChatAnswer, ChatRequest, Part, Reasoning};
use sluicegate::dialect::{
    self, AnswerContext, Delta, Dialect, Encoder, Observer, Sequencer, Shape, Transcoder, UpstreamError,
};
use sluicegate::error::Error;
use sluicegate::framing::Splitter;
use sluicegate::upstream::response;

use super::Recording;
use super::told::{self, Told};

/// The provider's name.
pub const PROVIDER: &str = "upstream";

/// What the request of every translated stream is: all that may be told is asked for.
pub fn request() -> ChatRequest {
    let reasoning = Reasoning { visible: Some(true), ..Reasoning::default() };
    ChatRequest {
        model: "the-model".to_owned(),
        stream: true,
        include_usage: true,
        reasoning,
        ..ChatRequest::default()
    }
}

/// The context of an answer to [`request`].
pub fn context() -> AnswerContext {
    AnswerContext {
        id: "0123456789abcdefghijABCD".to_owned(),
        created: 1_700_000_000,
        created_nanos: 123_456_789,
        request: Arc::new(request()),
        shape: Shape::Chat,
        elapsed: Duration::from_millis(1500),
    }
}

/// Every dialect.
pub fn all() -> impl Iterator<Item = &'static dyn Dialect> {
    dialect::ALL.iter().copied()
}

/// Where a translation can lead: a dialect, and the shape of its stream.
pub fn targets() -> impl Iterator<Item = (&'static dyn Dialect, Shape)> {
    all().flat_map(|dialect| {
        let other = match dialect.name() {
            "ollama" => Some(Shape::Completion),
            "gemini" => Some(Shape::Array),
            _ => None,
        };
        [Some(Shape::Chat), other].into_iter().flatten().map(move |shape| (dialect, shape))
    })
}

/// A recorded stream.
pub struct Source {
    pub file: String,
    pub dialect: &'static dyn Dialect,
    pub stream: Bytes,
}

/// Every recorded stream of every dialect.
pub fn sources() -> impl Iterator<Item = Source> {
    all().flat_map(|dialect| {
        let recordings = Recording::streams(dialect.name()).into_iter();
        recordings.map(move |recording| Source { stream: recording.response(), file: recording.file, dialect })
    })
}

impl Source {
    /// A stream that is not recorded.
    pub fn new(file: &str, dialect: &'static dyn Dialect, stream: impl Into<Bytes>) -> Self {
        Self { file: file.to_owned(), dialect, stream: stream.into() }
    }

    /// The places between its frames, the beginning and the end included.
    pub fn boundaries(&self) -> Vec<usize> {
        let frames = self.dialect.framing();
        let ends = frames.frames(&self.stream).scan(0, |at, frame| {
            *at += frame.len();
            Some(*at)
        });
        std::iter::once(0).chain(ends).collect()
    }

    /// What it tells, as an independent reader has it.
    pub fn told(&self) -> Told {
        told::read(self.dialect.name(), &self.stream)
    }

    /// The answer that it is, as its own dialect's code reads it.
    pub fn answer(&self) -> ChatAnswer {
        let (dialect, mut out) = (self.dialect, Vec::new());
        let mut sequencer = Sequencer::new(Box::new(Silent), dialect.name(), PROVIDER.to_owned(), context().id);
        let mut decoder = dialect.decoder();
        for event in dialect.framing().events(&self.stream) {
            if let Some(data) = event.data.as_deref() {
                let data = String::from_utf8_lossy(data);
                decoder.decode(&event, &data, &mut |event| sequencer.take(event, &mut out));
            }
        }
        decoder.finish(&mut |event| sequencer.take(event, &mut out));
        sequencer.finish(&mut out);
        sequencer.into_answer()
    }

    /// How it ends: `None` if it is whole.
    pub fn error(&self) -> Option<Error> {
        let mut observer = Observer::new(self.dialect, 1);
        let mut splitter = Splitter::new(self.dialect.framing(), usize::MAX);
        observer.observe(&splitter.push(self.stream.clone()).unwrap());
        observer.observe_rest(&splitter.take_partial());
        verdict(&observer)
    }

    /// All that a client of `to` reads of it, cut into `pieces`.
    pub fn translate<'a>(
        &self,
        to: &'static dyn Dialect,
        context: &AnswerContext,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<u8> {
        let mut passage = Passage::new(self.dialect, to, context);
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&passage.push(piece));
        }
        out.extend_from_slice(&passage.end());
        out
    }
}

/// A stream that is being translated.
pub struct Passage {
    to: &'static dyn Dialect,
    splitter: Splitter,
    observer: Observer,
    transcoder: Transcoder,
}

/// Since the request.
const ELAPSED: Duration = Duration::from_millis(1250);

impl Passage {
    pub fn new(from: &'static dyn Dialect, to: &'static dyn Dialect, context: &AnswerContext) -> Self {
        let mut observer = Observer::new(from, 1);
        observer.hide_errors();
        Self {
            splitter: Splitter::new(from.framing(), 1 << 20),
            observer,
            to,
            transcoder: Transcoder::new(from, PROVIDER, to, context),
        }
    }

    /// What a client reads when `piece` has come.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.observer.hidden_error().is_some() {
            return Vec::new();
        }
        let run = self.splitter.push(Bytes::copy_from_slice(piece)).unwrap();
        let passed = self.observer.observe(&run);
        self.tell(&run[..passed])
    }

    /// What a client reads when the upstream's body has ended.
    pub fn end(&mut self) -> Vec<u8> {
        let rest = self.observer.observe_rest(&self.splitter.take_partial()).unwrap_or_default();
        let mut out = self.tell(&rest);
        out.extend_from_slice(&match verdict(&self.observer) {
            None => self.transcoder.finish(ELAPSED),
            Some(error) => self.transcoder.fail(&response::in_other_words(error, self.to)),
        });
        out
    }

    /// `run`, translated. The last event of a stream is its end.
    fn tell(&mut self, run: &[u8]) -> Vec<u8> {
        let mut out = self.transcoder.push(run, ELAPSED).to_vec();
        if self.observer.is_done() && self.observer.error().is_none() {
            out.extend_from_slice(&self.transcoder.finish(ELAPSED));
        }
        out
    }
}

/// Why a stream is not whole.
fn verdict(observer: &Observer) -> Option<Error> {
    match observer.error() {
        Some(error) => Some(reported(observer.dialect(), error)),
        None if observer.may_end() => None,
        None => Some(Error::UpstreamTruncated { provider: PROVIDER.to_owned() }),
    }
}

/// As the relay has it.
fn reported(dialect: &dyn Dialect, error: &UpstreamError) -> Error {
    let status = error.status.and_then(|status| StatusCode::from_u16(status).ok());
    let by_word = || [&error.code, &error.r#type].into_iter().flatten().find_map(|word| dialect.status_of(word));
    Error::UpstreamReported {
        provider: PROVIDER.to_owned(),
        complaint: None,
        status: status.or_else(by_word),
        retry_after: error.retry_after,
        message: error.message.clone(),
        r#type: error.r#type.clone(),
        code: error.code.clone(),
    }
}

/// Tells nobody: for an answer that is wanted as a whole.
struct Silent;

impl Encoder for Silent {
    fn start(&mut self, _: &ChatAnswer, _: &mut Vec<u8>) {}
    fn open(&mut self, _: &Part, _: &mut Vec<u8>) {}
    fn delta(&mut self, _: Delta<'_>, _: &mut Vec<u8>) {}
    fn close(&mut self, _: &Part, _: &mut Vec<u8>) {}
    fn finish(&mut self, _: &ChatAnswer, _: &mut Vec<u8>) {}
    fn fail(&mut self, _: &Error, _: &mut Vec<u8>) {}
}
