//! The streams that are produced in this process: by name, by caller, and in the order in which they ended.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::time::Instant;

use super::super::StreamLog;
use super::super::id::StreamId;

/// Whose a stream is, by the name of the key; `None` where no key is needed.
type Owner = Option<Arc<str>>;

/// See the [module documentation](self). Beginning a stream and making room for it take no look at all the others.
#[derive(Debug, Default)]
pub(super) struct Produced {
    logs: HashMap<StreamId, Arc<StreamLog>>,
    /// Those that have ended, what ended first before what ended later.
    ended: BTreeSet<(Instant, StreamId)>,
    /// How many there are of each caller who has any.
    counts: HashMap<Owner, usize>,
}

impl Produced {
    pub(super) fn insert(&mut self, log: &Arc<StreamLog>) {
        *self.counts.entry(log.about().owner.clone()).or_default() += 1;
        self.logs.insert(log.id(), Arc::clone(log));
    }

    pub(super) fn get(&self, id: StreamId) -> Option<Arc<StreamLog>> {
        self.logs.get(&id).cloned()
    }

    pub(super) fn remove(&mut self, id: StreamId) -> Option<Arc<StreamLog>> {
        let log = self.logs.remove(&id)?;
        if let Some(at) = log.ended() {
            self.ended.remove(&(at, id));
        }
        let owner = &log.about().owner;
        if let Some(count) = self.counts.get_mut(owner) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(owner);
            }
        }
        Some(log)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<StreamLog>> {
        self.logs.values()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.logs.len()
    }

    /// How many of them are the caller's called `owner`.
    pub(super) fn count_of(&self, owner: &Owner) -> usize {
        self.counts.get(owner).copied().unwrap_or(0)
    }

    /// `log` has ended.
    pub(super) fn note_end(&mut self, log: &StreamLog) {
        // It may have been removed meanwhile.
        if let (Some(at), true) = (log.ended(), self.logs.contains_key(&log.id())) {
            self.ended.insert((at, log.id()));
        }
    }

    /// Removes the one that ended first of those that `counts` picks; `None` if none of them has ended.
    pub(super) fn remove_eldest(&mut self, counts: impl Fn(&StreamLog) -> bool) -> Option<Arc<StreamLog>> {
        let picked = self.ended.iter().find(|(_, id)| self.logs.get(id).is_some_and(|log| counts(log)));
        let (_, id) = *picked?;
        self.remove(id)
    }

    /// Removes those that ended so long ago that `is_expired` says so.
    pub(super) fn remove_expired(&mut self, is_expired: impl Fn(&StreamLog) -> bool) -> Vec<Arc<StreamLog>> {
        // Not only from the front: each has its own time.
        let expired = self.ended.iter().filter(|(_, id)| self.logs.get(id).is_some_and(|log| is_expired(log)));
        let expired: Vec<StreamId> = expired.map(|(_, id)| *id).collect();
        expired.into_iter().filter_map(|id| self.remove(id)).collect()
    }
}
