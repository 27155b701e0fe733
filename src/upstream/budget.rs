//! What the process spends on asking again, or two at once: so much of what it is asked itself that an outage causes no storm.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::time::Instant;

use super::clock::millis;

/// Seconds that count.
const WINDOW: usize = 10;
/// What is always allowed within them: of few requests, a share would be none.
const FLOOR: u32 = 10;

/// The requests and retries of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Budget {
    seconds: [Second; WINDOW],
}

#[derive(Debug, Default)]
struct Second {
    /// Which one it is.
    number: AtomicU64,
    requests: AtomicU32,
    retries: AtomicU32,
}

impl Budget {
    /// Counts a request.
    pub(super) fn deposit(&self, now: Instant) {
        self.second(now).requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether one more retry is within `percent` of the requests. If so it is counted.
    pub(super) fn withdraw(&self, percent: u32, now: Instant) -> bool {
        let second = self.second(now);
        let oldest = number(now).saturating_sub(WINDOW as u64 - 1);
        let (requests, retries) =
            (self.sum(oldest, |second| &second.requests), self.sum(oldest, |second| &second.retries));
        let allowed = u64::from(FLOOR) + requests * u64::from(percent) / 100;
        let is_allowed = retries < allowed;
        if is_allowed {
            second.retries.fetch_add(1, Ordering::Relaxed);
        }
        is_allowed
    }

    fn sum(&self, oldest: u64, count: impl Fn(&Second) -> &AtomicU32) -> u64 {
        let recent = self.seconds.iter().filter(|second| second.number.load(Ordering::Relaxed) >= oldest);
        recent.map(|second| u64::from(count(second).load(Ordering::Relaxed))).sum()
    }

    /// The count of this second, begun anew if it is that of an earlier one.
    fn second(&self, now: Instant) -> &Second {
        let number = number(now);
        let second = &self.seconds[(number % WINDOW as u64) as usize];
        if second.number.swap(number, Ordering::Relaxed) != number {
            second.requests.store(0, Ordering::Relaxed);
            second.retries.store(0, Ordering::Relaxed);
        }
        second
    }
}

fn number(now: Instant) -> u64 {
    // Not zero, which is that of a second that has never been.
    millis(now) / 1000 + WINDOW as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn withdrawn(budget: &Budget, now: Instant) -> usize {
        (0..1000).filter(|_| budget.withdraw(20, now)).count()
    }

    #[test]
    fn retries_are_a_share_of_the_requests_of_the_last_seconds_and_a_few_are_always_allowed() {
        let (budget, start) = (Budget::default(), Instant::now());
        assert_eq!(withdrawn(&budget, start), 10);
        let later = start + Duration::from_secs(5);
        (0..100).for_each(|_| budget.deposit(later));
        assert_eq!(withdrawn(&budget, later), 20, "what was spent five seconds ago counts");
        let later = start + Duration::from_secs(13);
        assert_eq!(withdrawn(&budget, later), 10, "the first ten do not any more");
        let later = start + Duration::from_secs(100);
        assert_eq!(withdrawn(&budget, later), 10);
    }
}
