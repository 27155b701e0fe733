//! The body of a streaming response: an upstream's frames, as they come, and the truth about how they end.
//!
//! Whoever writes to the client polls this body when the client's socket takes more; that pull is the backpressure, through to the
//! upstream.
//! Everything a stream holds is in here, so dropping the body, which is what happens when the client leaves, releases
//! all of it: the upstream connection closes, and the [`guard`] writes down how the stream ended. There is no channel and no
//! task of our own between the two sockets.
//!
//! It is written as a poll function rather than an `async` block because it lives as long as the stream, ten thousand times
//! over: its size is its fields, and a token costs no timer.

mod clocks;
pub mod guard;
mod open;
pub mod output;
mod pace;
pub mod raw;
mod switch;

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
use crate::dialect::Dialect;
use crate::error::Error;
use crate::telemetry::record::Outcome;
use crate::upstream::{Failure, OpenStream};

use clocks::{Clocks, Due, Stage};
use guard::StreamGuard;
use open::Open;
use output::Output;
use switch::Switch;

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
    /// The upstream has failed, and another is asked to go on.
    Switching(Box<Switch>),
    Ended,
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
            let rest = this.source.end(cause, dialect, this.guard);
            if this.source.is_ended() {
                *this.last_words = this.output.write_last(rest);
                continue;
            }
            this.clocks.as_mut().switched();
            if !rest.is_empty() {
                this.clocks.sent();
                return Poll::Ready(Some(Ok(send(this.output.write(rest), this.guard))));
            }
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

/// Hands `data` out. All that is handed out in one turn is written in one piece.
fn send(data: Bytes, guard: &mut StreamGuard) -> Frame<Bytes> {
    guard.sent(data.len());
    Frame::data(data)
}

// === impl Source ===

impl Source {
    /// The next whole frames, possibly none; `None` at the end of the upstream's body.
    fn poll_run(&mut self, cx: &mut Context<'_>, guard: &mut StreamGuard) -> Poll<Option<Result<Bytes, Error>>> {
        if !matches!(self, Self::Open(_))
            && let Err(error) = ready!(self.poll_open(cx, guard))
        {
            return Poll::Ready(Some(Err(error)));
        }
        let Self::Open(open) = self else {
            return Poll::Ready(None);
        };
        let run = open.poll_run(cx, guard);
        guard.note_first_token(&open.observer);
        run
    }

    /// Waits for an upstream that answers, where there is one to wait for.
    fn poll_open(&mut self, cx: &mut Context<'_>, guard: &mut StreamGuard) -> Poll<Result<(), Error>> {
        match self {
            Self::Opening { opening, .. } => match ready!(opening.as_mut().poll(cx)) {
                Ok(stream) => *self = Self::Open(Open::new(stream, guard)),
                Err(failure) => {
                    guard.tried(&failure.trail);
                    return Poll::Ready(Err(failure.error));
                }
            },
            Self::Switching(switch) => match ready!(switch.opening.as_mut().poll(cx)) {
                Ok(stream) => {
                    if let Self::Switching(switch) = std::mem::replace(self, Self::Ended) {
                        *self = Self::Open(switch.go_on(stream, guard));
                    }
                }
                Err(failure) => {
                    guard.tried(&failure.trail);
                    return Poll::Ready(Err(switch.error.clone()));
                }
            },
            Self::Open(_) | Self::Ended => {}
        }
        Poll::Ready(Ok(()))
    }

    /// The name of the provider that answers, or is asked first.
    fn provider(&self) -> &str {
        match self {
            Self::Opening { provider, .. } => provider,
            Self::Open(open) => &open.upstream.name,
            Self::Switching(switch) => switch.provider(),
            Self::Ended => "",
        }
    }

    /// How many bytes of its body have come.
    fn received(&self) -> u64 {
        match self {
            Self::Open(open) => open.received,
            Self::Opening { .. } | Self::Switching(_) | Self::Ended => 0,
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
        clocks.poll(cx, stage, open.at_boundary())
    }

    /// Ends the stream, orderly or for `cause`, unless another upstream goes on. Returns what is still to be said: nothing of our
    /// own if all is well, an error event in `dialect` if not, and never what would end a whole answer.
    fn end(&mut self, cause: Option<Error>, dialect: &dyn Dialect, guard: &mut StreamGuard) -> Bytes {
        let (rest, verdict, told) = match self {
            Self::Open(open) => {
                let rest = open.rest(guard.started());
                (rest, open.verdict(cause), open.observer.is_error_visible())
            }
            _ => (Bytes::new(), cause.map_or(Ok(()), Err), false),
        };
        self.report(guard);
        if let (Self::Open(open), Err(error)) = (&mut *self, &verdict)
            && let Some(switch) = open.switch(error)
        {
            guard.leave();
            *self = Self::Switching(switch);
            return rest;
        }
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
            Self::Switching(switch) => switch.translation.transcoder.fail(error),
            _ => dialect.error_frame(error),
        }
    }

    /// Hands what has been learned to the guard, which writes it down.
    fn report(&self, guard: &mut StreamGuard) {
        if let Self::Open(open) = self {
            open.report(guard);
        }
    }
}
