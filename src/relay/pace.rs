//! Whether an upstream that speaks says enough to be worth waiting for.
//!
//! What counts is what comes while it is waited for, window by window. The clock of a window stands still while nobody asks the
//! upstream for more, so that a client that reads slowly makes no upstream slow.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::stream::Stream as StreamConfig;

#[derive(Debug)]
pub(super) struct Pace {
    /// How long the upstream is waited for before it is judged.
    pub(super) window: Duration,
    /// How many bytes must have come by then.
    least: u64,
    /// How many had come when the window began, and how many have by now.
    before: u64,
    received: u64,
    /// How long it has been waited for in this window, but for the wait that lasts.
    waited: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    /// The pace that `config` asks for, if it does. Boxed, because most streams have none.
    pub(super) fn new(config: &StreamConfig) -> Option<Box<Self>> {
        let window = config.min_rate_window;
        let least = u128::from(config.min_rate?) * window.as_millis() / 1000;
        let least = u64::try_from(least).unwrap_or(u64::MAX);
        Some(Box::new(Self { window, least, before: 0, received: 0, waited: Duration::ZERO, waiting_since: None }))
    }

    /// Another upstream is to be judged, of which nothing has come.
    pub(super) fn begin_anew(&mut self) {
        (self.before, self.received) = (0, 0);
        (self.waited, self.waiting_since) = (Duration::ZERO, None);
    }

    /// So many bytes have come altogether.
    pub(super) fn received(&mut self, now: Instant, bytes: u64) {
        self.received = bytes;
        self.pause(now);
    }

    /// The client is given something. Until it has taken that, nobody waits for the upstream.
    pub(super) fn pause(&mut self, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.waited += now - since;
        }
    }

    /// The upstream is being waited for.
    pub(super) fn waiting(&mut self) {
        self.waiting_since.get_or_insert_with(Instant::now);
    }

    /// Begins a new window if this one is over and was good.
    pub(super) fn turn(&mut self, now: Instant) {
        if self.waited(now) >= self.window && self.received.saturating_sub(self.before) >= self.least {
            self.before = self.received;
            self.waited = Duration::ZERO;
            self.waiting_since = self.waiting_since.map(|_| now);
        }
    }

    /// When the upstream will have been too slow, if it says no more and is waited for.
    pub(super) fn too_slow_at(&self, now: Instant) -> Instant {
        now + self.window.saturating_sub(self.waited(now))
    }

    fn waited(&self, now: Instant) -> Duration {
        self.waited + self.waiting_since.map_or(Duration::ZERO, |since| now - since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const SECOND: Duration = Duration::from_secs(1);

    /// Ten bytes a second over ten seconds, and when it is waited for from the beginning.
    fn pace() -> (Box<Pace>, Instant) {
        let config = Config::for_testing().stream;
        let pace = Pace::new(&StreamConfig { min_rate: Some(10), min_rate_window: 10 * SECOND, ..config });
        let (mut pace, start) = (pace.unwrap(), Instant::now());
        pace.waiting_since = Some(start);
        (pace, start)
    }

    /// Whether it is too slow at this moment.
    fn is_too_slow(pace: &mut Pace, now: Instant) -> bool {
        pace.turn(now);
        pace.too_slow_at(now) <= now
    }

    #[test]
    fn nothing_is_asked_of_an_upstream_by_default() {
        assert!(Pace::new(&Config::for_testing().stream).is_none());
    }

    #[test]
    fn every_window_is_judged_by_what_came_in_it() {
        let (mut pace, start) = pace();
        pace.received(start + SECOND, 100);
        pace.waiting_since = Some(start + SECOND);
        assert!(!is_too_slow(&mut pace, start + 10 * SECOND), "as much as must be");
        pace.received(start + 11 * SECOND, 199);
        pace.waiting_since = Some(start + 11 * SECOND);
        assert!(!is_too_slow(&mut pace, start + 19 * SECOND), "there is time");
        assert_eq!(pace.too_slow_at(start + 19 * SECOND), start + 20 * SECOND);
        assert!(is_too_slow(&mut pace, start + 20 * SECOND), "one byte is missing");
    }

    #[test]
    fn time_in_which_nobody_waits_is_nobody_s_fault() {
        let (mut pace, start) = pace();
        pace.received(start + 2 * SECOND, 1);
        // The client takes an hour.
        let later = start + 3600 * SECOND;
        assert!(!is_too_slow(&mut pace, later));
        pace.waiting_since = Some(later);
        assert_eq!(pace.too_slow_at(later + SECOND), later + 8 * SECOND);
        // It is given a keep-alive, and takes another hour.
        pace.pause(later + SECOND);
        let later = later + 3600 * SECOND;
        assert!(!is_too_slow(&mut pace, later));
        pace.waiting_since = Some(later);
        assert!(is_too_slow(&mut pace, later + 7 * SECOND));
    }
}
