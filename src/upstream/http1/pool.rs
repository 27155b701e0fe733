//! Connections between two requests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::upstream::connector::IDLE_TIMEOUT;
use crate::upstream::socket::Socket;

/// The idle connections to one server. Nothing waits on them: they are looked at when one is needed, and now and then.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// In the order of their return, so that the last is the one with the longest life before it.
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    socket: Socket,
    since: Instant,
}

impl Idle {
    fn is_usable(&self) -> bool {
        self.since.elapsed() < IDLE_TIMEOUT && self.socket.is_quiet()
    }
}

impl Pool {
    /// A connection that can take another request, if there is one.
    pub(super) fn take(&self) -> Option<Socket> {
        let mut idle = self.idle();
        std::iter::from_fn(|| idle.pop()).find(Idle::is_usable).map(|idle| idle.socket)
    }

    /// Keeps a connection whose last response has been read to its end.
    pub(super) fn put(&self, socket: Socket) {
        self.idle().push(Idle { socket, since: Instant::now() });
    }

    pub(super) fn sweep(&self) {
        self.idle().retain(Idle::is_usable);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        // Nothing in here can panic halfway.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
