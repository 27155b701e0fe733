//! What handlers work with.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::auth::Keys;
use super::models::Catalog;
use super::resumable::Streams;
use crate::config::Config;
use crate::dialect::Dialect;
use crate::relay::guard::Peer;
use crate::telemetry::Record;
use crate::upstream::client::UpstreamSetupError;
use crate::upstream::{Fleet, Routes};

/// One configuration, ready for use. A reload makes a new one; requests that run keep theirs.
#[derive(Debug)]
pub struct State {
    /// The configuration it was made from.
    pub config: Arc<Config>,
    pub(super) routes: Routes,
    pub(super) keys: Keys,
    pub(super) catalog: Catalog,
    /// Names of models whose streams can be resumed without being asked to.
    resumable: HashSet<String>,
}

impl State {
    /// Prepares `config` for use by one worker. `fleet` is the process's.
    ///
    /// # Errors
    ///
    /// [`UpstreamSetupError`] if a provider cannot be called as configured.
    pub fn new(config: Arc<Config>, fleet: &Arc<Fleet>) -> Result<Self, UpstreamSetupError> {
        let (routes, keys) = (Routes::new(&config, fleet)?, Keys::new(&config.keys));
        let resumable = config.models.iter().filter(|model| model.resumable);
        let resumable = resumable.flat_map(|model| model.aliases.iter().chain([&model.name]).cloned()).collect();
        Ok(Self { routes, keys, catalog: Catalog::default(), resumable, config })
    }

    /// Whether there are models whose streams can be resumed without being asked to.
    pub(super) fn has_resumable(&self) -> bool {
        !self.resumable.is_empty()
    }

    /// Whether streams of the model called `name` can be resumed without being asked to.
    pub(super) fn is_resumable(&self, name: &str) -> bool {
        self.resumable.contains(name)
    }

    /// Asks providers whether they are there, if it is time and nobody else in the process does.
    pub async fn probe(&self, fleet: &Fleet) {
        let health = &self.config.health;
        if health.probe_interval.is_some_and(|interval| fleet.is_probe_due(interval, Instant::now())) {
            self.routes.probe(health).await;
        }
    }

    /// Closes idle connections to upstreams that are of no more use.
    pub fn sweep(&self) {
        self.routes.providers().iter().for_each(|target| target.upstream.sweep());
    }
}

/// The two moments of a shutdown.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// No new connections; running streams go on.
    pub draining: CancellationToken,
    /// Running streams end with an error.
    pub deadline: CancellationToken,
}

impl Shutdown {
    /// The same moments, to be waited for without disturbing other waiters.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { draining: self.draining.child_token(), deadline: self.deadline.child_token() }
    }
}

/// What the shell hands to a handler beside the request.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) state: Arc<State>,
    /// What the client speaks.
    pub(super) dialect: &'static dyn Dialect,
    pub(super) record: Record,
    pub(super) peer: Peer,
    pub(super) shutdown: Shutdown,
    pub(super) streams: Streams,
}
