//! Answers that do not stream.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::attempts::{self, Attempt, Failure, Goal};
use super::question::Question;
use super::request::UpstreamRequest;
use super::routing::Target;
use super::trail::Trail;
use super::{response, send};
use crate::canonical::Usage;
use crate::config::stream::Stream as StreamConfig;
use crate::dialect::Dialect;
use crate::error::{Error, Phase};

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

/// Asks the targets of `question` until one has answered, and returns its answer in the client's dialect, and who was asked
/// before. The client asked at `started`.
///
/// # Errors
///
/// As for [`open_stream`](super::open_stream).
pub async fn ask(question: &Question, config: &StreamConfig, started: Instant) -> Result<(Answer, Trail), Failure> {
    let done = attempts::until_answered(question, &Whole { question, config, started }, started, None).await?;
    Ok((done.value, done.trail))
}

/// To have an answer whole, so that one that is cut or an error in disguise is told as the error it is.
struct Whole<'a> {
    question: &'a Question,
    config: &'a StreamConfig,
    started: Instant,
}

impl Goal for Whole<'_> {
    type Yield = Answer;
    /// It takes as long as it is, and says nothing before.
    const MAY_BE_RACED: bool = false;

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Answer, Error> {
        let answer = fetch(attempt.target, attempt.key, attempt.request, self.config).await?;
        self.question.tell(answer, attempt.translated, self.started)
    }
}

/// Asks `target`, with the key of the number `key`, and returns its answer in its own words.
///
/// # Errors
///
/// Whatever the upstream did instead.
pub async fn fetch(
    target: &Target,
    key: usize,
    request: &UpstreamRequest,
    config: &StreamConfig,
) -> Result<Answer, Error> {
    let provider = &target.upstream.name;
    let response = send(target, key, request, (Phase::Response, config.response_timeout)).await?;
    response::expect_identity(provider, response.headers())?;
    let (parts, body) = response.into_parts();
    let body = response::read_whole(provider, body, config).await?;
    let usage = response::expect_answer(request.dialect, &target.upstream, &parts.headers, &body)?;
    let (dialect, dropped, untold) = (request.dialect, Vec::new(), Vec::new());
    let (provider, status, headers) = (Arc::clone(provider), parts.status, parts.headers);
    Ok(Answer { provider, status, headers, dialect, dropped, untold, body, usage })
}
