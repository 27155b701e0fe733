//! What the registry of one replica has to do with those of the others.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::StreamLog;
use super::super::accounts::Accounts;
use super::super::id::StreamId;
use super::super::shared::{Down, Shared};
use super::Registry;
use crate::error::Error;

impl Registry {
    /// The stream called `id`, if another replica produces it, as a copy that grows.
    pub(super) async fn find_elsewhere(&self, shared: &Shared, id: StreamId) -> Result<Arc<StreamLog>, Error> {
        let copy = self.known().copies.get(id);
        let card = match (shared.describe(id).await, copy) {
            (Ok(Some(card)), None) => card,
            (Ok(Some(card)), Some(log)) => {
                if let Some((digest, lifetime)) = card.token {
                    log.set_token(digest, lifetime);
                }
                // Whoever comes from another replica may have seen more there than has come here.
                shared.catch_up(&log, &card).await;
                return Ok(log);
            }
            (Ok(None), _) => {
                self.known().copies.remove(id);
                return Err(Error::StreamNotFound);
            }
            (Err(Down), Some(log)) => return Ok(log),
            (Err(Down), None) => return Err(Error::StreamsUnavailable),
        };
        let accounts = Accounts { caller: Arc::default(), total: Arc::clone(&self.copies) };
        let log = shared.copy(&card, accounts).await.map_err(|Down| Error::StreamsUnavailable)?;
        if let Some((digest, lifetime)) = card.token {
            log.set_token(digest, lifetime);
        }
        let log = self.known().copies.insert(log, card.replica);
        self.keep_copies_within_limits(&log);
        shared.follow().await;
        Ok(log)
    }

    // === For the thread that shares streams ===

    /// All that are produced in this process and kept.
    pub(in super::super) fn produced(&self) -> Vec<Arc<StreamLog>> {
        self.known().produced.all().cloned().collect()
    }

    /// Another replica was asked to stop the stream called `id`.
    pub(in super::super) fn stop(&self, id: StreamId) {
        if let Some(log) = self.known().produced.remove(id) {
            log.stop();
        }
    }

    /// Another replica was asked to stop the stream called `id`, but to keep its name.
    pub(in super::super) fn cancel_here(&self, id: StreamId) {
        let log = self.known().produced.get(id);
        if let Some(log) = log {
            log.stop();
        }
    }

    /// Another replica had to make room.
    pub(in super::super) fn forget_finished(&self, id: StreamId) {
        let mut known = self.known();
        if known.produced.get(id).is_some_and(|log| log.ended().is_some())
            && let Some(log) = known.produced.remove(id)
        {
            drop(known);
            log.forget();
        }
    }

    /// The replica called `from` has so many readers of the stream called `id`.
    pub(in super::super) fn note_readers(&self, id: StreamId, from: &str, readers: usize) {
        let log = self.known().produced.get(id);
        if let Some(log) = log {
            log.renew_token();
            log.seats.set_elsewhere(from, readers);
        }
    }

    /// What the streams of each caller cost in this process.
    pub(in super::super) fn costs(&self) -> Vec<(Option<Arc<str>>, usize)> {
        let known = self.known();
        let costs = known.callers.iter().map(|(caller, account)| (caller.clone(), account.here()));
        costs.filter(|(_, bytes)| *bytes > 0).collect()
    }

    /// What the streams of each caller cost in the others.
    pub(in super::super) fn set_costs_elsewhere(&self, costs: &HashMap<Option<Arc<str>>, usize>) {
        self.total.set_elsewhere(costs.values().sum());
        let mut known = self.known();
        known.callers.values().for_each(|account| account.set_elsewhere(0));
        for (caller, bytes) in costs {
            known.callers.entry(caller.clone()).or_default().set_elsewhere(*bytes);
        }
    }

    /// Copies of streams that go on.
    pub(in super::super) fn growing_copies(&self) -> Vec<Arc<StreamLog>> {
        self.known().copies.growing()
    }

    /// What their producers are to be told of their readers.
    pub(in super::super) fn words_of_readers(&self) -> Vec<(StreamId, String, usize)> {
        self.known().copies.words_of_readers()
    }

    /// There are originals of these copies.
    pub(in super::super) fn note_alive(&self, ids: impl Iterator<Item = StreamId>) {
        self.known().copies.note_seen(ids);
    }

    /// To be called when a copy has grown: forgets those that nobody reads, and if that is not enough its beginning.
    pub(in super::super) fn keep_copies_within_limits(&self, copy: &StreamLog) {
        let is_over = |accounts: &Accounts| accounts.total.bytes() > copy.about().limits.max_total_bytes;
        while is_over(&copy.accounts) && self.known().copies.drop_idle() {}
        copy.forget_while(is_over);
    }
}
