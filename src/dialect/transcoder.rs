//! Turns a stream of one dialect into a stream of another, piece by piece.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use super::Dialect;
use super::continuation::seam::Seam;
use super::sequencer::Sequencer;
use super::text_tools;
use super::translate::{AnswerContext, Decoder, Delta, Encoder};
use crate::canonical::{ChatAnswer, ChatEvent, Part};
use crate::error::Error;
use crate::framing::sse;

/// Translates one stream. What is ready when a piece has been read is written at once.
pub struct Transcoder {
    from: &'static dyn Dialect,
    decoder: Box<dyn Decoder>,
    sequencer: Sequencer,
    started: bool,
    /// The client has the stream from its upstream, and this only reads along.
    listens: bool,
    /// Where the stream goes on that another has begun.
    seam: Option<Seam>,
}

impl std::fmt::Debug for Transcoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transcoder").field("from", &self.from.name()).field("sequencer", &self.sequencer).finish()
    }
}

impl Transcoder {
    /// Translates a stream of `provider`, which speaks `from`, for a client that speaks `to`.
    pub fn new(from: &'static dyn Dialect, provider: &str, to: &dyn Dialect, context: &AnswerContext) -> Self {
        let encoder = text_tools::unwrapping(to.encoder(context), &context.request);
        let sequencer = Sequencer::new(encoder, from.name(), provider.to_owned(), context.id.clone());
        Self { from, decoder: from.decoder(), sequencer, started: false, listens: false, seam: None }
    }

    /// Reads along with a stream of `provider` that passes to the client as it is. The answer is called `id`.
    pub fn listening(from: &'static dyn Dialect, provider: &str, id: String) -> Self {
        let sequencer = Sequencer::new(Box::new(Silent), from.name(), provider.to_owned(), id);
        Self { from, decoder: from.decoder(), sequencer, started: false, listens: true, seam: None }
    }

    /// From here on the stream does not pass to the client, which speaks `to`, but is told it.
    pub fn speak(&mut self, to: &dyn Dialect, context: &AnswerContext) {
        self.listens = false;
        self.sequencer.take_over(text_tools::unwrapping(to.encoder(context), &context.request));
    }

    /// The text so far and the number of its tokens, if that is known; `None` if nobody could go on with it.
    pub fn beginning(&self) -> Option<(String, Option<u64>)> {
        let is_known = !self.listens || self.decoder.has_told_all(self.sequencer.parts());
        let is_joined = self.seam.as_ref().is_none_or(|seam| !seam.is_refused());
        let text = self.sequencer.beginning().filter(|_| is_known && is_joined)?;
        Some((text, self.sequencer.tokens()))
    }

    /// From here on the stream is that of `provider`, which speaks `from` and is to go on where `seam` is.
    pub fn go_on(&mut self, from: &'static dyn Dialect, provider: &str, seam: Seam) {
        (self.from, self.decoder, self.started) = (from, from.decoder(), false);
        self.sequencer.go_on(from.name(), provider.to_owned());
        self.seam = Some(seam);
    }

    /// Takes a run of whole frames that came `elapsed` after the request, and returns what is to be told of it.
    pub fn push(&mut self, run: &[u8], elapsed: Duration) -> Bytes {
        let mut out = Vec::new();
        let Self { decoder, sequencer, seam, .. } = self;
        sequencer.tick(elapsed);
        let text = if std::mem::replace(&mut self.started, true) { run } else { sse::strip_bom(run) };
        for event in self.from.framing().events(text) {
            let Some(data) = event.data.as_deref().filter(|_| !self.from.is_sign_of_life(&event)) else { continue };
            let data = str::from_utf8(data).map_or_else(|_| String::from_utf8_lossy(data), Cow::Borrowed);
            let mut tell = |event: ChatEvent<'_>| sequencer.take(event, &mut out);
            match seam {
                Some(seam) => decoder.decode(&event, &data, &mut |event| seam.take(event, &mut tell)),
                None => decoder.decode(&event, &data, &mut tell),
            }
            // Whatever else has arrived with it.
            sequencer.start(&mut out);
        }
        out.into()
    }

    /// The stream has ended whole; returns what tells the client so: nothing if it is not what was wanted.
    pub fn finish(&mut self, elapsed: Duration) -> Bytes {
        let mut out = Vec::new();
        let Self { decoder, sequencer, seam, .. } = self;
        sequencer.tick(elapsed);
        if !sequencer.has_ended() {
            let mut tell = |event: ChatEvent<'_>| sequencer.take(event, &mut out);
            if let Some(seam) = seam {
                decoder.finish(&mut |event| seam.take(event, &mut tell));
                seam.end(&mut tell);
            } else {
                decoder.finish(&mut tell);
            }
        }
        if !self.has_begun_anew() {
            self.sequencer.finish(&mut out);
        }
        out.into()
    }

    /// Whether who was to go on with the answer began another.
    pub fn has_begun_anew(&self) -> bool {
        self.seam.as_ref().is_some_and(Seam::is_refused)
    }

    /// The stream has broken off; returns what tells the client so.
    pub fn fail(&mut self, error: &Error) -> Bytes {
        let mut out = Vec::new();
        self.sequencer.fail(error, &mut out);
        out.into()
    }

    /// Why there is no answer, although the stream may be whole.
    pub fn failure(&self) -> Option<String> {
        let begun_anew = || "The answer broke off, and the model that was to go on with it began anew.".to_owned();
        self.has_begun_anew().then(begun_anew).or_else(|| self.sequencer.failure())
    }

    /// How many bytes the answer has so far: it is kept whole until its end, for those who want it whole there.
    pub fn said(&self) -> usize {
        self.sequencer.said()
    }

    /// The kinds of what the upstream said and the client cannot be told.
    pub fn unmapped(&self) -> &[String] {
        self.sequencer.unmapped()
    }
}

/// Reads `body`, an answer of `provider`, which speaks `from`, that did not stream. The answer is called `id`. With it come
/// the kinds of what no client can be told.
///
/// # Errors
///
/// Half a sentence: it is no answer of that dialect, or one that is none.
pub fn read_answer(
    from: &dyn Dialect,
    provider: &str,
    id: &str,
    body: &[u8],
) -> Result<(ChatAnswer, Vec<String>), String> {
    let mut sequencer = Sequencer::new(Box::new(Silent), from.name(), provider.to_owned(), id.to_owned());
    let mut out = Vec::new();
    let decoded = from.decode_answer(body, &mut |event| sequencer.take(event, &mut out));
    decoded.map_err(|error| format!("an answer that is none of {} ({error})", from.title()))?;
    if let Some(message) = sequencer.failure() {
        return Err(format!("no answer. {message}"));
    }
    sequencer.finish(&mut out);
    let unmapped = sequencer.unmapped().to_vec();
    Ok((sequencer.into_answer(), unmapped))
}

/// Takes texts for tools of the request of `context` out of the objects that its provider wanted them in.
pub fn unwrap_texts(answer: &mut ChatAnswer, context: &AnswerContext) {
    text_tools::unwrap(answer, &context.request);
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
