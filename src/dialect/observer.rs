//! Reads along with a stream that passes untouched.
//!
//! An observer never changes or delays a byte. It learns what the relay must know to end a stream honestly and to account
//! for it: whether content has come, whether the stream is complete, its usage, and whether the upstream reported an error.
//!
//! Almost every frame is a token that says nothing of this. Such frames are recognised by searching their bytes for the few
//! words that matter, and only the others are parsed. Which words these are, and what an event means, the dialect knows; it
//! is asked once for a run of frames.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Dialect, UpstreamError};
use crate::canonical::Usage;
use crate::framing::Framing;
use crate::framing::sse::{self, Event};

/// What has been learned of one stream.
#[derive(Debug, Clone)]
pub struct Observer {
    dialect: &'static dyn Dialect,
    framing: Framing,
    /// Ends that make the stream complete; `None` if its end needs no announcement.
    expected_ends: Option<u32>,
    hides_errors: bool,
    started: bool,
    learned: Learned,
}

/// What the events of a stream tell, as their dialect reads them.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    /// The model has said something: an announced role is no content.
    pub content: bool,
    /// How many parts of the answer have announced their end.
    pub ends: u32,
    /// The event has come after which there is none.
    pub done: bool,
    /// The last usage the provider reported.
    pub usage: Option<Usage>,
    /// Data has come that is no JSON.
    pub garbled: bool,
    /// Data has come of a shape or kind that is not known here: it may be content, which only clients can tell.
    pub unknown: bool,
    error: Option<UpstreamError>,
    error_visible: bool,
}

impl Learned {
    /// The upstream reported `error`; `visible` says whether clients see it where it stands.
    pub fn fail(&mut self, error: UpstreamError, visible: bool) {
        self.error = Some(error);
        self.error_visible = visible;
    }

    /// The data of an event could not be read as what its dialect knows.
    pub fn note_unread(&mut self, data: &str) {
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok();
        self.garbled |= !is_json;
        self.unknown |= is_json;
    }

    /// Whether the upstream has reported an error.
    pub fn has_failed(&self) -> bool {
        self.error.is_some()
    }
}

impl Observer {
    /// An observer of a stream of `dialect` that is complete when `expected_ends` parts of it have announced their end.
    pub fn new(dialect: &'static dyn Dialect, expected_ends: u32) -> Self {
        let (framing, learned) = (dialect.framing(), Learned::default());
        Self { dialect, framing, expected_ends: Some(expected_ends), hides_errors: false, started: false, learned }
    }

    /// An observer of an event stream that nobody here understands, whose end need not be announced and whose errors are
    /// known to its clients. `dialect` is what else they speak.
    pub fn opaque(dialect: &'static dyn Dialect) -> Self {
        Self { expected_ends: None, framing: Framing::EventStream, ..Self::new(dialect, 0) }
    }

    /// From now on, clients see no error where it stands: what they are told is written anew.
    pub fn hide_errors(&mut self) {
        self.hides_errors = true;
    }

    /// The dialect of the stream.
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    /// Reads a run of whole frames and returns how many of its bytes may pass: all of them, but for an error that clients
    /// would not see and what stands behind it.
    pub fn observe(&mut self, run: &[u8]) -> usize {
        if run.is_empty() || self.is_another_token(run) {
            return run.len();
        }
        let text = if std::mem::replace(&mut self.started, true) { run } else { sse::strip_bom(run) };
        let mut passed = run.len() - text.len();
        for frame in self.framing.frames(text) {
            if !self.is_another_token(frame) {
                self.observe_event(&self.framing.parse(frame));
            }
            if self.hidden_error().is_some() {
                return passed;
            }
            passed += frame.len();
        }
        passed
    }

    /// Whether there is nothing to learn from `run` but that the model speaks.
    fn is_another_token(&mut self, run: &[u8]) -> bool {
        let is_another = self.dialect.is_another_token(run, self.learned.content);
        if is_another {
            (self.started, self.learned.content) = (true, true);
        }
        is_another
    }

    /// Reads what stood behind the last whole frame when the body ended. Returns it as a frame if it lacks nothing but the
    /// empty line.
    pub fn observe_rest(&mut self, rest: &[u8]) -> Option<Bytes> {
        if rest.is_empty() {
            return None;
        }
        // Some servers end a stream that fails in a bare error body.
        if let Some(error) = UpstreamError::parse(rest) {
            self.learned.fail(error, false);
            return None;
        }
        let event = self.framing.parse(sse::strip_bom(rest));
        let is_whole = match event.data.as_deref() {
            Some(b"[DONE]") => true,
            Some(data) => serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok(),
            None => event.error.is_some(),
        };
        let frame = is_whole.then(|| Bytes::from(self.framing.end_frame(rest)))?;
        let passed = self.observe(&frame);
        Some(frame.slice(..passed))
    }

    fn observe_event(&mut self, event: &Event<'_>) {
        if let Some(error) = event.error.and_then(|text| UpstreamError::parse(&wrap_error(text))) {
            self.learned.fail(error, false);
        }
        let Some(data) = event.data.as_deref().filter(|_| !self.dialect.is_sign_of_life(event)) else { return };
        // As clients read it: malformed text is replaced, and what stands around it counts. There hardly ever is any.
        let data = &*str::from_utf8(data).map_or_else(|_| String::from_utf8_lossy(data), Cow::Borrowed);
        match (self.expected_ends, event.event) {
            (Some(_), name) => self.dialect.observe(name, data, &mut self.learned),
            (None, _) if data == "[DONE]" => self.learned.done = true,
            (None, Some(b"error")) => self.learned.fail(UpstreamError::of_event(data), true),
            (None, _) => self.learned.content = true,
        }
    }

    /// Whether the model has said anything yet: an announced role is no content.
    pub fn has_content(&self) -> bool {
        self.learned.content
    }

    /// Whether the model has begun to answer, or may have, as far as can be told here, or the answer is whole without a word.
    pub fn has_begun(&self) -> bool {
        self.has_content() || self.learned.unknown || self.is_complete()
    }

    /// Whether the last event has come, after which nothing more is expected.
    pub fn is_done(&self) -> bool {
        self.learned.done
    }

    /// Whether the answer is known to be whole: by its last event, or by all the ends in it.
    pub fn is_complete(&self) -> bool {
        self.is_done() || self.expected_ends.is_some_and(|expected| self.learned.ends >= expected)
    }

    /// Whether the upstream may end its body here: a complete answer, or a stream whose end need not be announced.
    pub fn may_end(&self) -> bool {
        self.is_complete() || self.expected_ends.is_none()
    }

    /// The last usage the provider reported.
    pub fn usage(&self) -> Option<Usage> {
        self.learned.usage
    }

    /// The error the upstream reported inside the stream.
    pub fn error(&self) -> Option<&UpstreamError> {
        self.learned.error.as_ref()
    }

    /// Whether clients see that error where it stands.
    pub fn is_error_visible(&self) -> bool {
        self.learned.error_visible && !self.hides_errors
    }

    /// That error, if clients do not see it.
    pub fn hidden_error(&self) -> Option<&UpstreamError> {
        self.error().filter(|_| !self.is_error_visible())
    }

    /// Whether data has come that is no JSON.
    pub fn is_garbled(&self) -> bool {
        self.learned.garbled
    }
}

/// The value of an `error` field is the inner object; the reader wants the outer one.
fn wrap_error(text: &[u8]) -> Vec<u8> {
    [b"{\"error\":", text, b"}"].concat()
}
