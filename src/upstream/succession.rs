//! Who goes on with an answer whose upstream fails in the middle of it.

use tokio::time::Instant;

use super::attempts::Failure;
use super::question::Question;
use super::retry::{self, Verdict};
use super::routing::Target;
use super::stream::{OpenStream, Translating, first_content};
use crate::config::stream::Stream as StreamConfig;
use crate::dialect::{Transcoder, continuation};
use crate::error::Error;

/// The targets that may still be asked to go on with one answer.
#[derive(Debug)]
pub struct Succession {
    question: Question,
    config: StreamConfig,
    started: Instant,
    /// The places of those who have spoken: nobody goes on with what broke off in its own hands.
    spoken: Vec<usize>,
}

impl Succession {
    /// Those who may go on with `stream`, which answers `question`; `None` if nobody could.
    pub(super) fn of(
        question: Question,
        config: StreamConfig,
        started: Instant,
        stream: &OpenStream,
    ) -> Option<Box<Self>> {
        let request = &question.translation.as_ref()?.context.request;
        let is_told = stream.translation.is_some() || question.client.takes_over();
        if !is_told || question.expected_ends != 1 || continuation::objection(request).is_some() {
            return None;
        }
        Box::new(Self { question, config, started, spoken: Vec::new() }).behind(stream)
    }

    /// Those who are left now that `stream` speaks.
    fn behind(mut self: Box<Self>, stream: &OpenStream) -> Option<Box<Self>> {
        let targets = &self.question.route.targets;
        self.spoken.push(targets.iter().position(|target| target.is(&stream.target))?);
        let is_left = |(index, target): (usize, &Target)| target.continues() && !self.spoken.contains(&index);
        let may_switch = self.spoken.len() <= self.config.max_switches as usize;
        let is_any_left = targets.iter().enumerate().any(is_left);
        (may_switch && is_any_left).then_some(self)
    }

    /// How many bytes of the text may be kept for them.
    pub fn max_bytes(&self) -> usize {
        self.config.max_continued_bytes
    }

    /// Lets `transcoder`, which has listened so far, tell the client the rest of the answer.
    pub fn told_by(&self, mut transcoder: Transcoder) -> Option<Translating> {
        let Question { client, translation, .. } = &self.question;
        transcoder.speak(*client, &translation.as_ref()?.context);
        let max_bytes = self.config.max_response_bytes;
        Some(Translating { transcoder, client: *client, max_bytes, dropped: Vec::new() })
    }

    /// Asks them to go on with `text`, of `tokens` tokens if that is known, where the stream ended in `error`; they are asked as
    /// they would be for an answer. `None` if nobody can be.
    pub fn open(
        self: Box<Self>,
        error: &Error,
        text: &str,
        tokens: Option<u64>,
    ) -> Option<impl Future<Output = Result<OpenStream, Failure>> + Send + use<>> {
        let stops = &self.question.translation.as_ref()?.context.request.stop;
        if !is_another_s_chance(error) || continuation::ends_within(text, stops) {
            return None;
        }
        let question = self.question.going_on(text, tokens, &self.spoken)?;
        Some(async move {
            let stream = first_content(&question, &self.config, self.started).await?;
            let succession = self.behind(&stream);
            Ok(OpenStream { succession, ..stream })
        })
    }
}

/// Whether another target may do better than the one that failed in `error`. What is too large stays so.
fn is_another_s_chance(error: &Error) -> bool {
    let is_final = matches!(retry::verdict(error), Verdict::Final | Verdict::KeyRefused);
    !is_final && !matches!(error, Error::UpstreamTooLarge { .. })
}
