//! The body of a response that is passed on without looking at it: bytes as they come, until they end or stall.
//!
//! Unlike an event stream there is no place in such a body for an error. Where it breaks, the connection is closed without
//! the proper end, and HTTP tells the client that something is missing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use super::guard::StreamGuard;
use crate::error::{Error, Phase};
use crate::telemetry::record::Outcome;
use crate::upstream::capacity::Permit;
use crate::upstream::{self, response};

pin_project! {
    /// A response body of unknown content.
    pub struct RawRelay {
        provider: std::sync::Arc<str>,
        body: upstream::Body,
        guard: StreamGuard,
        permit: Permit,
        #[pin]
        timer: Sleep,
        last_received: Instant,
        idle_timeout: Duration,
        // What is to be told once everything before it is out.
        failure: Option<Error>,
    }
}

impl RawRelay {
    /// Relays `body`, which fails when nothing comes for `idle_timeout`.
    pub fn new(
        provider: std::sync::Arc<str>,
        body: upstream::Body,
        mut guard: StreamGuard,
        idle_timeout: Duration,
    ) -> Self {
        guard.opened(std::sync::Arc::clone(&provider));
        if body.is_end_stream() {
            guard.finish(Outcome::Completed);
        }
        let timer = tokio::time::sleep(idle_timeout);
        let (permit, last_received) = (Permit::default(), Instant::now());
        Self { provider, body, guard, permit, timer, last_received, idle_timeout, failure: None }
    }

    /// Holds `permit` as long as it lives.
    #[must_use]
    pub fn holding(self, permit: Permit) -> Self {
        Self { permit, ..self }
    }
}

impl Body for RawRelay {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut this = self.project();
        if let Some(error) = this.failure.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let error = match Pin::new(&mut *this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                *this.last_received = Instant::now();
                this.guard.sent(frame.data_ref().map_or(0, Bytes::len));
                // A body of known length is not polled again behind its last byte.
                if this.body.is_end_stream() {
                    this.guard.finish(Outcome::Completed);
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(None) => {
                this.guard.finish(Outcome::Completed);
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => response::broken(this.provider, &error),
            Poll::Pending => {
                ready!(poll_idle(this.timer.as_mut(), *this.last_received + *this.idle_timeout, cx));
                Error::UpstreamTimeout {
                    provider: this.provider.to_string(),
                    phase: Phase::Idle,
                    limit: *this.idle_timeout,
                }
            }
        };
        this.guard.fail(&error);
        // Over HTTP/2 hyper resets the stream of a body that fails, with what it has not written yet. Asked to wait, it writes that.
        *this.failure = Some(error);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Waits until `deadline`, which moves; the timer is set again only when it fires.
fn poll_idle(mut timer: Pin<&mut Sleep>, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        ready!(timer.as_mut().poll(cx));
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        timer.as_mut().reset(deadline);
    }
}
