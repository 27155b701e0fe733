//! When a connection that is silent needs something done.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::config::Config;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// A sign of life.
    Ping,
    /// The client has shown none.
    Dead,
    /// The connection has lasted as long as it may.
    Old,
}

/// Its one timer is set to the earliest moment at which anything could be due. A token only notes the time.
pub(super) struct Pulse {
    timer: Pin<Box<Sleep>>,
    interval: Option<Duration>,
    patience: Duration,
    /// When the connection is old; `None` once that is known.
    old: Option<Instant>,
    last_sent: Instant,
    /// When the client was asked for a sign of life, if it has shown none since.
    asked: Option<Instant>,
}

impl Pulse {
    pub(super) fn new(config: &Config) -> Self {
        let now = Instant::now();
        let old = now + config.websocket.max_age;
        Self {
            timer: Box::pin(tokio::time::sleep_until(old)),
            interval: config.stream.keep_alive,
            patience: config.server.write_timeout,
            old: Some(old),
            last_sent: now,
            asked: None,
        }
    }

    /// The client has shown life.
    pub(super) fn heard(&mut self) {
        self.asked = None;
    }

    /// The client is told something.
    pub(super) fn sent(&mut self) {
        self.last_sent = Instant::now();
    }

    /// The client is asked for a sign of life.
    pub(super) fn asked(&mut self) {
        self.asked = Some(Instant::now());
    }

    /// Waits until something is due.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            let Some((at, due)) = self.next() else { return Poll::Pending };
            if at <= Instant::now() {
                match due {
                    Due::Ping => self.last_sent = Instant::now(),
                    Due::Old => self.old = None,
                    Due::Dead => {}
                }
                return Poll::Ready(due);
            }
            // What is due later than the timer is looked at when the timer fires.
            if at < self.timer.deadline() || self.timer.is_elapsed() {
                self.timer.as_mut().reset(at);
            }
            ready!(self.timer.as_mut().poll(cx));
        }
    }

    fn next(&self) -> Option<(Instant, Due)> {
        let life = match (self.asked, self.interval) {
            (Some(asked), _) => Some((asked + self.patience, Due::Dead)),
            (None, Some(interval)) => Some((self.last_sent + interval, Due::Ping)),
            (None, None) => None,
        };
        let old = self.old.map(|old| (old, Due::Old));
        [life, old].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}
