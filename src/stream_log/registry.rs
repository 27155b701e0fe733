//! All streams that can be resumed, by name, and what they may cost together.
//!
//! One for the whole process: whoever comes back is taken by any worker. It outlives configurations; each stream brings the
//! limits of the one it began under. Where replicas share streams, it knows those of the others too, as soon as somebody asks.

mod elsewhere;
mod produced;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::accounts::{Account, Accounts};
use super::copies::Copies;
use super::id::{StreamId, Token};
use super::shared::{Down, Shared};
use super::{Description, StreamLog, Summary};
use crate::config::redis::Redis;
use crate::config::resume::Resume;
use crate::error::Error;

use produced::Produced;

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
    /// What copies of other replicas' streams cost.
    copies: Arc<Account>,
    shared: Option<Shared>,
}

#[derive(Debug, Default)]
struct Known {
    produced: Produced,
    callers: HashMap<Option<Arc<str>>, Arc<Account>>,
    copies: Copies,
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
            self.registry.known().produced.remove(log.id());
            self.registry.tell_forgotten(log.id());
        }
    }
}

impl Registry {
    /// One whose streams are shared with other replicas, if `redis` says where.
    ///
    /// # Errors
    ///
    /// If the thread that shares them cannot be started.
    pub fn open(redis: &Redis, limits: &Resume) -> io::Result<Arc<Self>> {
        let mut error = None;
        let registry = Arc::new_cyclic(|registry| {
            let shared = Shared::start(redis, limits, registry.clone()).unwrap_or_else(|failed| {
                error = Some(failed);
                None
            });
            Self { shared, ..Self::default() }
        });
        error.map_or(Ok(registry), Err)
    }

    /// Whether replicas share streams.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Makes room for a stream, at the cost of those that ended first.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyStreams`] if there is none to be had.
    pub async fn begin(self: &Arc<Self>, about: Description) -> Result<Beginning, Error> {
        let log = self.begin_here(about)?;
        let beginning = Beginning { registry: Arc::clone(self), id: log.id(), log: Some(Arc::clone(&log)) };
        if let Some(shared) = &self.shared {
            shared.begin(&log).await?;
        }
        Ok(beginning)
    }

    fn begin_here(&self, about: Description) -> Result<Arc<StreamLog>, Error> {
        let (mut known, mut forgotten) = (self.known(), Vec::new());
        let begun = known.make_room(&about, &mut forgotten).map(|()| {
            let caller = Arc::clone(known.callers.entry(about.owner.clone()).or_default());
            let accounts = Accounts { caller, total: Arc::clone(&self.total) };
            let mirror = self.shared.as_ref().map(Shared::mirror);
            let log = Arc::new(StreamLog::new(StreamId::random(), about, Instant::now(), accounts, mirror));
            known.produced.insert(&log);
            log
        });
        drop(known);
        // Whether that was enough or not.
        forgotten.into_iter().for_each(|id| self.tell_forgotten(id));
        begun
    }

    /// Makes the token that lets whoever presents it read `log`. There is one at a time.
    pub async fn make_token(&self, log: &StreamLog) -> Token {
        let token = log.make_token();
        if let Some(shared) = &self.shared {
            shared.publish(log).await;
        }
        token
    }

    /// The stream called `id`, wherever it is produced.
    ///
    /// # Errors
    ///
    /// [`Error::StreamNotFound`] if there is none, it has expired, or is another's: nobody can tell which.
    /// [`Error::StreamsUnavailable`] if another replica may have it and cannot be asked.
    pub async fn find(&self, id: StreamId, access: Access<'_>) -> Result<Arc<StreamLog>, Error> {
        let here = self.known().produced.get(id);
        let log = match (here, &self.shared) {
            (Some(log), _) => log,
            (None, Some(shared)) => self.find_elsewhere(shared, id).await?,
            (None, None) => return Err(Error::StreamNotFound),
        };
        let is_admitted = match access {
            Access::Caller(caller) => log.about().owner.as_deref() == caller,
            Access::Token(token) => log.admits(token),
        };
        if is_admitted && !is_expired(&log, Instant::now()) { Ok(log) } else { Err(Error::StreamNotFound) }
    }

    /// Stops `log`, wherever it is produced, and keeps what there is of it.
    ///
    /// # Errors
    ///
    /// [`Error::StreamsUnavailable`] if another replica produces it and cannot be told.
    pub async fn cancel(&self, log: &StreamLog) -> Result<(), Error> {
        log.stop();
        let producer = self.known().copies.producer(log.id());
        let (Some(shared), Some(producer)) = (&self.shared, producer) else { return Ok(()) };
        shared.cancel(log.id(), &producer).await.map_err(|Down| Error::StreamsUnavailable)
    }

    /// Stops `log`, and forgets its name, here and everywhere. Its readers are told.
    ///
    /// # Errors
    ///
    /// [`Error::StreamsUnavailable`] if another replica produces it and cannot be told.
    pub async fn remove(&self, log: &StreamLog) -> Result<(), Error> {
        let is_here = self.known().produced.remove(log.id()).is_some();
        if is_here {
            log.stop();
        }
        let Some(shared) = &self.shared else { return Ok(()) };
        match shared.delete(log.id()).await {
            Err(Down) if !is_here => return Err(Error::StreamsUnavailable),
            Err(Down) => shared.forget(log.id()),
            Ok(()) => {}
        }
        Ok(())
    }

    /// The streams of the caller called `owner`, the eldest first.
    pub async fn list(&self, owner: Option<&str>) -> Vec<Summary> {
        let mut summaries = self.list_here(owner);
        if let Some(shared) = &self.shared {
            let all = shared.list(owner).await.unwrap_or_default();
            let is_elsewhere = |summary: &Summary| summaries.iter().all(|here| here.id != summary.id);
            let elsewhere: Vec<Summary> = all.into_iter().filter(is_elsewhere).collect();
            summaries.extend(elsewhere);
        }
        summaries.sort_by_key(|summary| std::cmp::Reverse(summary.age));
        summaries
    }

    fn list_here(&self, owner: Option<&str>) -> Vec<Summary> {
        let known = self.known();
        let now = Instant::now();
        let its = known.produced.all().filter(|log| log.about().owner.as_deref() == owner && !is_expired(log, now));
        its.map(|log| log.summary()).collect()
    }

    /// Forgets what has expired.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut known = self.known();
        let expired = known.produced.remove_expired(|log| is_expired(log, now));
        known.produced.all().for_each(|log| log.seats.sweep());
        known.copies.sweep();
        drop(known);
        expired.iter().for_each(|log| log.forget());
    }

    /// To be called when `log` has ended.
    pub(super) fn note_end(&self, log: &Arc<StreamLog>) {
        self.known().produced.note_end(log);
        self.note_growth(log);
    }

    /// To be called when `log` has grown: forgets what is too much, and has the rest written down.
    pub(super) fn note_growth(&self, log: &Arc<StreamLog>) {
        self.keep_within_limits(log);
        if let Some(shared) = &self.shared {
            shared.note(log);
        }
    }

    /// Forgets what ended first, and if that is not enough the beginning of `log`.
    fn keep_within_limits(&self, log: &StreamLog) {
        let limits = &log.about().limits;
        let caller_is_over = |accounts: &Accounts| accounts.caller.bytes() > limits.max_caller_bytes;
        let total_is_over = |accounts: &Accounts| accounts.total.bytes() > limits.max_total_bytes;
        if !caller_is_over(&log.accounts) && !total_is_over(&log.accounts) {
            return;
        }
        let mut known = self.known();
        let mut forgotten = Vec::new();
        let its = |other: &StreamLog| Arc::ptr_eq(&other.accounts.caller, &log.accounts.caller);
        while caller_is_over(&log.accounts) {
            let Some(id) = known.forget_eldest(its) else { break };
            forgotten.push(id);
        }
        while total_is_over(&log.accounts) {
            let Some(id) = known.forget_eldest(|_| true) else { break };
            forgotten.push(id);
        }
        drop(known);
        forgotten.into_iter().for_each(|id| self.tell_forgotten(id));
        log.forget_while(|accounts| caller_is_over(accounts) || total_is_over(accounts));
    }

    /// The stream called `id` is not to be found at other replicas either.
    fn tell_forgotten(&self, id: StreamId) {
        if let Some(shared) = &self.shared {
            shared.forget(id);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nobody panics in the middle of a change.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Makes room for one more stream within its limits. Those that are forgotten for it are noted in `forgotten`, also if that
    /// is not enough.
    fn make_room(&mut self, about: &Description, forgotten: &mut Vec<StreamId>) -> Result<(), Error> {
        let (limits, owner) = (&about.limits, &about.owner);
        for (key, limit, is_theirs) in [
            ("max_caller_streams", limits.max_caller_streams, true),
            ("max_total_streams", limits.max_total_streams, false),
        ] {
            let count = |known: &Self| if is_theirs { known.produced.count_of(owner) } else { known.produced.count() };
            while count(self) >= limit {
                let eldest = self.forget_eldest(|log| !is_theirs || log.about().owner == *owner);
                forgotten.push(eldest.ok_or(Error::TooManyStreams { key, limit })?);
            }
        }
        Ok(())
    }

    /// Forgets the one that ended first of those that `counts` picks, and says which; `None` if none of them has ended.
    fn forget_eldest(&mut self, counts: impl Fn(&StreamLog) -> bool) -> Option<StreamId> {
        let log = self.produced.remove_eldest(counts)?;
        log.forget();
        Some(log.id())
    }
}

fn is_expired(log: &StreamLog, now: Instant) -> bool {
    log.ended().is_some_and(|at| now.duration_since(at) > log.about().limits.keep_finished)
}
