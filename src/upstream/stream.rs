//! Streams, until their first content is in hand.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::attempts::{self, Attempt, Failure, Goal, Seat};
use super::body::Body;
use super::question::{Question, Translated};
use super::routing::Target;
use super::succession::Succession;
use super::trail::Trail;
use super::{response, send, timeout};
use crate::config::stream::Stream as StreamConfig;
use crate::dialect::{Dialect, Observer, Transcoder};
use crate::error::{Error, Phase};
use crate::framing::{FrameTooLarge, Splitter};

/// An upstream stream whose first content has arrived.
#[derive(Debug)]
pub struct OpenStream {
    /// The target that answers.
    pub target: Target,
    /// What the stream holds of it.
    pub seat: Seat,
    /// Its response headers.
    pub headers: http::HeaderMap,
    /// Whole frames that arrived before the stream was handed over.
    pub first: Bytes,
    /// The rest of its body.
    pub body: Body,
    /// Where the body is cut.
    pub splitter: Splitter,
    /// What has been read of it so far.
    pub observer: Observer,
    /// How it is told to a client that speaks another dialect.
    pub translation: Option<Box<Translating>>,
    /// Who may go on with it, if anybody could.
    pub succession: Option<Box<Succession>>,
    /// When the request was sent.
    pub asked: Instant,
    /// Who was asked before.
    pub trail: Trail,
}

/// A stream on its way into another dialect.
#[derive(Debug)]
pub struct Translating {
    /// What does it.
    pub transcoder: Transcoder,
    /// The client's dialect.
    pub client: &'static dyn Dialect,
    /// How many bytes of an answer may be kept.
    pub max_bytes: usize,
    /// What the request left out, by the client's names.
    pub dropped: Vec<String>,
}

/// Asks the targets of `question` until one has begun to say something, or has orderly said nothing, and returns its stream.
/// The client asked at `started`.
///
/// # Errors
///
/// [`Failure`] with the last target's [`Error`]. Whether another is asked, or the same again, is a matter of what that is
/// and of `[retry]` in the configuration.
pub async fn open_stream(question: Question, config: StreamConfig, started: Instant) -> Result<OpenStream, Failure> {
    let stream = first_content(&question, &config, started).await?;
    let succession = Succession::of(question, config, started, &stream);
    Ok(OpenStream { succession, ..stream })
}

/// The stream that [`open_stream`] returns, with nobody to go on with it.
pub(super) async fn first_content(
    question: &Question,
    config: &StreamConfig,
    started: Instant,
) -> Result<OpenStream, Failure> {
    let goal = FirstContent { question, config };
    let done = attempts::until_answered(question, &goal, started, config.total_timeout).await?;
    Ok(OpenStream { seat: done.seat, trail: done.trail, ..done.value })
}

/// To have the first content of a stream: until it is there, nothing has been said that another target could not say as well.
struct FirstContent<'a> {
    question: &'a Question,
    config: &'a StreamConfig,
}

impl Goal for FirstContent<'_> {
    type Yield = OpenStream;
    const MAY_BE_RACED: bool = true;

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<OpenStream, Error> {
        let limit = self.config.first_token_timeout;
        let opened = tokio::time::timeout(limit, self.open(attempt)).await;
        let opened =
            opened.unwrap_or_else(|_| Err(timeout(&attempt.target.upstream.name, Phase::FirstToken, limit)))?;
        let now = Instant::now();
        attempt.target.terms.vitals.pace.record(now - opened.asked, now);
        Ok(opened.translated(self.question, attempt.translated, self.config.max_response_bytes))
    }
}

impl FirstContent<'_> {
    async fn open(&self, attempt: &Attempt<'_>) -> Result<OpenStream, Error> {
        let (target, request, config) = (attempt.target, attempt.request, self.config);
        let asked = Instant::now();
        let response = send(target, attempt.key, request, (Phase::Headers, config.headers_timeout)).await?;
        let (parts, body) = response::expect_stream(request.dialect, &target.upstream, response).await?.into_parts();
        let open = OpenStream {
            target: target.clone(),
            seat: Seat::default(),
            headers: parts.headers,
            first: Bytes::new(),
            body,
            splitter: Splitter::new(request.dialect.framing(), config.max_frame_bytes),
            observer: Observer::new(request.dialect, self.question.ends_of(request)),
            translation: None,
            succession: None,
            asked,
            trail: Trail::default(),
        };
        open.wait_for_content(config).await
    }
}

impl OpenStream {
    /// The same stream, to be told in the client's dialect if it is in another.
    fn translated(mut self, question: &Question, translated: Option<&Translated>, max_bytes: usize) -> Self {
        if let (Some(translated), Some(translation)) = (translated, &question.translation) {
            let from = translated.request.dialect;
            let transcoder = Transcoder::new(from, &self.target.upstream.name, question.client, &translation.context);
            self.observer.hide_errors();
            self.translation = Some(Box::new(Translating {
                transcoder,
                client: question.client,
                max_bytes,
                dropped: translated.dropped.clone(),
            }));
        }
        self
    }

    /// Reads until the model says something, or the answer is whole without. What comes before (comments, an announced role,
    /// an empty message) is kept with it.
    async fn wait_for_content(mut self, config: &StreamConfig) -> Result<Self, Error> {
        let mut early = BytesMut::new();
        self.first = loop {
            let run = self.next_run().await?;
            let has_failed = self.observer.error().is_some() || self.observer.is_garbled();
            let has_begun = self.observer.has_begun() || has_failed;
            if has_begun && early.is_empty() {
                break run;
            }
            early.extend_from_slice(&run);
            if has_begun {
                break early.freeze();
            }
            if early.len() > config.max_frame_bytes {
                let limit = config.max_frame_bytes;
                return Err(response::frame_too_large(&self.target.upstream.name, FrameTooLarge { limit }));
            }
        };
        let upstream = &self.target.upstream;
        if let Some(error) = self.observer.error() {
            return Err(response::reported(self.observer.dialect(), upstream, error.clone()));
        }
        if self.observer.is_garbled() {
            let what = "an event whose data is not JSON".to_owned();
            return Err(Error::UpstreamUnexpected { provider: upstream.name.to_string(), what });
        }
        Ok(self)
    }

    /// Reads on; returns the next whole frames, possibly none.
    async fn next_run(&mut self) -> Result<Bytes, Error> {
        let provider = &self.target.upstream.name;
        let Some(frame) = self.body.frame().await else {
            let last = self.observer.observe_rest(&self.splitter.take_partial());
            let is_cut = self.observer.error().is_none() && !self.observer.is_complete();
            return if is_cut {
                Err(Error::UpstreamTruncated { provider: provider.to_string() })
            } else {
                Ok(last.unwrap_or_default())
            };
        };
        let data = frame.map_err(|error| response::broken(provider, &error))?.into_data().unwrap_or_default();
        let run = self.splitter.push(data).map_err(|error| response::frame_too_large(provider, error))?;
        self.observer.observe(&run);
        Ok(run)
    }
}
