//! Asks providers now and then whether they are there, so that no request has to find out. Only where the configuration says so.
//!
//! The question is their list of models, which costs nothing. That a server lists its models does not mean that they answer: so an
//! answer closes no breaker, it only lets the next request try at once. No answer, or one that tells of the server's own failure,
//! counts at all its targets as a failed request does.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::health::Breaker;
use super::request::UpstreamRequest;
use super::retry::{self, Verdict};
use super::routing::{Routes, Target};
use super::send;
use crate::config::failure::Health;
use crate::error::Phase;

/// How long a provider has to answer.
const LIMIT: Duration = Duration::from_secs(5);

impl Routes {
    /// Asks all providers once, side by side.
    pub async fn probe(&self, health: &Health) {
        join_all(self.providers().iter().map(|provider| self.probe_one(provider, health))).await;
    }

    async fn probe_one(&self, provider: &Target, health: &Health) {
        let request = UpstreamRequest::for_models(provider.upstream.dialects[0]);
        let asked = send(provider, provider.next_key(), &request, (Phase::Response, LIMIT)).await;
        let has_failed = asked.is_err_and(|error| matches!(retry::verdict(&error), Verdict::Undone | Verdict::Unsure));
        let now = Instant::now();
        for breaker in self.breakers_at(provider) {
            if has_failed { breaker.broke(health, now) } else { breaker.may_be_tried(now) }
        }
    }

    /// The breakers of all keys at all targets of a provider, each once.
    fn breakers_at(&self, provider: &Target) -> Vec<&Arc<Breaker>> {
        let its = self.all_targets().filter(|target| Arc::ptr_eq(&target.upstream, &provider.upstream));
        let mut breakers: Vec<_> = its.flat_map(|target| target.terms.breakers.iter()).collect();
        breakers.sort_unstable_by_key(|breaker| Arc::as_ptr(breaker));
        breakers.dedup_by_key(|breaker| Arc::as_ptr(breaker));
        breakers
    }
}
