//! The body of a response that follows a stream.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::id::Position;
use super::named::{self, Named};
use super::{Found, Scope, StreamLog};
use crate::error::Error;
use crate::framing::sse;
use crate::relay::guard::StreamGuard;
use crate::telemetry::record::Outcome;

/// Further away than any stream lives.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pin_project! {
    /// Follows a stream at its own pace: what it has not read stays in the log, and nowhere else. One that is so slow that the
    /// log has forgotten what it would read next is told so, and ends.
    pub struct Reader {
        seat: Seat,
        after: u64,
        named: Option<Box<Named>>,
        ended: bool,
        guard: StreamGuard,
        keep_alive: Option<Duration>,
        // When to leave the rest to another replica, and whether it is time.
        handing_over: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
        is_leaving: bool,
        last_sent: Instant,
        #[pin]
        timer: Sleep,
    }
}

/// The response ends here, its stream does not: whoever reads it is to come back.
///
/// To whoever writes the response it is an error, so that no client takes what it has for the whole: a chunked body lacks its
/// last chunk, an HTTP/2 stream is reset. An `EventSource` and whatever else knows how to come back does so with the id of the
/// last event it has received.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream goes on elsewhere")
    }
}

impl std::error::Error for Cut {}

/// How a stream is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In its own frames.
    AsIs,
    /// In events called `token`, `reasoning`, `tool_call`, `usage`, `error` and `done`.
    Named,
}

/// A place among a stream's readers, given up on drop.
struct Seat {
    log: Arc<StreamLog>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.log.leave(self.number);
    }
}

impl Reader {
    /// A reader of `log` that is told in `form`, has received all up to `position`, and is shown that the stream lives after
    /// each `keep_alive` of silence. From now on the stream has a reader, polled or not.
    pub fn new(
        log: Arc<StreamLog>,
        position: Position,
        form: Form,
        keep_alive: Option<Duration>,
        guard: StreamGuard,
    ) -> Self {
        let about = log.about();
        let (after, named) = match form {
            Form::AsIs => (position.after, None),
            Form::Named => (0, Some(Named::new(log.id(), about.dialect, position, about.limits.retry).into())),
        };
        let seat = Seat { number: log.join(), log };
        let timer = tokio::time::sleep(keep_alive.unwrap_or(NEVER));
        Self {
            seat,
            after,
            named,
            ended: false,
            guard,
            keep_alive,
            handing_over: None,
            is_leaving: false,
            last_sent: Instant::now(),
            timer,
        }
    }

    /// Leaves the rest to another replica as soon as `draining` is cancelled and there may be one that has it.
    #[must_use]
    pub fn handed_over_when(mut self, draining: CancellationToken) -> Self {
        self.handing_over = Some(Box::pin(draining.cancelled_owned()));
        self
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let mut this = self.project();
        let log = &this.seat.log;
        let dialect = log.about().dialect;
        if this.handing_over.as_mut().is_some_and(|moment| moment.as_mut().poll(cx).is_ready()) {
            // A future that is done is not asked again.
            *this.handing_over = None;
            *this.is_leaving = true;
        }
        while !*this.ended {
            if *this.is_leaving && log.scope() == Scope::Shared {
                return Poll::Ready(Some(Err(cut(this.ended, this.guard))));
            }
            let data = match log.poll_read(cx, this.seat.number, *this.after) {
                Poll::Ready(Found::Frames(frames)) => {
                    *this.after += frames.len() as u64;
                    this.guard.read(frames.len() as u64);
                    tell(frames, this.named)
                }
                Poll::Ready(Found::End) => {
                    *this.ended = true;
                    this.guard.finish(Outcome::Completed);
                    this.named.as_mut().map_or_else(Bytes::new, |named| named.finish())
                }
                Poll::Ready(Found::Cut) => return Poll::Ready(Some(Err(cut(this.ended, this.guard)))),
                Poll::Ready(Found::Lost) => {
                    *this.ended = true;
                    let error = Error::StreamNotFound;
                    this.guard.fail(&error);
                    if this.named.is_some() { named::lost(&error) } else { dialect.error_frame(&error) }
                }
                Poll::Pending => {
                    ready!(poll_silence(this.timer.as_mut(), cx, *this.last_sent, *this.keep_alive));
                    Bytes::from_static(if this.named.is_some() { sse::KEEP_ALIVE } else { dialect.keep_alive() })
                }
            };
            if !data.is_empty() {
                *this.last_sent = Instant::now();
                this.guard.sent(data.len());
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

fn cut(ended: &mut bool, guard: &mut StreamGuard) -> Cut {
    *ended = true;
    guard.finish(Outcome::HandedOver);
    Cut
}

/// Waits until nothing has been sent for `limit`. An event costs no timer: this one looks when it fires.
fn poll_silence(
    mut timer: Pin<&mut Sleep>,
    cx: &mut Context<'_>,
    last_sent: Instant,
    limit: Option<Duration>,
) -> Poll<()> {
    loop {
        ready!(timer.as_mut().poll(cx));
        let now = Instant::now();
        let limit = limit.unwrap_or(NEVER);
        if last_sent + limit <= now {
            timer.as_mut().reset(now + limit);
            return Poll::Ready(());
        }
        timer.as_mut().reset(last_sent + limit);
    }
}

/// What is ready at once is written at once.
fn tell(mut frames: Vec<Bytes>, named: &mut Option<Box<Named>>) -> Bytes {
    match named {
        Some(named) => frames.iter().flat_map(|frame| named.tell(frame)).collect(),
        None if frames.len() == 1 => frames.swap_remove(0),
        None => frames.concat().into(),
    }
}
