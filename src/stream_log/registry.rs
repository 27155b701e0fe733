//! All streams that can be resumed, by name, and what they may cost together.
//!
//! One for the whole process: whoever comes back is taken by any worker. It outlives configurations; each stream brings the
//! limits of the one it began under.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::id::StreamId;
use super::{Account, Accounts, Description, StreamLog, Summary};
use crate::error::Error;

/// Who wants to see a stream.
#[derive(Debug, Clone, Copy)]
pub enum Access<'a> {
    /// The holder of a key, by its name; `None` if no key is needed.
    Caller(Option<&'a str>),
    /// Whoever has a stream's token.
    Token(&'a str),
}

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub struct Registry {
    known: Mutex<Known>,
    total: Arc<Account>,
}

#[derive(Debug, Default)]
struct Known {
    streams: HashMap<StreamId, Arc<StreamLog>>,
    callers: HashMap<Option<Arc<str>>, Arc<Account>>,
}

/// A stream that is about to begin. It is unknown again if it does not.
#[derive(Debug)]
pub struct Beginning {
    registry: Arc<Registry>,
    id: StreamId,
    log: Option<Arc<StreamLog>>,
}

impl Beginning {
    /// The name that it will have.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Waits until it is stopped before it has begun.
    pub async fn stopped(&self) {
        if let Some(log) = &self.log {
            log.stop.cancelled().await;
        }
    }

    /// The stream has begun.
    ///
    /// # Panics
    ///
    /// Never: it begins once.
    pub fn done(mut self) -> Arc<StreamLog> {
        self.log.take().expect("it begins once")
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        if let Some(log) = &self.log {
            self.registry.forget(log);
        }
    }
}

impl Registry {
    /// Makes room for a stream, at the cost of those that ended first.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyStreams`] if there is none to be had.
    pub fn begin(self: &Arc<Self>, about: Description) -> Result<Beginning, Error> {
        let mut known = self.known();
        let limits = &about.limits;
        let owner = about.owner.as_deref();
        known
            .make_room("max_caller_streams", limits.max_caller_streams, |log| log.about().owner.as_deref() == owner)?;
        known.make_room("max_total_streams", limits.max_total_streams, |_| true)?;
        let caller = Arc::clone(known.callers.entry(about.owner.clone()).or_default());
        let accounts = Accounts { caller, total: Arc::clone(&self.total) };
        let log = Arc::new(StreamLog::new(about, accounts));
        known.streams.insert(log.id(), Arc::clone(&log));
        drop(known);
        Ok(Beginning { registry: Arc::clone(self), id: log.id(), log: Some(log) })
    }

    /// The stream called `id`.
    ///
    /// # Errors
    ///
    /// [`Error::StreamNotFound`] if there is none, it has expired, or is another's: nobody can tell which.
    pub fn find(&self, id: StreamId, access: Access<'_>) -> Result<Arc<StreamLog>, Error> {
        let log = self.known().streams.get(&id).cloned().ok_or(Error::StreamNotFound)?;
        let is_admitted = match access {
            Access::Caller(caller) => log.about().owner.as_deref() == caller,
            Access::Token(token) => log.admits(token),
        };
        if is_admitted && !is_expired(&log, Instant::now()) { Ok(log) } else { Err(Error::StreamNotFound) }
    }

    /// Stops `log`, and forgets its name. Its readers are told.
    pub fn remove(&self, log: &StreamLog) {
        log.stop();
        self.known().streams.remove(&log.id());
    }

    /// The streams of the caller called `owner`, the eldest first.
    pub fn list(&self, owner: Option<&str>) -> Vec<Summary> {
        let known = self.known();
        let now = Instant::now();
        let its = known.streams.values().filter(|log| log.about().owner.as_deref() == owner && !is_expired(log, now));
        let mut summaries: Vec<Summary> = its.map(|log| log.summary()).collect();
        drop(known);
        summaries.sort_by_key(|summary| std::cmp::Reverse(summary.age));
        summaries
    }

    /// Forgets what has expired.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut known = self.known();
        let expired: Vec<_> = known.streams.extract_if(|_, log| is_expired(log, now)).collect();
        drop(known);
        expired.iter().for_each(|(_, log)| log.forget());
    }

    /// To be called when `log` has grown: forgets what ended first, and if that is not enough the beginning of `log`.
    pub(super) fn keep_within_limits(&self, log: &StreamLog) {
        let limits = &log.about().limits;
        let caller_is_over = |accounts: &Accounts| accounts.caller.bytes() > limits.max_caller_bytes;
        let total_is_over = |accounts: &Accounts| accounts.total.bytes() > limits.max_total_bytes;
        if !caller_is_over(&log.accounts) && !total_is_over(&log.accounts) {
            return;
        }
        let mut known = self.known();
        let its = |other: &StreamLog| Arc::ptr_eq(&other.accounts.caller, &log.accounts.caller);
        while caller_is_over(&log.accounts) && known.forget_eldest(its) {}
        while total_is_over(&log.accounts) && known.forget_eldest(|_| true) {}
        drop(known);
        log.forget_while(|accounts| caller_is_over(accounts) || total_is_over(accounts));
    }

    fn forget(&self, log: &StreamLog) {
        self.known().streams.remove(&log.id());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nobody panics in the middle of a change.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Sees to it that there are fewer than `limit` streams of those that `counts` picks.
    fn make_room(
        &mut self,
        key: &'static str,
        limit: usize,
        counts: impl Fn(&StreamLog) -> bool + Copy,
    ) -> Result<(), Error> {
        while self.streams.values().filter(|log| counts(log)).count() >= limit {
            if !self.forget_eldest(counts) {
                return Err(Error::TooManyStreams { key, limit });
            }
        }
        Ok(())
    }

    /// Forgets the one that ended first of those that `counts` picks; false if none of them has ended.
    fn forget_eldest(&mut self, counts: impl Fn(&StreamLog) -> bool) -> bool {
        let ended = self.streams.values().filter(|log| counts(log)).filter_map(|log| Some((log.ended()?, log.id())));
        let Some((_, id)) = ended.min_by_key(|(at, _)| *at) else { return false };
        if let Some(log) = self.streams.remove(&id) {
            log.forget();
        }
        true
    }
}

fn is_expired(log: &StreamLog, now: Instant) -> bool {
    log.ended().is_some_and(|at| now.duration_since(at) > log.about().limits.keep_finished)
}
