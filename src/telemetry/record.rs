//! One log line per request, written when nothing of the request is left.
//!
//! A request may end in many places: refused before a handler runs, answered, cut in the middle of its stream, or dropped
//! by a client that left while the model was thinking. All of them hold a clone of the request's [`Record`]; whoever drops
//! the last one writes the line. So there is always exactly one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::canonical::Usage;
use crate::error::{Error, Origin};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer was delivered whole.
    Completed,
    /// The client left before the end.
    ClientGone,
    /// The client stayed but stopped reading.
    ClientStalled,
    /// The client stopped the answer and stayed.
    Cancelled,
    /// The request was refused for its sender's fault.
    Rejected,
    /// The upstream failed.
    UpstreamFailed,
    /// A phase took too long; the word is that of [`crate::error::Phase::key`].
    TimedOut(&'static str),
    /// Every target was full.
    OverCapacity,
    /// Sluicegate shut down.
    ShutDown,
    /// The reader was sent to another replica.
    HandedOver,
    /// What other replicas know was needed and cannot be had.
    Unavailable,
}

impl Outcome {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientGone => "client_gone",
            Self::ClientStalled => "client_stalled",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::UpstreamFailed => "upstream_failed",
            Self::TimedOut(phase) => phase,
            Self::OverCapacity => "over_capacity",
            Self::ShutDown => "shut_down",
            Self::HandedOver => "handed_over",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<&Error> for Outcome {
    fn from(error: &Error) -> Self {
        match (error, error.origin()) {
            (Error::UpstreamTimeout { phase, .. }, _) => Self::TimedOut(phase.key()),
            (Error::StreamsUnavailable | Error::ReplicaLost, _) => Self::Unavailable,
            (Error::OverCapacity { .. }, _) => Self::OverCapacity,
            (_, Origin::Client) => Self::Rejected,
            (_, Origin::Upstream) => Self::UpstreamFailed,
            (_, Origin::Proxy) => Self::ShutDown,
        }
    }
}

/// What is known of one request. Clones share it; dropping the last one logs it.
#[derive(Debug, Clone)]
pub struct Record(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    request_id: String,
    method: Method,
    /// Without the query: it may hold a secret.
    path: String,
    started: Instant,
    facts: Mutex<Facts>,
}

/// What a line about a resumable stream tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What became of the stream itself; one line for each stream.
    Generation,
    /// What became of one who read it.
    Reader,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Self::Generation => "generation",
            Self::Reader => "reader",
        }
    }
}

/// What is learned on the way.
#[derive(Debug, Default)]
pub struct Facts {
    /// The name of the client's key.
    pub caller: Option<Arc<str>>,
    /// The model asked for.
    pub model: Option<String>,
    /// The provider that answers or failed.
    pub provider: Option<Arc<str>>,
    /// How often another provider has gone on with the answer.
    pub switches: u32,
    /// The targets that it was taken over from, `provider/model`, in their order.
    pub switched_from: Option<String>,
    /// The status sent.
    pub status: Option<StatusCode>,
    /// How it ended. Unknown until the end: whoever is dropped before that had its client leave.
    pub outcome: Option<Outcome>,
    /// Who was asked, and what came of it, where it was not the first who answered.
    pub attempts: Option<String>,
    /// The error's kind and cause.
    pub error: Option<(&'static str, Option<String>)>,
    /// From the request to the first content.
    pub time_to_first_token: Option<Duration>,
    /// Events passed on.
    pub frames: u64,
    /// Body bytes passed on.
    pub bytes: u64,
    /// Tokens, as the provider counted them.
    pub usage: Option<Usage>,
    /// The dialect that the provider was asked in, if it was not the client's.
    pub translated: Option<&'static str>,
    /// What the request left out, for want of a word in that dialect.
    pub dropped: Option<String>,
    /// What the answer said that the client's dialect has no word for.
    pub untold: Option<String>,
    /// The resumable stream that the line is about, by the beginning of its name.
    pub stream: Option<String>,
    /// Which of its lines it is.
    pub part: Option<Part>,
    /// A question that is asked every few seconds: told only to who wants every detail.
    pub routine: bool,
}

impl Facts {
    /// `attempts` were made, behind those that were noted before.
    pub fn note_attempts(&mut self, attempts: &str) {
        let before = self.attempts.take().map_or_else(String::new, |before| before + ", ");
        self.attempts = Some(before + attempts);
    }

    /// Another provider goes on with the answer that the target `from` did not end.
    pub fn note_switch(&mut self, from: &str) {
        self.switches += 1;
        let all = self.switched_from.take().map_or_else(String::new, |all| all + ",");
        self.switched_from = Some(all + from);
    }

    /// The client speaks the dialect `client`, and the provider was asked in `spoken`, without what `dropped` names.
    pub fn note_translation(&mut self, spoken: &'static str, client: &str, dropped: &[String]) {
        self.translated = (spoken != client).then_some(spoken);
        self.dropped = (!dropped.is_empty()).then(|| dropped.join(","));
    }

    /// The upstream said things of these kinds that the client could not be told in its dialect.
    pub fn note_untold(&mut self, kinds: &[String]) {
        self.untold = (!kinds.is_empty()).then(|| kinds.join(","));
    }
}

impl Record {
    /// Begins the record of a request.
    pub fn new(request_id: String, method: Method, path: String) -> Self {
        let facts = Mutex::new(Facts::default());
        Self(Arc::new(Shared { request_id, method, path, started: Instant::now(), facts }))
    }

    /// The record of the stream called `stream` that this request begins and that outlives it. It has a line of its own, with
    /// what is known of the request so far.
    #[must_use]
    pub fn of_stream(&self, stream: &str) -> Self {
        let Shared { request_id, method, path, started, .. } = &*self.0;
        let mut mine = self.facts();
        mine.stream = Some(stream.to_owned());
        let facts = Mutex::new(Facts {
            caller: mine.caller.clone(),
            model: mine.model.clone(),
            provider: mine.provider.clone(),
            stream: Some(stream.to_owned()),
            part: Some(Part::Generation),
            ..Facts::default()
        });
        let (request_id, method, path) = (request_id.clone(), method.clone(), path.clone());
        Self(Arc::new(Shared { request_id, method, path, started: *started, facts }))
    }

    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// When the request came.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// The facts, for reading and writing. Not to be held across an await.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        // A panic while someone wrote a fact leaves the other facts as good as they were.
        self.0.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the request ended in `error`.
    pub fn fail(&self, error: &Error) {
        let mut facts = self.facts();
        facts.outcome = Some(error.into());
        facts.error = Some((error.kind(), error.cause().map(str::to_owned)));
        if let Some(provider) = error.provider() {
            facts.provider = Some(provider.into());
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let facts = self.facts.get_mut().unwrap_or_else(PoisonError::into_inner);
        if facts.routine && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let usage = facts.usage.as_ref();
        let (error, cause) = facts.error.as_ref().map_or((None, None), |(kind, cause)| (Some(*kind), cause.as_deref()));
        // Fields without a value are left out.
        tracing::info!(
            outcome = facts.outcome.unwrap_or(Outcome::ClientGone).as_str(),
            status = facts.status.map(|status| status.as_u16()),
            method = self.method.as_str(),
            path = clip(&self.path),
            request_id = self.request_id,
            caller = facts.caller.as_deref(),
            model = facts.model.as_deref().map(clip),
            provider = facts.provider.as_deref(),
            attempts = facts.attempts,
            switches = (facts.switches > 0).then_some(facts.switches),
            switched_from = facts.switched_from.as_deref().map(clip),
            translated = facts.translated,
            dropped = facts.dropped.as_deref().map(clip),
            untold = facts.untold.as_deref().map(clip),
            stream = facts.stream,
            part = facts.part.map(Part::as_str),
            error,
            cause,
            time_to_first_token_seconds = facts.time_to_first_token.map(|time| time.as_secs_f64()),
            duration_seconds = self.started.elapsed().as_secs_f64(),
            frames = facts.frames,
            bytes = facts.bytes,
            input_tokens = usage.map(|usage| usage.input_tokens),
            output_tokens = usage.map(|usage| usage.output_tokens),
            "request"
        );
    }
}

/// As much of a text whose length the client chose as a line should hold.
fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(256)]
}
