//! The body of a streaming response: an upstream's frames, as they come, and the truth about how they end.
//!
//! hyper polls this body whenever the client's socket takes more; that pull is the backpressure, through to the upstream.
//! Everything a stream holds is in here, so dropping the body, which is what happens when the client leaves, releases
//! all of it: the upstream connection closes, and the [`guard`] writes down how the stream ended. There is no channel, no
//! task and no lock between the two sockets.
//!
//! It is written as a poll function rather than an `async` block because it lives as long as the stream, ten thousand times
//! over: its size is its fields, and a token costs no timer.

mod batch;
mod clocks;
pub mod guard;
pub mod raw;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::config::stream::Stream as StreamConfig;
use crate::dialect::openai_chat::error::error_frame;
use crate::dialect::openai_chat::observe::Observer;
use crate::error::{Error, Phase};
use crate::framing::{Splitter, sse};
use crate::telemetry::record::Outcome;
use crate::upstream::{OpenStream, Upstream, response};

use batch::Batch;
use clocks::{Clocks, Due, Stage};
use guard::StreamGuard;

/// An upstream that has not shown its first frame yet.
pub type Opening = Pin<Box<dyn Future<Output = Result<OpenStream, Error>> + Send>>;

pin_project! {
    /// The streaming response body. See the [module documentation](self).
    pub struct Relay {
        source: Source,
        guard: StreamGuard,
        #[pin]
        clocks: Clocks,
        #[pin]
        shutdown: WaitForCancellationFutureOwned,
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
    body: reqwest::Body,
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
        let clocks = Clocks::new(config, guard.started());
        let source = Source::Open(Open::new(stream, &mut guard));
        Self { source, guard, clocks, shutdown: shutdown.cancelled_owned() }
    }

    /// Relays a stream that is still to begin. A keep-alive goes out at once: the client sees life.
    /// `provider` is the one asked first.
    pub fn opening(
        provider: Arc<str>,
        opening: Opening,
        config: &StreamConfig,
        guard: StreamGuard,
        shutdown: CancellationToken,
    ) -> Self {
        let clocks = Clocks::waiting(config, guard.started());
        Self { source: Source::Opening { provider, opening }, guard, clocks, shutdown: shutdown.cancelled_owned() }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut this = self.project();
        let mut batch = Batch::default();
        while !batch.is_full() && !this.source.is_ended() {
            match this.source.poll_run(cx, this.guard) {
                Poll::Ready(Some(Ok(run))) => {
                    this.clocks.as_mut().received();
                    batch.push(run);
                }
                Poll::Ready(Some(Err(error))) => this.source.end(Err(error), this.guard, &mut batch),
                Poll::Ready(None) => this.source.end_of_body(this.guard, &mut batch),
                // What the upstream had ready goes out in one piece, before any clock is looked at.
                Poll::Pending if !batch.is_empty() => break,
                Poll::Pending if this.shutdown.as_mut().poll(cx).is_ready() => {
                    this.source.end(Err(Error::ShuttingDown), this.guard, &mut batch);
                }
                Poll::Pending => match ready!(this.source.poll_clocks(cx, this.clocks.as_mut())) {
                    Due::KeepAlive => batch.push(Bytes::from_static(sse::KEEP_ALIVE)),
                    Due::Timeout(phase, limit) => this.source.time_out(phase, limit, this.guard, &mut batch),
                    Due::End => this.source.end(Ok(()), this.guard, &mut batch),
                },
            }
        }
        if batch.is_empty() {
            return Poll::Ready(None);
        }
        let data = batch.take();
        this.clocks.as_mut().sent();
        this.guard.sent(data.len());
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_ended()
    }
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
        let run = open.poll_run(cx);
        guard.note_first_token(&open.observer);
        run
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

    /// Ends the stream because a phase took too long. An answer that is complete is none the worse for it.
    fn time_out(&mut self, phase: Phase, limit: Duration, guard: &mut StreamGuard, batch: &mut Batch) {
        let result = match self {
            Self::Open(open) if open.observer.is_complete() => Ok(()),
            Self::Open(Open { upstream, .. }) => {
                Err(Error::UpstreamTimeout { provider: upstream.name.to_string(), phase, limit })
            }
            Self::Opening { provider, .. } => {
                Err(Error::UpstreamTimeout { provider: provider.to_string(), phase, limit })
            }
            Self::Ended => return,
        };
        self.end(result, guard, batch);
    }

    fn end_of_body(&mut self, guard: &mut StreamGuard, batch: &mut Batch) {
        let Self::Open(open) = self else { return };
        if let Some(frame) = open.take_last_frame() {
            batch.push(frame);
        }
        let result = open.verdict();
        self.end(result, guard, batch);
    }

    /// Ends the stream: with nothing of our own if all is well, with an error event if not. Never with `[DONE]`.
    fn end(&mut self, result: Result<(), Error>, guard: &mut StreamGuard, batch: &mut Batch) {
        self.report(guard);
        let source = std::mem::replace(self, Self::Ended);
        match (result, source) {
            (Ok(()), _) => guard.finish(Outcome::Completed),
            // A connection that breaks behind a complete answer takes nothing from it.
            (Err(Error::UpstreamBroken { .. }), Self::Open(open)) if open.observer.is_complete() => {
                guard.finish(Outcome::Completed);
            }
            (Err(error), source) => {
                let told = matches!(&source, Self::Open(open) if open.observer.is_error_visible());
                if !told {
                    batch.push(error_frame(&error));
                }
                guard.fail(&error);
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
            body: stream.body,
            splitter: stream.splitter,
            observer: stream.observer,
        }
    }

    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        let data = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(response::broken(&self.upstream.name, error)))),
            // Trailers say nothing to the clients of an event stream.
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let run = self.splitter.push(data).map_err(|error| response::frame_too_large(&self.upstream.name, error));
        if let Ok(run) = &run {
            self.observer.observe(run);
        }
        Poll::Ready(Some(run))
    }

    /// Takes the frame that the end of the body cut off, if it is whole but for the empty line behind it.
    fn take_last_frame(&mut self) -> Option<Bytes> {
        let partial = self.splitter.take_partial();
        let event = sse::Event::parse(&partial);
        let is_whole = match event.data.as_deref() {
            Some(b"[DONE]") => true,
            Some(data) => serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok(),
            None => event.error.is_some(),
        };
        if !is_whole {
            return None;
        }
        let frame = Bytes::from([&partial[..], b"\n\n"].concat());
        self.observer.observe(&frame);
        Some(frame)
    }

    /// Whether the stream, now that its body has ended, was whole.
    fn verdict(&self) -> Result<(), Error> {
        match self.observer.error() {
            Some(error) => Err(response::reported(&self.upstream, error.clone())),
            None if self.observer.is_complete() => Ok(()),
            None => Err(Error::UpstreamTruncated { provider: self.upstream.name.to_string() }),
        }
    }
}
