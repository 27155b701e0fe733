//! What the process knows of the targets that it asks: shared by all workers, and kept when the configuration changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Budget;
use super::capacity::Capacity;
use super::client::Upstream;
use super::clock::{length, millis};
use super::health::Breaker;
use super::pace::Pace;
use crate::config::Config;
use crate::config::failure::{Health, Queue, Retry};

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub struct Fleet {
    /// Looked into when a configuration is made ready, and by who wants to see it, never by a request.
    known: Mutex<HashMap<Name, Known>>,
    /// What is spent on asking again.
    pub(super) budget: Budget,
    /// What is spent on asking two at once.
    pub(super) hedges: Budget,
    /// When providers were last asked whether they are there.
    probed: AtomicU64,
}

/// A target by what it is: one that has moved is another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    provider: Arc<str>,
    url: String,
    model: Arc<str>,
}

#[derive(Debug, Default)]
struct Known {
    vitals: Arc<Vitals>,
    /// One for each key that was ever configured, by its digest.
    breakers: HashMap<u64, Arc<Breaker>>,
}

/// How a target fares, whichever key it is asked with.
#[derive(Debug, Default)]
pub struct Vitals {
    pub(super) capacity: Arc<Capacity>,
    pub(super) pace: Pace,
}

/// How one target fares, for people and programs.
#[derive(Debug, Clone)]
pub struct Status {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model's name there; empty for all that are in no `[[model]]`.
    pub model: Arc<str>,
    /// Requests in flight.
    pub in_flight: usize,
    /// Requests that wait for a place.
    pub waiting: usize,
    /// The time to the first token of late.
    pub time_to_first_token: Option<Duration>,
    /// For each key, by its number from 1, how long it is still avoided; `None` if it is not.
    pub keys: Vec<(usize, Option<Duration>)>,
}

impl Fleet {
    /// What is known of `model` at `upstream`, and of each of its keys there.
    pub(super) fn target(&self, upstream: &Upstream, model: &Arc<str>) -> (Arc<Vitals>, Arc<[Arc<Breaker>]>) {
        let provider = &upstream.name;
        let name = Name { provider: Arc::clone(provider), url: upstream.url(), model: Arc::clone(model) };
        // Nothing in here can panic halfway.
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(name).or_default();
        let breaker = |(key, digest)| {
            let breaker = known.breakers.entry(digest);
            Arc::clone(breaker.or_insert_with(|| Arc::new(Breaker::new(provider, model, key))))
        };
        let breakers = upstream.key_digests().enumerate().map(breaker).collect();
        (Arc::clone(&known.vitals), breakers)
    }

    /// Whether it is time to ask providers whether they are there, once in each `interval`. One of all workers is told so.
    pub fn is_probe_due(&self, interval: Duration, now: Instant) -> bool {
        let (now, last) = (millis(now), self.probed.load(Ordering::Relaxed));
        let is_due = last == 0 || now >= last + length(interval);
        is_due && self.probed.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Forgets the targets that no configuration has any more, nor any request.
    pub(super) fn sweep(&self) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, known| {
            known.breakers.retain(|_, breaker| Arc::strong_count(breaker) > 1);
            !known.breakers.is_empty() || Arc::strong_count(&known.vitals) > 1
        });
    }

    /// How all targets fare that any configuration in use has, by name.
    pub fn status(&self) -> Vec<Status> {
        let now = Instant::now();
        let all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let status = |(name, known): (&Name, &Known)| {
            let keys = known.breakers.values().filter(|breaker| Arc::strong_count(breaker) > 1);
            let mut keys: Vec<_> = keys.map(|breaker| (breaker.key(), breaker.open_for(now))).collect();
            keys.sort_unstable();
            Status {
                provider: Arc::clone(&name.provider),
                model: Arc::clone(&name.model),
                in_flight: known.vitals.capacity.in_flight(),
                waiting: known.vitals.capacity.waiting(),
                time_to_first_token: known.vitals.pace.average(),
                keys,
            }
        };
        let mut all: Vec<Status> = all.iter().map(status).filter(|status| !status.keys.is_empty()).collect();
        all.sort_by(|one, other| (&one.provider, &one.model).cmp(&(&other.provider, &other.model)));
        all
    }
}

/// What is done when upstreams fail, and by whom it is known how they fare.
#[derive(Debug)]
pub struct Policy {
    pub(super) retry: Retry,
    pub(super) health: Health,
    pub(super) queue: Queue,
    pub(super) fleet: Arc<Fleet>,
}

impl Policy {
    /// The policy that `config` sets for the targets of `fleet`.
    pub fn new(config: &Config, fleet: Arc<Fleet>) -> Self {
        Self { retry: config.retry.clone(), health: config.health.clone(), queue: config.queue, fleet }
    }
}
