//! Whether a target has failed so often of late that others are to be asked first.
//!
//! One [`Breaker`] for each target and key. It is closed while all is well, opens on failures, and lets one request through
//! when its time is over, whose fate decides. It only ever puts a target last: one that is the last hope is asked all the same.
//! All of it is atomics: a request that succeeds costs a few of them, and no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::clock::{length, millis};
use crate::config::failure::Health;

/// A target that wants to be left alone for longer is tried again after this time all the same.
const MAX_REST: Duration = Duration::from_secs(60 * 60);

/// Why most breakers open.
const FAILED: &str = "it failed";

/// See the [module documentation](self).
#[derive(Debug)]
pub struct Breaker {
    provider: Arc<str>,
    model: Arc<str>,
    /// Which of the provider's keys, from 1.
    key: usize,
    /// The end of the time for which it is open; zero: it is closed.
    open_until: AtomicU64,
    /// It is open because it failed, and not because it was told to rest.
    has_failed: AtomicBool,
    /// How often it has opened since it was last closed.
    opened: AtomicU32,
    /// Somebody finds out whether it can be closed.
    is_probed: AtomicBool,
    failures_in_row: AtomicU32,
    window: AtomicU64,
}

/// What a breaker says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    /// It may come, be it as the one that tries.
    Ready,
    /// Others first.
    Resting,
}

/// How a request was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    Closed,
    /// As the one that tries.
    Probe,
    /// There was nobody else.
    LastHope,
}

/// One attempt as its breaker sees it. Dropped without a word, it was as if it had never been.
#[derive(Debug)]
pub(super) struct Ticket {
    breaker: Arc<Breaker>,
    admission: Admission,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.admission == Admission::Probe {
            self.breaker.is_probed.store(false, Ordering::Release);
        }
    }
}

impl Ticket {
    /// What the breaker is of.
    pub(super) fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    /// Whether it was let through although others should have come first.
    pub(super) fn is_last_hope(&self) -> bool {
        self.admission == Admission::LastHope
    }

    /// The target did what it was asked.
    pub(super) fn succeed(&self, health: &Health, now: Instant) {
        let breaker = &self.breaker;
        breaker.count(false, health, now);
        if breaker.failures_in_row.load(Ordering::Relaxed) != 0 {
            breaker.failures_in_row.store(0, Ordering::Relaxed);
        }
        self.answered();
    }

    /// The target answered, if only that the request is wrong: it is there.
    pub(super) fn answered(&self) {
        // A request from before the failures says nothing of the time behind them.
        if self.admission != Admission::Closed {
            self.breaker.close();
        }
    }

    /// The target failed, and wants to be left alone for `rest`, if it said so.
    pub(super) fn fail(&self, rest: Option<Duration>, health: &Health, now: Instant) {
        let breaker = &self.breaker;
        let is_probe = self.admission == Admission::Probe;
        if breaker.add_failure(health, now) || is_probe {
            breaker.open(FAILED, breaker.cool_down(health), now);
        }
        if let Some(rest) = rest {
            breaker.open("it asked to be left alone", rest, now);
        }
    }
}

impl Breaker {
    /// The breaker of the key with this number, from 0, at a model of a provider.
    pub(super) fn new(provider: &Arc<str>, model: &Arc<str>, key: usize) -> Self {
        Self {
            provider: Arc::clone(provider),
            model: Arc::clone(model),
            key: key + 1,
            open_until: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            opened: AtomicU32::new(0),
            is_probed: AtomicBool::new(false),
            failures_in_row: AtomicU32::new(0),
            window: AtomicU64::new(0),
        }
    }

    /// Whether a request may come now.
    pub fn readiness(&self, now: Instant) -> Readiness {
        let until = self.open_until.load(Ordering::Acquire);
        let may_try = || millis(now) >= until && !self.is_probed.load(Ordering::Acquire);
        if until == 0 || may_try() { Readiness::Ready } else { Readiness::Resting }
    }

    /// How long it is still open; `None` if it is closed.
    pub fn open_for(&self, now: Instant) -> Option<Duration> {
        let until = self.open_until.load(Ordering::Acquire);
        (until != 0).then(|| Duration::from_millis(until.saturating_sub(millis(now))))
    }

    /// Which of the provider's keys it is of, from 1.
    pub fn key(&self) -> usize {
        self.key
    }

    /// Lets a request through that came although nobody else is ready.
    pub(super) fn admit_last_hope(self: &Arc<Self>, now: Instant) -> Ticket {
        self.admit(now).unwrap_or_else(|| Ticket { breaker: Arc::clone(self), admission: Admission::LastHope })
    }

    /// Lets a request through, if it is its turn.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Option<Ticket> {
        let until = self.open_until.load(Ordering::Acquire);
        let admission = if until == 0 {
            Admission::Closed
        } else if millis(now) >= until && !self.is_probed.swap(true, Ordering::AcqRel) {
            Admission::Probe
        } else {
            return None;
        };
        Some(Ticket { breaker: Arc::clone(self), admission })
    }

    /// A stream that had begun broke off.
    pub(super) fn broke(&self, health: &Health, now: Instant) {
        if self.add_failure(health, now) {
            self.open(FAILED, self.cool_down(health), now);
        }
    }

    /// The key is of no use for a while: it was refused, or nobody pays for it any more.
    pub(super) fn rest(&self, why: &'static str, health: &Health, now: Instant) {
        self.open(why, health.max_cool_down, now);
    }

    /// Counts a failure; whether there were too many. One that came late, to an open breaker, changes nothing.
    fn add_failure(&self, health: &Health, now: Instant) -> bool {
        let in_row = self.failures_in_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let (attempts, failures) = self.count(true, health, now);
        let is_often = attempts >= health.min_requests && failures * 100 >= attempts * health.failure_percent;
        (in_row >= health.failures.get() || is_often) && self.open_until.load(Ordering::Acquire) == 0
    }

    fn cool_down(&self, health: &Health) -> Duration {
        let times = self.opened.load(Ordering::Relaxed).min(16);
        health.cool_down.saturating_mul(1 << times).min(health.max_cool_down)
    }

    /// Its target shows that it is there. If it is avoided because it failed, a request may try it at once.
    pub(super) fn may_be_tried(&self, now: Instant) {
        let (until, now) = (self.open_until.load(Ordering::Acquire), millis(now));
        if until > now && self.has_failed.load(Ordering::Relaxed) {
            // Whoever has changed it meanwhile knows better.
            let _ = self.open_until.compare_exchange(until, now, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    fn open(&self, why: &'static str, time: Duration, now: Instant) {
        self.has_failed.store(why == FAILED, Ordering::Relaxed);
        let (now, time) = (millis(now), time.min(MAX_REST));
        let until = now + length(time);
        let before = self.open_until.fetch_max(until, Ordering::AcqRel);
        if before <= now {
            self.opened.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                provider = &*self.provider,
                model = &*self.model,
                key = self.key,
                why,
                seconds = time.as_secs_f64(),
                "a target is avoided for a while"
            );
        }
    }

    fn close(&self) {
        if self.open_until.swap(0, Ordering::AcqRel) == 0 {
            return;
        }
        self.opened.store(0, Ordering::Relaxed);
        self.failures_in_row.store(0, Ordering::Relaxed);
        self.window.store(0, Ordering::Relaxed);
        let (provider, model) = (&*self.provider, &*self.model);
        tracing::info!(provider, model, key = self.key, "a target works again");
    }

    /// Counts one more attempt of the current window; returns how many there were, and how many of them failed.
    fn count(&self, has_failed: bool, health: &Health, now: Instant) -> (u32, u32) {
        let now = millis(now);
        let one_more = |window| Some(Window::from_bits(window).with(has_failed, now, length(health.window)).to_bits());
        let before = self.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).unwrap_or_default();
        let window = Window::from_bits(before).with(has_failed, now, length(health.window));
        (window.attempts.into(), window.failures.into())
    }
}

/// The attempts of a stretch of time, in one number.
#[derive(Clone, Copy)]
struct Window {
    /// When it began, in tenths of seconds.
    since: u32,
    attempts: u16,
    failures: u16,
}

impl Window {
    fn from_bits(bits: u64) -> Self {
        Self { since: (bits >> 32) as u32, attempts: (bits >> 16) as u16, failures: bits as u16 }
    }

    fn to_bits(self) -> u64 {
        u64::from(self.since) << 32 | u64::from(self.attempts) << 16 | u64::from(self.failures)
    }

    /// With one more attempt, in a new window if the old one is over or full.
    fn with(self, has_failed: bool, now: u64, length: u64) -> Self {
        let is_over = self.attempts == u16::MAX || now.saturating_sub(u64::from(self.since) * 100) > length;
        let window = if is_over { Self { since: (now / 100) as u32, attempts: 0, failures: 0 } } else { self };
        Self { attempts: window.attempts + 1, failures: window.failures + u16::from(has_failed), ..window }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> (Arc<Breaker>, Health, Instant) {
        let breaker = Breaker::new(&"p".into(), &"m".into(), 0);
        (Arc::new(breaker), Config::for_testing().health, Instant::now())
    }

    fn fail(breaker: &Arc<Breaker>, times: u32, health: &Health, now: Instant) {
        (0..times).for_each(|_| breaker.admit_last_hope(now).fail(None, health, now));
    }

    #[test]
    fn it_opens_on_failures_in_a_row_and_not_on_fewer() {
        let (breaker, health, now) = breaker();
        fail(&breaker, 4, &health, now);
        breaker.admit(now).unwrap().succeed(&health, now);
        fail(&breaker, 4, &health, now);
        assert_eq!(breaker.readiness(now), Readiness::Ready);
        fail(&breaker, 1, &health, now);
        assert_eq!(breaker.readiness(now), Readiness::Resting);
        assert!(breaker.admit(now).is_none());
        assert_eq!(breaker.open_for(now), Some(health.cool_down));
    }

    #[test]
    fn it_opens_when_half_of_many_attempts_fail() {
        let (breaker, health, now) = breaker();
        for _ in 0..10 {
            assert_eq!(breaker.readiness(now), Readiness::Ready);
            breaker.admit(now).unwrap().succeed(&health, now);
            fail(&breaker, 1, &health, now);
        }
        assert_eq!(breaker.readiness(now), Readiness::Resting);
    }

    #[test]
    fn failures_of_another_time_are_forgotten() {
        let (breaker, health, now) = breaker();
        for step in 0..40 {
            let now = now + SECOND * step;
            fail(&breaker, 1, &health, now);
            breaker.admit(now).unwrap().succeed(&health, now);
        }
        assert_eq!(breaker.readiness(now + SECOND * 40), Readiness::Ready);
    }

    #[test]
    fn when_its_time_is_over_one_request_tries_and_decides() {
        let (breaker, health, now) = breaker();
        fail(&breaker, 5, &health, now);
        let later = now + health.cool_down;
        let probe = breaker.admit(later).unwrap();
        assert_eq!((breaker.readiness(later), breaker.admit(later).is_none()), (Readiness::Resting, true));
        probe.fail(None, &health, later);
        drop(probe);
        assert_eq!(breaker.open_for(later), Some(health.cool_down * 2), "twice as long");
        let later = later + health.cool_down * 2;
        drop(breaker.admit(later).unwrap());
        assert_eq!(breaker.readiness(later), Readiness::Ready, "one that was given up decides nothing");
        breaker.admit(later).unwrap().succeed(&health, later);
        assert_eq!(breaker.open_for(later), None);
        fail(&breaker, 4, &health, later);
        assert_eq!(breaker.readiness(later), Readiness::Ready, "all is forgotten");
    }

    #[test]
    fn an_upstream_that_wants_to_be_left_alone_is_and_one_that_helps_in_need_is_well() {
        let (breaker, health, now) = breaker();
        let late = breaker.admit(now).unwrap();
        breaker.admit(now).unwrap().fail(Some(SECOND * 30), &health, now);
        assert_eq!(breaker.open_for(now), Some(SECOND * 30));
        late.succeed(&health, now);
        assert_eq!(breaker.readiness(now), Readiness::Resting, "it was asked before");
        breaker.admit_last_hope(now).succeed(&health, now);
        assert_eq!(breaker.open_for(now), None);
    }
}
