//! The running server: one worker, or as many as there are cores.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::http::tls::TlsSetupError;
use crate::http::{self, Shutdown, State};
use crate::stream_log::registry::Registry;
use crate::upstream::Fleet;
use crate::upstream::client::UpstreamSetupError;

/// Why the server cannot start or go on.
#[derive(Debug)]
#[expect(missing_docs, reason = "each holds the error that tells")]
pub enum RunError {
    Io(io::Error),
    Tls(TlsSetupError),
    Upstream(UpstreamSetupError),
    Streams(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Streams(error) => write!(f, "streams cannot be shared: {error}"),
            Self::Tls(error) => error.fmt(f),
            Self::Upstream(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}

/// A server that may run on several workers. Cloning it is how a worker gets its own.
#[derive(Clone)]
pub struct App {
    config: watch::Receiver<Arc<Config>>,
    tls: Option<TlsAcceptor>,
    connections: Arc<Semaphore>,
    streams: Arc<Registry>,
    fleet: Arc<Fleet>,
}

impl App {
    /// Prepares a server for the present `config`, and for every later one where it can change without a restart.
    ///
    /// # Errors
    ///
    /// [`RunError`] if the certificate or a provider cannot be used as configured.
    pub fn new(config: watch::Receiver<Arc<Config>>) -> Result<Self, RunError> {
        install_crypto();
        let now = Arc::clone(&config.borrow());
        let tls = now.server.tls.as_ref().map(http::tls::acceptor).transpose().map_err(RunError::Tls)?;
        let connections = Arc::new(Semaphore::new(now.server.max_connections.min(Semaphore::MAX_PERMITS)));
        // Made once for nothing but its errors: better now than in a worker.
        let fleet = Arc::default();
        State::new(Arc::clone(&now), &fleet).map_err(RunError::Upstream)?;
        let streams = Registry::open(&now.redis, &now.resume).map_err(RunError::Streams)?;
        Ok(Self { config, tls, connections, streams, fleet })
    }

    /// What is known of the targets that are asked, for those who want to see it.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// Serves `listener` on the current runtime until `shutdown`. Connections, pools and streams stay on that runtime; those
    /// that outlive their connections are known to all workers.
    ///
    /// # Errors
    ///
    /// [`RunError`] if the listener fails or a provider cannot be used.
    pub async fn run(mut self, listener: TcpListener, shutdown: Shutdown) -> Result<(), RunError> {
        listener.set_nonblocking(true).map_err(RunError::Io)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(RunError::Io)?;
        let config = Arc::clone(&self.config.borrow_and_update());
        let first = State::new(config, &self.fleet).map_err(RunError::Upstream)?;
        let (state, current) = watch::channel(Arc::new(first));
        let (connections, streams) = (Arc::clone(&self.connections), Arc::clone(&self.streams));
        let serve = http::serve(listener, current, self.tls.clone(), connections, streams, shutdown.child());
        tokio::select! {
            result = serve => result.map_err(RunError::Io),
            never = follow(&mut self.config, &self.fleet, &state) => never,
            never = tick(&state, &self.streams) => match never {},
            never = probe(&state, &self.fleet) => match never {},
        }
    }
}

/// Makes each new configuration the current one. Requests that run keep the one they began with.
async fn follow(
    config: &mut watch::Receiver<Arc<Config>>,
    fleet: &Arc<Fleet>,
    state: &watch::Sender<Arc<State>>,
) -> Result<(), RunError> {
    while config.changed().await.is_ok() {
        let next = Arc::clone(&config.borrow_and_update());
        match State::new(next, fleet) {
            Ok(next) => state.send_replace(Arc::new(next)),
            Err(error) => {
                tracing::error!(%error, "the new configuration is refused; the old one stays");
                continue;
            }
        };
    }
    // Nobody can change it any more.
    std::future::pending().await
}

/// Once a second, lets go of idle connections that are of no more use, and of streams that nobody has come back to in time.
///
/// That also keeps a timer due at any time within the next second, which is worth having: whenever a timer is set that is due
/// before all others, tokio wakes its own event loop by a system call, even from within it. With this one always due first,
/// the timers of a request, which are all for longer, are set without.
async fn tick(state: &watch::Sender<Arc<State>>, streams: &Registry) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        state.borrow().sweep();
        streams.sweep();
    }
}

/// Asks providers whether they are there, where the configuration wants that.
async fn probe(state: &watch::Sender<Arc<State>>, fleet: &Fleet) -> Infallible {
    let mut current = state.subscribe();
    loop {
        let state = Arc::clone(&current.borrow_and_update());
        if state.config.health.probe_interval.is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            state.probe(fleet).await;
        } else {
            // It cannot fail: the sender is here.
            let _ = current.changed().await;
        }
    }
}

/// rustls wants to be told once per process who computes for it.
fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
