//! An answer that changes hands: its upstream failed in the middle of a text, and another goes on.
//!
//! While the first answers, a [`Memory`] reads along, if anyone could go on: the transcoder that translates the stream, or one
//! that only listens where the frames pass as they are. When the upstream fails, the same transcoder writes the rest, whatever
//! it is in, so that to the client it is one stream: with one id, one model, one role and each word once.

use std::time::Duration;

use super::Opening;
use super::guard::StreamGuard;
use super::open::Open;
use crate::dialect::continuation::seam::Seam;
use crate::dialect::{Continuation, Dialect, Transcoder};
use crate::error::Error;
use crate::framing::sse;
use crate::upstream::{OpenStream, Succession, Translating};

/// What is known of an answer while it lasts, for whoever may have to go on with it.
pub(super) struct Memory {
    succession: Box<Succession>,
    /// Reads along where nothing is translated.
    listener: Option<Transcoder>,
}

impl Memory {
    /// Nothing is known yet. The stream of `provider` is in `dialect`, and passes as it is unless it `is_translated`.
    pub(super) fn new(
        succession: Box<Succession>,
        dialect: &'static dyn Dialect,
        provider: &str,
        is_translated: bool,
    ) -> Self {
        let listener = (!is_translated).then(|| Transcoder::listening(dialect, provider, String::new()));
        Self { succession, listener }
    }

    /// Takes whole frames. False if there is more of them than may be kept.
    pub(super) fn keep(&mut self, run: &[u8]) -> bool {
        let Some(listener) = &mut self.listener else { return true };
        listener.push(run, Duration::ZERO);
        listener.said() <= self.succession.max_bytes()
    }

    /// Lets another upstream go on where the stream of the target `from`, told by `translation` if by any, has ended in `error`.
    /// The translation comes back if none can.
    pub(super) fn switch(
        self,
        translation: Option<Box<Translating>>,
        (from, error): (String, &Error),
    ) -> Result<Box<Switch>, Option<Box<Translating>>> {
        let Self { succession, listener } = self;
        let is_translated = translation.is_some();
        let transcoder = translation.as_ref().map(|translation| &translation.transcoder).or(listener.as_ref());
        let beginning = transcoder.and_then(Transcoder::beginning);
        let Some((text, tokens)) = beginning.filter(|(text, _)| text.len() <= succession.max_bytes()) else {
            return Err(translation);
        };
        let told = || succession.told_by(listener?).map(Box::new);
        let Some(translation) = translation.or_else(told) else { return Err(None) };
        match succession.open(error, &text, tokens) {
            Some(opening) => {
                let (opening, error): (Opening, _) = (Box::pin(opening), error.clone());
                Ok(Box::new(Switch { opening, text, translation, from, error }))
            }
            None => Err(is_translated.then_some(translation)),
        }
    }
}

/// Waits for the upstream that goes on.
pub(super) struct Switch {
    pub(super) opening: Opening,
    /// What the client has.
    text: String,
    /// What tells it the rest.
    pub(super) translation: Box<Translating>,
    /// Who ended it, `provider/model`, and in what.
    from: String,
    pub(super) error: Error,
}

impl Switch {
    /// The provider whose stream ended.
    pub(super) fn provider(&self) -> &str {
        self.error.provider().unwrap_or_default()
    }

    /// The stream that goes on, told as the one before.
    pub(super) fn go_on(self, mut stream: OpenStream, guard: &mut StreamGuard) -> Open {
        let (upstream, mut translation) = (&stream.target.upstream, self.translation);
        let seam = Seam::new(self.text, upstream.continuation.is_some_and(Continuation::may_echo));
        translation.transcoder.go_on(stream.observer.dialect(), &upstream.name, seam);
        translation.dropped = stream.translation.map_or_else(Vec::new, |own| own.dropped);
        let preface = if translation.client.takes_event_ids() { sse::SWITCHED } else { b"" };
        stream.translation = Some(translation);
        guard.switched(&self.from);
        Open::going_on(stream, preface, guard)
    }
}
