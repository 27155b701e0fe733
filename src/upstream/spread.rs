//! How often something took how long lately: enough to tell a percentile, for one count per observation.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Of four, each holds times up to twice as long as the ones before: from a millisecond to a minute.
const BUCKETS: usize = 64;
const BUCKETS_PER_DOUBLING: f64 = 4.0;
/// Of fewer, one in twenty says nothing.
const FEWEST: u32 = 20;
/// With so many, all before count half from then on.
const MOST: u32 = 500;

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Spread {
    buckets: [AtomicU32; BUCKETS],
    count: AtomicU32,
}

impl Default for Spread {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU32::new(0)), count: AtomicU32::new(0) }
    }
}

impl Spread {
    /// It took `time`.
    pub(super) fn record(&self, time: Duration) {
        let millis = time.as_secs_f64() * 1e3;
        let bucket = (millis.max(1.0).log2() * BUCKETS_PER_DOUBLING) as usize;
        self.buckets[bucket.min(BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 == MOST {
            self.halve();
        }
    }

    /// What 95 of 100 did not take longer than, rounded up by a fifth at most; `None` while too little is known.
    pub(super) fn p95(&self) -> Option<Duration> {
        let counts = self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
        let count: u32 = counts.iter().sum();
        let sought = (count * 95).div_ceil(100);
        let mut quicker = 0;
        let bucket = counts.iter().position(|count| {
            quicker += count;
            quicker >= sought
        });
        let longest = |bucket: usize| ((bucket + 1) as f64 / BUCKETS_PER_DOUBLING).exp2() / 1e3;
        bucket.filter(|_| count >= FEWEST).map(|bucket| Duration::from_secs_f64(longest(bucket)))
    }

    /// What others observe meanwhile may be lost; a percentile can bear that.
    fn halve(&self) {
        let halved = self.buckets.iter().map(|bucket| {
            let half = bucket.load(Ordering::Relaxed) / 2;
            bucket.store(half, Ordering::Relaxed);
            half
        });
        self.count.store(halved.sum(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(spread: &Spread, millis: u64, times: usize) {
        (0..times).for_each(|_| spread.record(Duration::from_millis(millis)));
    }

    fn p95(spread: &Spread) -> u128 {
        spread.p95().unwrap().as_millis()
    }

    #[test]
    fn one_in_twenty_takes_longer_and_of_few_nothing_is_known() {
        let spread = Spread::default();
        record(&spread, 100, 19);
        assert_eq!(spread.p95(), None);
        record(&spread, 900, 1);
        assert!((100..120).contains(&p95(&spread)), "{spread:?}");
        record(&spread, 900, 1);
        assert!((900..1080).contains(&p95(&spread)), "{spread:?}");
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let spread = Spread::default();
        record(&spread, 8000, 2000);
        assert!((8000..9600).contains(&p95(&spread)));
        record(&spread, 50, 2000);
        assert!((50..60).contains(&p95(&spread)), "{spread:?}");
    }

    #[test]
    fn no_time_is_too_short_or_too_long() {
        let spread = Spread::default();
        spread.record(Duration::ZERO);
        spread.record(Duration::MAX);
        record(&spread, 0, 100);
        assert!(p95(&spread) <= 2);
    }
}
