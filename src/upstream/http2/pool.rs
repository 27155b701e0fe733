//! The connections to one server, and who gets a place on which.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{FutureExt, Shared, WeakShared};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;
use super::connection::{Connection, Place};
use crate::upstream::connector::{ConnectError, Connector, IDLE_TIMEOUT};

/// A connection being made. All who wait for it drive it, and its failure is theirs; if all leave, it is given up.
type Opening = Pin<Box<dyn Future<Output = Result<(), ConnectError>> + Send>>;

#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    limits: Limits,
    state: Mutex<State>,
    /// Somebody who waits may find a place now.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    /// Those that take new streams, eldest first.
    connections: Vec<Entry>,
    openings: Vec<WeakShared<Opening>>,
    /// How many streams found place on the connection opened last.
    usual: usize,
}

#[derive(Debug)]
struct Entry {
    connection: Arc<Connection>,
    /// Since when nobody has been seen on it.
    idle_since: Option<Instant>,
}

enum Choice {
    Place(Place),
    Opening(Shared<Opening>),
    Full,
}

impl Pool {
    pub(super) fn new(connector: Connector, limits: Limits) -> Self {
        let state = State { connections: Vec::new(), openings: Vec::new(), usual: usize::from(limits.streams) };
        Self { connector, limits, state: Mutex::new(state), freed: Notify::new() }
    }

    /// A place for a stream, on another connection than `refused_by` if there can be one. Waits until there is one.
    pub(super) async fn place(self: &Arc<Self>, refused_by: Option<&Arc<Connection>>) -> Result<Place, ConnectError> {
        loop {
            // What is freed from here on is not missed.
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            match self.choose(refused_by) {
                Choice::Place(place) => return Ok(place),
                Choice::Opening(opening) => opening.await?,
                Choice::Full => freed.await,
            }
        }
    }

    /// The eldest connections are filled first, so that those opened for a rush run empty and close.
    fn choose(self: &Arc<Self>, refused_by: Option<&Arc<Connection>>) -> Choice {
        let mut state = self.state();
        state.forget_what_is_over();
        let other = |entry: &Entry| refused_by.is_none_or(|refused_by| !Arc::ptr_eq(refused_by, &entry.connection));
        if let Some(connection) = state.take(|entry| other(entry) && self.has_room(&entry.connection)) {
            return Choice::Place(Place::new(connection, Arc::clone(self)));
        }
        if let Some(opening) = state.opening_with_room() {
            return Choice::Opening(opening);
        }
        if state.connections.len() + state.openings.len() < self.limits.connections {
            let opening = self.open();
            state.openings.extend(opening.downgrade());
            return Choice::Opening(opening);
        }
        match state.take(|entry| self.has_room(&entry.connection)) {
            Some(connection) => Choice::Place(Place::new(connection, Arc::clone(self))),
            None => Choice::Full,
        }
    }

    fn has_room(&self, connection: &Connection) -> bool {
        connection.streams() < self.room_on(connection)
    }

    fn room_on(&self, connection: &Connection) -> usize {
        connection.allowed().min(usize::from(self.limits.streams))
    }

    fn open(self: &Arc<Self>) -> Shared<Opening> {
        let pool = Arc::clone(self);
        let opening: Opening = Box::pin(async move {
            // However it ends, there may be another connection now.
            let _freed = Freed(&pool.freed);
            let (connection, task) = Connection::open(&pool.connector, &pool.limits).await?;
            let weak = Arc::downgrade(&pool);
            tokio::spawn(async move {
                task.await;
                if let Some(pool) = weak.upgrade() {
                    pool.freed.notify_waiters();
                }
            });
            let mut state = pool.state();
            state.usual = pool.room_on(&connection);
            state.connections.push(Entry { connection: Arc::new(connection), idle_since: None });
            Ok(())
        });
        opening.shared()
    }

    /// A stream has ended.
    pub(super) fn freed(&self) {
        self.freed.notify_one();
    }

    /// Offers a connection no more. Its streams go on to their end.
    pub(super) fn retire(&self, connection: &Arc<Connection>) {
        self.state().connections.retain(|entry| !Arc::ptr_eq(&entry.connection, connection));
    }

    pub(super) fn sweep(&self) {
        let mut state = self.state();
        state.forget_what_is_over();
        state.connections.retain_mut(|entry| {
            if entry.connection.streams() > 0 {
                entry.idle_since = None;
                return true;
            }
            entry.idle_since.get_or_insert_with(Instant::now).elapsed() < IDLE_TIMEOUT
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_what_is_over(&mut self) {
        self.connections.retain(|entry| !entry.connection.is_over());
        self.openings.retain(|opening| opening.upgrade().is_some_and(|opening| opening.peek().is_none()));
    }

    fn take(&mut self, suits: impl Fn(&Entry) -> bool) -> Option<Arc<Connection>> {
        let entry = self.connections.iter_mut().find(|entry| suits(entry))?;
        entry.idle_since = None;
        Some(Arc::clone(&entry.connection))
    }

    /// A connection being made for which fewer wait than will find place.
    fn opening_with_room(&self) -> Option<Shared<Opening>> {
        // The one looked at counts itself.
        let has_room = |opening: &Shared<Opening>| opening.strong_count().is_some_and(|count| count <= self.usual);
        self.openings.iter().filter_map(WeakShared::upgrade).find(has_room)
    }
}

/// Wakes all who wait when it is dropped.
struct Freed<'a>(&'a Notify);

impl Drop for Freed<'_> {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}
