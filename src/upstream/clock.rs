//! Moments as numbers, which many threads can share without a lock.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::time::Instant;

/// Milliseconds since some moment before the first that anybody asked for. Never zero.
pub(super) fn millis(at: Instant) -> u64 {
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(at.saturating_duration_since(*EPOCH).as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// `time` in milliseconds.
pub(super) fn length(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
