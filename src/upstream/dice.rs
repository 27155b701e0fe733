//! Chance, for spreading requests over targets and retries over time. Not for secrets.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Any number, with the same chance for each.
pub(super) fn any() -> u64 {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    SEED.hash_one(COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Between half of `time` and all of it.
pub(super) fn jittered(time: Duration) -> Duration {
    let share = (any() >> 32) as f64 / f64::from(u32::MAX);
    time.mul_f64(0.5 + share / 2.0)
}
