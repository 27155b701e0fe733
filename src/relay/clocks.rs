//! When a stream that is silent needs something done.
//!
//! A token must not cost a timer operation. So a token only notes the time, and the one timer, set to the earliest moment at
//! which anything could be due, looks at the notes when it fires and usually finds that nothing is. Only a new [`Stage`],
//! which has deadlines of its own, looks at once.
//!
//! A body is also asked when it has nothing, at least once for every token. What has promised to wake the task is not asked again each time,
//! only looked at.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::config::stream::Stream as StreamConfig;
use crate::error::Phase;

use super::pace::Pace;

/// How long to wait behind the last event for the end of the upstream's body, without which its connection cannot be used again.
const LINGER: Duration = Duration::from_millis(100);
/// Further away than any stream lives.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// A sign of life.
    KeepAlive,
    /// A phase has taken longer than it was given.
    Timeout(Phase, Duration),
    /// The stream is done, and its upstream does not end it.
    End,
    /// The process ends.
    Shutdown,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its first frame has not come. Whoever waits for it has clocks of its own.
    Opening,
    /// It has begun, by a request sent at `asked`, and the model has said nothing yet.
    Open { asked: Instant },
    /// The model speaks.
    Speaking,
    /// Its last event has come.
    Done,
}

pin_project! {
    pub(super) struct Clocks {
        #[pin]
        timer: Sleep,
        shutdown: CancellationToken,
        #[pin]
        shut_down: WaitForCancellationFutureOwned,
        // Whom both of them have promised to wake.
        promised: Option<Waker>,
        started: Instant,
        last_received: Instant,
        last_sent: Instant,
        stage: Option<Stage>,
        keep_alive: Option<Duration>,
        first_token_timeout: Duration,
        idle_timeout: Duration,
        total_timeout: Option<Duration>,
        pace: Option<Box<Pace>>,
    }
}

impl Clocks {
    /// Clocks of a stream that the client asked for at `started`.
    pub(super) fn new(config: &StreamConfig, started: Instant, shutdown: CancellationToken) -> Self {
        let now = Instant::now();
        Self {
            timer: tokio::time::sleep(NEVER),
            shut_down: shutdown.clone().cancelled_owned(),
            shutdown,
            promised: None,
            started,
            last_received: now,
            last_sent: now,
            stage: None,
            keep_alive: config.keep_alive,
            first_token_timeout: config.first_token_timeout,
            idle_timeout: config.idle_timeout,
            total_timeout: config.total_timeout,
            pace: Pace::new(config),
        }
    }

    /// Clocks of a stream that waits for its first frame. A keep-alive is due at once.
    pub(super) fn waiting(config: &StreamConfig, started: Instant, shutdown: CancellationToken) -> Self {
        let mut clocks = Self::new(config, started, shutdown);
        if let Some(keep_alive) = config.keep_alive {
            clocks.last_sent = clocks.last_sent.checked_sub(keep_alive).unwrap_or(clocks.last_sent);
        }
        clocks
    }

    /// The upstream has shown life, and sent `bytes` altogether.
    pub(super) fn received(self: Pin<&mut Self>, bytes: u64) {
        let this = self.project();
        *this.last_received = Instant::now();
        if let Some(pace) = this.pace {
            pace.received(*this.last_received, bytes);
        }
    }

    /// Another upstream is to go on.
    pub(super) fn switched(self: Pin<&mut Self>) {
        if let Some(pace) = self.project().pace {
            pace.begin_anew();
        }
    }

    /// What the upstream has sent, `bytes` altogether, goes to the client.
    pub(super) fn passed(mut self: Pin<&mut Self>, bytes: u64) {
        self.as_mut().received(bytes);
        let this = self.project();
        *this.last_sent = *this.last_received;
    }

    /// The client is given something of ours.
    pub(super) fn sent(self: Pin<&mut Self>) {
        let this = self.project();
        *this.last_sent = Instant::now();
        if let Some(pace) = this.pace {
            pace.pause(*this.last_sent);
        }
    }

    /// Waits until something is due. `at_boundary` says whether something of our own may be written now.
    pub(super) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, stage: Stage, at_boundary: bool) -> Poll<Due> {
        if let (Some(pace), Stage::Speaking) = (self.as_mut().project().pace, stage) {
            pace.waiting();
        }
        let mut look = self.as_mut().project().stage.replace(stage) != Some(stage);
        if !look && self.will_wake(cx) {
            return Poll::Pending;
        }
        *self.as_mut().project().promised = None;
        if self.as_mut().project().shut_down.poll(cx).is_ready() {
            return Poll::Ready(Due::Shutdown);
        }
        loop {
            if !std::mem::take(&mut look) && self.as_mut().project().timer.poll(cx).is_pending() {
                *self.project().promised = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let now = Instant::now();
            if let Some(pace) = self.as_mut().project().pace {
                pace.turn(now);
            }
            let (at, due) = self.next(now, stage, at_boundary);
            self.as_mut().project().timer.reset(at);
            if at <= now {
                return Poll::Ready(due);
            }
        }
    }

    /// Whether this task is promised to be woken, and nothing has happened since.
    fn will_wake(&self, cx: &Context<'_>) -> bool {
        let is_promised = self.promised.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        is_promised && !self.timer.is_elapsed() && !self.shutdown.is_cancelled()
    }

    /// What is due next, and when.
    fn next(&self, now: Instant, stage: Stage, at_boundary: bool) -> (Instant, Due) {
        if stage == Stage::Done {
            return (self.last_received + LINGER, Due::End);
        }
        let timeout = |phase, since: Instant, limit: Duration| (since + limit, Due::Timeout(phase, limit));
        let silence = match stage {
            Stage::Open { asked } => Some(timeout(Phase::FirstToken, asked, self.first_token_timeout)),
            Stage::Speaking => Some(timeout(Phase::Idle, self.last_received, self.idle_timeout)),
            Stage::Opening | Stage::Done => None,
        };
        let slow = self.pace.as_ref().filter(|_| stage == Stage::Speaking);
        let slow = slow.map(|pace| (pace.too_slow_at(now), Due::Timeout(Phase::MinRate, pace.window)));
        let total = self.total_timeout.map(|limit| timeout(Phase::Total, self.started, limit));
        let keep_alive = self.keep_alive.map(|interval| {
            let since = if at_boundary { self.last_sent } else { now };
            (since + interval, Due::KeepAlive)
        });
        // Timeouts before the keep-alive: of two things due at once, the more serious counts.
        [silence, slow, total, keep_alive]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
            .unwrap_or((now + NEVER, Due::KeepAlive))
    }
}
