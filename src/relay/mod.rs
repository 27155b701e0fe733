//! The body of a streaming response: an upstream's frames, as they come, and the truth about how they end.
//!
//! hyper polls this body whenever the client's socket takes more; that pull is the backpressure, through to the upstream.
//! Everything a stream holds is in here, so dropping the body, which is what happens when the client leaves, releases
//! all of it: the upstream connection closes, and the [`guard`] writes down how the stream ended. There is no channel and no
//! task of our own between the two sockets.
//!
//! It is written as a poll function rather than an `async` block because it lives as long as the stream, ten thousand times
//! over: its size is its fields, and a token costs no timer.

mod clocks;
pub mod guard;
pub mod output;
mod pace;
pub mod raw;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::stream::Stream as StreamConfig;
use crate::dialect::{Dialect, Observer, UpstreamError};
use crate::error::Error;
use crate::framing::{Splitter, sse};
use crate::telemetry::record::Outcome;
use crate::upstream::{self, Failure, OpenStream, Seat, Translating, Upstream, response};

use clocks::{Clocks, Due, Stage};
use guard::StreamGuard;
use output::Output;

/// An upstream that has not shown its first content yet.
pub type Opening = Pin<Box<dyn Future<Output = Result<OpenStream, Failure>> + Send>>;

pin_project! {
    /// The streaming response body. See the [module documentation](self).
    pub struct Relay {
        // The client's.
        dialect: &'static dyn Dialect,
        output: Output,
        source: Source,
        guard: StreamGuard,
        // What is still to be said when the source has ended.
        last_words: Bytes,
        #[pin]
        clocks: Clocks,
    }

    impl PinnedDrop for Relay {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.source.report(this.guard);
        }
    }
}

/// Where the frames come from.
#[expect(clippy::large_enum_variant, reason = "nearly every stream is open for nearly all its life")]
enum Source {
    /// The response head went out before the first content came; until it comes, another target may still be asked.
    Opening {
        provider: Arc<str>,
        opening: Opening,
    },
    Open(Open),
    Ended,
}

struct Open {
    upstream: Arc<Upstream>,
    seat: Seat,
    /// When the request was sent.
    asked: Instant,
    /// Frames that came before the stream was handed over.
    first: Bytes,
    /// Something of the upstream has been passed on.
    begun: bool,
    body: upstream::Body,
    /// How many bytes have come of it here.
    received: u64,
    splitter: Splitter,
    observer: Observer,
    translation: Option<Box<Translating>>,
}

impl Relay {
    /// Relays a stream whose first content is in hand. `shutdown` ends it with an error.
    pub fn open(
        stream: OpenStream,
        config: &StreamConfig,
        mut guard: StreamGuard,
        shutdown: CancellationToken,
    ) -> Self {
        let clocks = Clocks::new(config, guard.started(), shutdown);
        let dialect = stream.translation.as_ref().map_or(stream.observer.dialect(), |translation| translation.client);
        let source = Source::Open(Open::new(stream, &mut guard));
        Self { dialect, output: Output::AsIs, source, guard, last_words: Bytes::new(), clocks }
    }

    /// Relays a stream that is still to begin. A keep-alive goes out at once: the client sees life.
    /// `provider` is the one asked first; the client speaks `dialect`.
    pub fn opening(
        dialect: &'static dyn Dialect,
        provider: Arc<str>,
        opening: Opening,
        config: &StreamConfig,
        guard: StreamGuard,
        shutdown: CancellationToken,
    ) -> Self {
        let clocks = Clocks::waiting(config, guard.started(), shutdown);
        let source = Source::Opening { provider, opening };
        Self { dialect, output: Output::AsIs, source, guard, last_words: Bytes::new(), clocks }
    }

    /// Writes the stream as `output` has it.
    #[must_use]
    pub fn written_as(mut self, output: Output) -> Self {
        self.output = output;
        self
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut this = self.project();
        let dialect = *this.dialect;
        while !this.source.is_ended() {
            let cause = match this.source.poll_run(cx, this.guard) {
                Poll::Ready(Some(Ok(run))) if run.is_empty() => {
                    this.clocks.as_mut().received(this.source.received());
                    continue;
                }
                Poll::Ready(Some(Ok(run))) => {
                    this.clocks.passed(this.source.received());
                    return Poll::Ready(Some(Ok(send(this.output.write(run), this.guard))));
                }
                Poll::Ready(Some(Err(error))) => Some(error),
                Poll::Ready(None) => None,
                Poll::Pending => match ready!(this.source.poll_clocks(cx, this.clocks.as_mut())) {
                    Due::KeepAlive => {
                        let sign_of_life = Bytes::from_static(this.output.keep_alive(dialect));
                        this.clocks.sent();
                        return Poll::Ready(Some(Ok(send(sign_of_life, this.guard))));
                    }
                    Due::Timeout(phase, limit) => {
                        Some(Error::UpstreamTimeout { provider: this.source.provider().to_owned(), phase, limit })
                    }
                    Due::Shutdown => Some(Error::ShuttingDown),
                    Due::End => None,
                },
            };
            *this.last_words = this.output.write_last(this.source.end(cause, dialect, this.guard));
        }
        if this.last_words.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(send(std::mem::take(this.last_words), this.guard))))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_ended() && self.last_words.is_empty()
    }
}

/// Hands `data` to hyper, which writes all that it gets in one turn in one piece.
fn send(data: Bytes, guard: &mut StreamGuard) -> Frame<Bytes> {
    guard.sent(data.len());
    Frame::data(data)
}

// === impl Source ===

impl Source {
    /// The next whole frames, possibly none; `None` at the end of the upstream's body.
    fn poll_run(&mut self, cx: &mut Context<'_>, guard: &mut StreamGuard) -> Poll<Option<Result<Bytes, Error>>> {
        if let Self::Opening { opening, .. } = self {
            match ready!(opening.as_mut().poll(cx)) {
                Ok(stream) => *self = Self::Open(Open::new(stream, guard)),
                Err(failure) => {
                    guard.tried(&failure.trail);
                    return Poll::Ready(Some(Err(failure.error)));
                }
            }
        }
        let Self::Open(open) = self else {
            return Poll::Ready(None);
        };
        let run = open.poll_run(cx).map_ok(|run| {
            let run = if open.translation.is_some() { open.tell(run, guard.started()) } else { run };
            let is_first = !run.is_empty() && !std::mem::replace(&mut open.begun, true);
            // Behind a keep-alive a byte order mark would be part of a field's name, and the field unknown.
            if is_first && guard.has_sent() { run.slice_ref(sse::strip_bom(&run)) } else { run }
        });
        guard.note_first_token(&open.observer);
        run
    }

    /// The name of the provider that answers, or is asked first.
    fn provider(&self) -> &str {
        match self {
            Self::Opening { provider, .. } => provider,
            Self::Open(open) => &open.upstream.name,
            Self::Ended => "",
        }
    }

    /// How many bytes of its body have come.
    fn received(&self) -> u64 {
        match self {
            Self::Open(open) => open.received,
            Self::Opening { .. } | Self::Ended => 0,
        }
    }

    fn is_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// Waits until the clocks want something done.
    fn poll_clocks(&self, cx: &mut Context<'_>, clocks: Pin<&mut Clocks>) -> Poll<Due> {
        let Self::Open(open) = self else {
            return clocks.poll(cx, Stage::Opening, true);
        };
        let stage = match &open.observer {
            observer if observer.is_done() => Stage::Done,
            observer if observer.has_content() => Stage::Speaking,
            _ => Stage::Open { asked: open.asked },
        };
        clocks.poll(cx, stage, open.translation.is_some() || open.splitter.at_boundary())
    }

    /// Ends the stream, orderly or for `cause`. Returns what is still to be said: nothing of our own if all is well, an error
    /// event in `dialect` if not, and never what would end a whole answer.
    fn end(&mut self, cause: Option<Error>, dialect: &dyn Dialect, guard: &mut StreamGuard) -> Bytes {
        let (rest, verdict, told) = match self {
            Self::Open(open) => {
                let rest = open.observer.observe_rest(&open.splitter.take_partial()).unwrap_or_default();
                let rest = open.tell(rest, guard.started());
                let verdict = open.verdict(cause);
                if let Err(error) = &verdict {
                    open.seat.failed(error);
                }
                (rest, verdict, open.observer.is_error_visible())
            }
            _ => (Bytes::new(), cause.map_or(Ok(()), Err), false),
        };
        self.report(guard);
        let end = match &verdict {
            Ok(()) => self.end_of_translation(guard.started()),
            Err(_) if told => Bytes::new(),
            Err(error) => self.error_frame(error, dialect),
        };
        *self = Self::Ended;
        match verdict {
            Ok(()) => guard.finish(Outcome::Completed),
            Err(error) => guard.fail(&error),
        }
        if rest.is_empty() { end } else { [rest, end].concat().into() }
    }

    /// What tells a client of another dialect that all is well, if it has not been told.
    fn end_of_translation(&mut self, started: Instant) -> Bytes {
        match self {
            Self::Open(Open { translation: Some(translation), .. }) => translation.transcoder.finish(started.elapsed()),
            _ => Bytes::new(),
        }
    }

    /// What tells a client that speaks `dialect` of `error`.
    fn error_frame(&mut self, error: &Error, dialect: &dyn Dialect) -> Bytes {
        match self {
            Self::Open(Open { translation: Some(translation), .. }) => translation.transcoder.fail(error),
            _ => dialect.error_frame(error),
        }
    }

    /// Hands what has been learned to the guard, which writes it down.
    fn report(&self, guard: &mut StreamGuard) {
        if let Self::Open(open) = self {
            guard.report(open.splitter.frames(), open.observer.usage());
            if let Some(translation) = &open.translation {
                guard.report_untold(translation.transcoder.unmapped());
            }
        }
    }
}

// === impl Open ===

impl Open {
    fn new(stream: OpenStream, guard: &mut StreamGuard) -> Self {
        let upstream = stream.target.upstream;
        guard.opened(Arc::clone(&upstream.name));
        guard.tried(&stream.trail);
        if let Some(translation) = &stream.translation {
            let (from, to) = (stream.observer.dialect().name(), translation.client.name());
            guard.translated(from, to, &translation.dropped);
        }
        Self {
            upstream,
            seat: stream.seat,
            asked: stream.asked,
            first: stream.first,
            begun: false,
            body: stream.body,
            received: 0,
            splitter: stream.splitter,
            observer: stream.observer,
            translation: stream.translation,
        }
    }

    /// What a client that asked at `started` is told of `run`: itself, or its translation.
    #[inline(never)]
    fn tell(&mut self, run: Bytes, started: Instant) -> Bytes {
        let Some(translation) = &mut self.translation else { return run };
        let told = translation.transcoder.push(&run, started.elapsed());
        if !self.observer.is_done() || self.observer.error().is_some() {
            return told;
        }
        // Its last event has come: there is no need to wait for the end of its body.
        [told, translation.transcoder.finish(started.elapsed())].concat().into()
    }

    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        if let Some(error) = self.observer.hidden_error() {
            return Poll::Ready(Some(Err(self.reported(error))));
        }
        if let Some(error) = self.translation.as_deref().and_then(|translation| self.overflow(translation)) {
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
        Poll::Ready(Some(run.map(|run| {
            let passed = self.observer.observe(&run);
            run.slice(..passed)
        })))
    }

    /// That more has been said than may be kept.
    fn overflow(&self, translation: &Translating) -> Option<Error> {
        let limit = translation.max_bytes;
        let is_over = translation.transcoder.said() > limit;
        is_over.then(|| response::answer_too_large(&self.upstream.name, limit))
    }

    /// What the upstream reported, for the client to understand.
    fn reported(&self, error: &UpstreamError) -> Error {
        let error = response::reported(self.observer.dialect(), &self.upstream, error.clone());
        match &self.translation {
            Some(translation) => response::in_other_words(error, translation.client),
            None => error,
        }
    }

    /// Whether the stream, now that it ends, was whole. What ends it, if not the upstream itself, takes nothing from an
    /// answer that is complete.
    fn verdict(&self, cause: Option<Error>) -> Result<(), Error> {
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
}
