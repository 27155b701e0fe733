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
use crate::dialect::{Dialect, Observer};
use crate::error::Error;
use crate::framing::{Splitter, sse};
use crate::telemetry::record::Outcome;
use crate::upstream::{self, OpenStream, Upstream, response};

use clocks::{Clocks, Due, Stage};
use guard::StreamGuard;

/// An upstream that has not shown its first frame yet.
pub type Opening = Pin<Box<dyn Future<Output = Result<OpenStream, Error>> + Send>>;

pin_project! {
    /// The streaming response body. See the [module documentation](self).
    pub struct Relay {
        // The client's.
        dialect: &'static dyn Dialect,
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
    /// The response head went out before the first frame came; until it comes, another target may still be asked.
    Opening {
        provider: Arc<str>,
        opening: Opening,
    },
    Open(Open),
    Ended,
}

struct Open {
    upstream: Arc<Upstream>,
    /// When the request was sent.
    asked: Instant,
    /// Frames that came before the stream was handed over.
    first: Bytes,
    /// Something of the upstream has been passed on.
    begun: bool,
    body: upstream::Body,
    splitter: Splitter,
    observer: Observer,
}

impl Relay {
    /// Relays a stream whose first frame is in hand. `shutdown` ends it with an error.
    pub fn open(
        stream: OpenStream,
        config: &StreamConfig,
        mut guard: StreamGuard,
        shutdown: CancellationToken,
    ) -> Self {
        let clocks = Clocks::new(config, guard.started(), shutdown);
        let dialect = stream.observer.dialect();
        let source = Source::Open(Open::new(stream, &mut guard));
        Self { dialect, source, guard, last_words: Bytes::new(), clocks }
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
        Self { dialect, source, guard, last_words: Bytes::new(), clocks }
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
                    this.clocks.as_mut().received();
                    continue;
                }
                Poll::Ready(Some(Ok(run))) => {
                    this.clocks.passed();
                    return Poll::Ready(Some(Ok(send(run, this.guard))));
                }
                Poll::Ready(Some(Err(error))) => Some(error),
                Poll::Ready(None) => None,
                Poll::Pending => match ready!(this.source.poll_clocks(cx, this.clocks.as_mut())) {
                    Due::KeepAlive => {
                        let sign_of_life = Bytes::from_static(dialect.keep_alive());
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
            *this.last_words = this.source.end(cause, dialect, this.guard);
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
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        let Self::Open(open) = self else {
            return Poll::Ready(None);
        };
        let run = open.poll_run(cx).map_ok(|run| {
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
        clocks.poll(cx, stage, open.splitter.at_boundary())
    }

    /// Ends the stream, orderly or for `cause`. Returns what is still to be said: nothing of our own if all is well, an error
    /// event in `dialect` if not, and never what would end a whole answer.
    fn end(&mut self, cause: Option<Error>, dialect: &dyn Dialect, guard: &mut StreamGuard) -> Bytes {
        let (rest, verdict, told) = match self {
            Self::Open(open) => {
                let rest = open.observer.observe_rest(&open.splitter.take_partial());
                (rest.unwrap_or_default(), open.verdict(cause), open.observer.is_error_visible())
            }
            _ => (Bytes::new(), cause.map_or(Ok(()), Err), false),
        };
        self.report(guard);
        *self = Self::Ended;
        match verdict {
            Ok(()) => {
                guard.finish(Outcome::Completed);
                rest
            }
            Err(error) => {
                guard.fail(&error);
                if told { rest } else { [rest, dialect.error_frame(&error)].concat().into() }
            }
        }
    }

    /// Hands what has been learned to the guard, which writes it down.
    fn report(&self, guard: &mut StreamGuard) {
        if let Self::Open(open) = self {
            guard.report(open.splitter.frames(), open.observer.usage());
        }
    }
}

// === impl Open ===

impl Open {
    fn new(stream: OpenStream, guard: &mut StreamGuard) -> Self {
        let upstream = stream.target.upstream;
        guard.opened(Arc::clone(&upstream.name));
        Self {
            upstream,
            asked: stream.asked,
            first: stream.first,
            begun: false,
            body: stream.body,
            splitter: stream.splitter,
            observer: stream.observer,
        }
    }

    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        if let Some(error) = self.observer.hidden_error() {
            return Poll::Ready(Some(Err(response::reported(self.observer.dialect(), &self.upstream, error.clone()))));
        }
        let data = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(response::broken(&self.upstream.name, &error)))),
            // Trailers say nothing to the clients of an event stream.
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let run = self.splitter.push(data).map_err(|error| response::frame_too_large(&self.upstream.name, error));
        Poll::Ready(Some(run.map(|run| {
            let passed = self.observer.observe(&run);
            run.slice(..passed)
        })))
    }

    /// Whether the stream, now that it ends, was whole. What ends it, if not the upstream itself, takes nothing from an
    /// answer that is complete.
    fn verdict(&self, cause: Option<Error>) -> Result<(), Error> {
        if let Some(error) = self.observer.error() {
            return Err(response::reported(self.observer.dialect(), &self.upstream, error.clone()));
        }
        match cause {
            _ if self.observer.is_complete() => Ok(()),
            Some(cause) => Err(cause),
            None if self.observer.may_end() => Ok(()),
            None => Err(Error::UpstreamTruncated { provider: self.upstream.name.to_string() }),
        }
    }
}
