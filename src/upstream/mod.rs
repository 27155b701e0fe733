//! From a request that has been let in to an upstream that has begun to answer.
//!
//! [`open_stream`] returns with the first frame in hand. Until then every failure is an ordinary error with the right status
//! and another target may be asked; from then on a failure can only be told inside the stream.

mod body;
pub mod client;
pub mod connector;
pub mod http1;
pub mod http2;
mod question;
pub mod request;
pub mod response;
pub mod routing;
mod socket;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::canonical::Usage;
use crate::config::stream::Stream as StreamConfig;
use crate::dialect::{Dialect, Observer, Transcoder};
use crate::error::{Error, Phase};
use crate::framing::{FrameTooLarge, Splitter};

pub use body::{Body, BrokenBody};
pub use client::Upstream;
pub use question::{Question, Translated, Translation};
pub use request::UpstreamRequest;
pub use routing::{Routes, Target};

/// An upstream stream whose first frame has arrived.
#[derive(Debug)]
pub struct OpenStream {
    /// The target that answers.
    pub target: Target,
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
    /// When the request was sent.
    pub asked: Instant,
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

/// Asks the targets of `question` in turn until one has sent a first event, and returns its stream. The client asked at
/// `started`.
///
/// # Errors
///
/// The last target's [`Error`]. A target is followed by the next only if its error is [retryable](Error::retryable), or if
/// the question cannot be put to it.
pub async fn open_stream(question: Question, config: StreamConfig, started: Instant) -> Result<OpenStream, Error> {
    let mut failures = Failures::default();
    for (target, way) in question.ways() {
        let (request, translated) = match way {
            Ok(way) => way,
            Err(unsayable) => {
                failures.add_unsayable(unsayable);
                continue;
            }
        };
        match open_in_time(target, request, question.ends_of(request), &config, started).await {
            Ok(stream) => return Ok(stream.translated(&question, translated, config.max_response_bytes)),
            Err(error) => {
                if failures.add(&question, error, translated).is_break() {
                    break;
                }
            }
        }
    }
    Err(failures.into_error())
}

/// Why targets have not answered. The last that was asked counts; one that cannot be asked counts only if none was.
#[derive(Debug, Default)]
struct Failures {
    asked: Option<Error>,
    unsayable: Option<Error>,
}

impl Failures {
    fn add_unsayable(&mut self, error: Error) {
        self.unsayable.get_or_insert(error);
    }

    /// Adds `error` of a target that was asked, perhaps in other words than the client's. Breaks if no other may be asked.
    fn add(&mut self, question: &Question, error: Error, translated: Option<&Translated>) -> ControlFlow<()> {
        let may_go_on = error.retryable();
        self.asked = Some(question.in_client_s_words(error, translated));
        if may_go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn into_error(self) -> Error {
        self.asked.or(self.unsayable).expect("a route has at least one target")
    }
}

/// Asks one target, within the time for a first token and what is left of the time for a whole stream.
async fn open_in_time(
    target: &Target,
    request: &UpstreamRequest,
    expected_ends: u32,
    config: &StreamConfig,
    started: Instant,
) -> Result<OpenStream, Error> {
    let first_token = (Instant::now(), Phase::FirstToken, config.first_token_timeout);
    let total = config.total_timeout.map(|limit| (started, Phase::Total, limit));
    let deadlines = [Some(first_token), total].into_iter().flatten();
    let (since, phase, limit) = deadlines.min_by_key(|(since, _, limit)| *since + *limit).unwrap_or(first_token);
    match tokio::time::timeout_at(since + limit, open_one(target, request, expected_ends, config)).await {
        Ok(result) => result,
        Err(_) => Err(timeout(&target.upstream.name, phase, limit)),
    }
}

async fn open_one(
    target: &Target,
    request: &UpstreamRequest,
    expected_ends: u32,
    config: &StreamConfig,
) -> Result<OpenStream, Error> {
    let asked = Instant::now();
    let response = send(target, request, (Phase::Headers, config.headers_timeout)).await?;
    let (parts, body) = response::expect_stream(request.dialect, &target.upstream, response).await?.into_parts();
    let open = OpenStream {
        target: target.clone(),
        headers: parts.headers,
        first: Bytes::new(),
        body,
        splitter: Splitter::new(request.dialect.framing(), config.max_frame_bytes),
        observer: Observer::new(request.dialect, expected_ends),
        translation: None,
        asked,
    };
    open.wait_for_first_frame(config).await
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

    /// Reads until an event with data has come. What comes before it (comments) is kept with it.
    async fn wait_for_first_frame(mut self, config: &StreamConfig) -> Result<Self, Error> {
        let mut early = Vec::new();
        while !self.observer.has_data() && self.observer.error().is_none() {
            early.extend_from_slice(&self.next_run().await?);
            if early.len() > config.max_frame_bytes {
                let limit = config.max_frame_bytes;
                return Err(response::frame_too_large(&self.target.upstream.name, FrameTooLarge { limit }));
            }
        }
        let provider = &self.target.upstream.name;
        if let Some(error) = self.observer.error() {
            return Err(response::reported(self.observer.dialect(), &self.target.upstream, error.clone()));
        }
        if self.observer.is_garbled() {
            let what = "an event whose data is not JSON".to_owned();
            return Err(Error::UpstreamUnexpected { provider: provider.to_string(), what });
        }
        self.first = early.into();
        Ok(self)
    }

    /// Reads on; returns the next whole frames, possibly none.
    async fn next_run(&mut self) -> Result<Bytes, Error> {
        let provider = &self.target.upstream.name;
        let Some(frame) = self.body.frame().await else {
            let last = self.observer.observe_rest(&self.splitter.take_partial());
            let is_end = last.is_none() && self.observer.error().is_none();
            return if is_end {
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

/// Sends `request`, whose body has been read, to `target` and returns its response, which has a success status.
///
/// `phase` names the wait for the response headers, and `limit` bounds it.
///
/// # Errors
///
/// Whatever the upstream did instead.
pub async fn send(
    target: &Target,
    request: &UpstreamRequest,
    (phase, limit): (Phase, Duration),
) -> Result<Response<Body>, Error> {
    let path = request.path.to(&target.model);
    let sending = target.upstream.send(request, &path, request.body_for(target));
    succeed(target, sending, (phase, limit)).await
}

/// Sends `request` with a `body` that is still arriving. As [`send`] in all else.
///
/// # Errors
///
/// As for [`send`], or that the body broke off.
pub async fn upload(
    target: &Target,
    request: &UpstreamRequest,
    body: reqwest::Body,
    (phase, limit): (Phase, Duration),
) -> Result<Response<Body>, Error> {
    let path = request.path.to(&target.model);
    let sending = target.upstream.upload(request, &path, body);
    succeed(target, sending, (phase, limit)).await
}

async fn succeed(
    target: &Target,
    sending: impl Future<Output = Result<Response<Body>, Error>>,
    (phase, limit): (Phase, Duration),
) -> Result<Response<Body>, Error> {
    let provider = &target.upstream.name;
    let response = tokio::time::timeout(limit, sending).await.map_err(|_| timeout(provider, phase, limit))??;
    response::expect_success(&target.upstream, response).await
}

fn timeout(provider: &str, phase: Phase, limit: Duration) -> Error {
    Error::UpstreamTimeout { provider: provider.to_owned(), phase, limit }
}

/// An answer that did not stream, whole.
#[derive(Debug)]
pub struct Answer {
    /// The provider that gave it.
    pub provider: Arc<str>,
    /// Its status, a success.
    pub status: http::StatusCode,
    /// Its headers.
    pub headers: http::HeaderMap,
    /// The dialect it was given in.
    pub dialect: &'static dyn Dialect,
    /// What it was not asked, for want of a word in that dialect, by the client's names.
    pub dropped: Vec<String>,
    /// The kinds of what it said that the client's dialect has no word for.
    pub untold: Vec<String>,
    /// Its body: JSON without an error in it.
    pub body: Bytes,
    /// The tokens it reports.
    pub usage: Option<Usage>,
}

/// Asks the targets of `question` in turn until one has answered, and returns its answer in the client's dialect. The client
/// asked at `started`.
///
/// # Errors
///
/// As for [`open_stream`].
pub async fn ask(question: &Question, config: &StreamConfig, started: Instant) -> Result<Answer, Error> {
    let mut failures = Failures::default();
    for (target, way) in question.ways() {
        let (request, translated) = match way {
            Ok(way) => way,
            Err(unsayable) => {
                failures.add_unsayable(unsayable);
                continue;
            }
        };
        let answer = fetch(target, request, config).await;
        match answer.and_then(|answer| question.tell(answer, translated, started)) {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                if failures.add(question, error, translated).is_break() {
                    break;
                }
            }
        }
    }
    Err(failures.into_error())
}

/// Asks `target` and returns its answer, in its own words.
///
/// # Errors
///
/// Whatever the upstream did instead.
pub async fn fetch(target: &Target, request: &UpstreamRequest, config: &StreamConfig) -> Result<Answer, Error> {
    let provider = &target.upstream.name;
    let response = send(target, request, (Phase::Response, config.response_timeout)).await?;
    response::expect_identity(provider, response.headers())?;
    let (parts, body) = response.into_parts();
    let body = response::read_whole(provider, body, config).await?;
    let usage = response::expect_answer(request.dialect, &target.upstream, &parts.headers, &body)?;
    let (dialect, dropped, untold) = (request.dialect, Vec::new(), Vec::new());
    let (provider, status, headers) = (Arc::clone(provider), parts.status, parts.headers);
    Ok(Answer { provider, status, headers, dialect, dropped, untold, body, usage })
}
