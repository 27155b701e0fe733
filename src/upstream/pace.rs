//! How quick a target was to its first token lately.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::clock::{length, millis};
use super::spread::Spread;

/// What was observed longer ago says nothing of now.
const FRESH_FOR: Duration = Duration::from_secs(60);

/// The time to the first token: a moving average, and how it is spread.
#[derive(Debug, Default)]
pub struct Pace {
    /// In microseconds; zero: never observed.
    average: AtomicU64,
    /// When it was observed, or somebody set out to; in milliseconds.
    at: AtomicU64,
    spread: Spread,
}

impl Pace {
    /// A first token came after `time`, or was not waited for any longer.
    pub(super) fn record(&self, time: Duration, now: Instant) {
        let new = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let old = self.average.load(Ordering::Relaxed);
        // Of two that come at once one may be lost; an average can bear that.
        self.average
            .store(if old == 0 || self.is_stale(now) { new } else { old - old / 4 + new / 4 }, Ordering::Relaxed);
        self.at.store(millis(now), Ordering::Relaxed);
        self.spread.record(time);
    }

    /// How long 95 of 100 took at most, if enough were observed.
    pub(super) fn p95(&self) -> Option<Duration> {
        self.spread.p95()
    }

    /// The average, if anything was ever observed.
    pub fn average(&self) -> Option<Duration> {
        let micros = self.average.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// The rank of the target among others, least first. One of which nothing recent is known comes first, to be tried.
    pub(super) fn rank(&self, now: Instant) -> u64 {
        match self.average.load(Ordering::Relaxed) {
            _ if self.is_stale(now) => 0,
            // Somebody is trying it.
            0 => u64::MAX,
            average => average,
        }
    }

    /// It was chosen. If that was to try it, the others keep to what they know until this request has come back.
    pub(super) fn choose(&self, now: Instant) {
        if self.is_stale(now) {
            self.at.store(millis(now), Ordering::Relaxed);
        }
    }

    fn is_stale(&self, now: Instant) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at == 0 || millis(now).saturating_sub(at) > length(FRESH_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_tried_by_one_and_what_was_quick_comes_first() {
        let (quick, slow, now) = (Pace::default(), Pace::default(), Instant::now());
        assert_eq!((quick.rank(now), quick.rank(now)), (0, 0));
        quick.choose(now);
        assert_eq!(quick.rank(now), u64::MAX);
        quick.record(Duration::from_millis(10), now);
        slow.record(Duration::from_millis(90), now);
        assert!(quick.rank(now) < slow.rank(now));
        let later = now + FRESH_FOR * 2;
        assert_eq!(slow.rank(later), 0);
        slow.choose(later);
        assert_eq!(slow.rank(later), 90_000);
        slow.record(Duration::from_millis(30), later);
        slow.record(Duration::from_millis(10), later);
        assert!(slow.average().is_some_and(|average| average < Duration::from_millis(90)));
    }
}
