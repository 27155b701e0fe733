//! A stream whose upstream is answering.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;
use tokio::time::Instant;

use super::guard::StreamGuard;
use super::switch::{Memory, Switch};
use crate::dialect::{Observer, UpstreamError};
use crate::error::Error;
use crate::framing::{Splitter, sse};
use crate::upstream::{self, OpenStream, Seat, Translating, Upstream, response};

pub(super) struct Open {
    pub(super) upstream: Arc<Upstream>,
    seat: Seat,
    /// The model's name there.
    model: Arc<str>,
    /// When the request was sent.
    pub(super) asked: Instant,
    /// Frames that came before the stream was handed over.
    first: Bytes,
    /// Something of the upstream has been passed on.
    begun: bool,
    /// What is said before anything of the upstream is.
    preface: &'static [u8],
    body: upstream::Body,
    /// How many bytes have come of it here.
    pub(super) received: u64,
    splitter: Splitter,
    pub(super) observer: Observer,
    pub(super) translation: Option<Box<Translating>>,
    /// What another upstream would need to go on.
    memory: Option<Box<Memory>>,
}

impl Open {
    pub(super) fn new(stream: OpenStream, guard: &mut StreamGuard) -> Self {
        let upstream = stream.target.upstream;
        guard.opened(Arc::clone(&upstream.name));
        guard.tried(&stream.trail);
        if let Some(translation) = &stream.translation {
            let (from, to) = (stream.observer.dialect().name(), translation.client.name());
            guard.translated(from, to, &translation.dropped);
        }
        let mut observer = stream.observer;
        let memory = stream.succession.map(|succession| {
            // An error that the client has seen ends its stream.
            observer.hide_errors();
            Box::new(Memory::new(succession, observer.dialect(), &upstream.name, stream.translation.is_some()))
        });
        Self {
            upstream,
            seat: stream.seat,
            model: stream.target.model,
            asked: stream.asked,
            first: stream.first,
            begun: false,
            preface: b"",
            body: stream.body,
            received: 0,
            splitter: stream.splitter,
            observer,
            translation: stream.translation,
            memory,
        }
    }

    /// A stream that goes on with another. `preface` is the first that is said of it.
    pub(super) fn going_on(stream: OpenStream, preface: &'static [u8], guard: &mut StreamGuard) -> Self {
        Self { begun: true, preface, ..Self::new(stream, guard) }
    }

    /// The next whole frames as the client, who asked at the time that `guard` knows, is told of them; possibly none. `None` at
    /// the end of the upstream's body.
    pub(super) fn poll_run(&mut self, cx: &mut Context<'_>, guard: &StreamGuard) -> Poll<Option<Result<Bytes, Error>>> {
        self.poll_frames(cx).map_ok(|run| {
            let run = self.tell(run, guard.started());
            let is_first = !run.is_empty() && !std::mem::replace(&mut self.begun, true);
            // Behind a keep-alive a byte order mark would be part of a field's name, and the field unknown.
            if is_first && guard.has_sent() { run.slice_ref(sse::strip_bom(&run)) } else { run }
        })
    }

    fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        if let Some(error) = self.observer.hidden_error() {
            return Poll::Ready(Some(Err(self.reported(error))));
        }
        if let Some(error) = self.translation.as_deref().and_then(|translation| self.objection(translation)) {
            return Poll::Ready(Some(Err(error)));
        }
        let data = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(response::broken(&self.upstream.name, &error)))),
            // Trailers say nothing to the clients of an event stream.
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        self.received += data.len() as u64;
        let run = self.splitter.push(data).map_err(|error| response::frame_too_large(&self.upstream.name, error));
        Poll::Ready(Some(run.map(|mut run| {
            run.truncate(self.observer.observe(&run));
            run
        })))
    }

    /// What a client that asked at `started` is told of `run`: itself, or its translation.
    #[inline]
    fn tell(&mut self, run: Bytes, started: Instant) -> Bytes {
        if self.translation.is_some() {
            return self.translate(&run, started);
        }
        if let Some(memory) = &mut self.memory
            && !memory.keep(&run)
        {
            self.memory = None;
        }
        run
    }

    #[inline(never)]
    fn translate(&mut self, run: &[u8], started: Instant) -> Bytes {
        let Some(translation) = &mut self.translation else { return Bytes::new() };
        let mut told = translation.transcoder.push(run, started.elapsed());
        if self.observer.is_done() && self.observer.error().is_none() {
            // Its last event has come: there is no need to wait for the end of its body.
            told = [told, translation.transcoder.finish(started.elapsed())].concat().into();
        }
        if told.is_empty() || self.preface.is_empty() {
            return told;
        }
        [std::mem::take(&mut self.preface), &told].concat().into()
    }

    /// What the upstream's body ends in that is a frame but for its end, as the client is told of it.
    pub(super) fn rest(&mut self, started: Instant) -> Bytes {
        let rest = self.observer.observe_rest(&self.splitter.take_partial()).unwrap_or_default();
        self.tell(rest, started)
    }

    /// Why the stream is not read on: more has been said than may be kept, or another beginning.
    fn objection(&self, translation: &Translating) -> Option<Error> {
        let (transcoder, limit) = (&translation.transcoder, translation.max_bytes);
        if transcoder.said() > limit {
            return Some(response::answer_too_large(&self.upstream.name, limit));
        }
        transcoder
            .failure()
            .filter(|_| transcoder.has_begun_anew())
            .map(|what| response::failed(&self.upstream.name, what))
    }

    /// What the upstream reported, for the client to understand.
    fn reported(&self, error: &UpstreamError) -> Error {
        let error = response::reported(self.observer.dialect(), &self.upstream, error.clone());
        match &self.translation {
            Some(translation) => response::in_other_words(error, translation.client),
            None => error,
        }
    }

    /// Whether the stream, now that it ends, was whole. If not, that counts against the health of its target.
    pub(super) fn verdict(&self, cause: Option<Error>) -> Result<(), Error> {
        self.judge(cause).inspect_err(|error| {
            if !self.has_begun_anew() {
                self.seat.failed(error);
            }
        })
    }

    /// Whether it was to go on with another, and did not. Nothing is wrong with its upstream.
    fn has_begun_anew(&self) -> bool {
        self.translation.as_ref().is_some_and(|translation| translation.transcoder.has_begun_anew())
    }

    /// What ends it, if not the upstream itself, takes nothing from an answer that is complete.
    fn judge(&self, cause: Option<Error>) -> Result<(), Error> {
        if let Some(error) = self.observer.error() {
            return Err(self.reported(error));
        }
        if let Some(message) = self.translation.as_ref().and_then(|translation| translation.transcoder.failure()) {
            return Err(response::failed(&self.upstream.name, message));
        }
        match cause {
            _ if self.observer.is_complete() => Ok(()),
            Some(cause) => Err(cause),
            None if self.observer.may_end() => Ok(()),
            None => Err(Error::UpstreamTruncated { provider: self.upstream.name.to_string() }),
        }
    }

    /// Gives the stream, which ends in `error`, to another upstream to go on with, if there is one.
    pub(super) fn switch(&mut self, error: &Error) -> Option<Box<Switch>> {
        let from = format!("{}/{}", self.upstream.name, self.model);
        match self.memory.take()?.switch(self.translation.take(), (from, error)) {
            Ok(switch) => Some(switch),
            Err(translation) => {
                self.translation = translation;
                None
            }
        }
    }

    /// Hands what has been learned to the guard, which writes it down.
    pub(super) fn report(&self, guard: &mut StreamGuard) {
        guard.report(self.splitter.frames(), self.observer.usage());
        if let Some(translation) = &self.translation {
            guard.report_untold(translation.transcoder.unmapped());
        }
    }

    /// Whether something of our own may be written now.
    pub(super) fn at_boundary(&self) -> bool {
        self.translation.is_some() || self.splitter.at_boundary()
    }
}
