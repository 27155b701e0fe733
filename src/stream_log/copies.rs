//! Copies of streams that other replicas produce.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::StreamLog;
use super::id::StreamId;

/// How long a copy is kept that nobody reads.
const IDLE: Duration = Duration::from_secs(10);
/// How long readers wait for more of a stream whose original cannot be seen.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a producer is told that it has readers here.
const REPEAT: Duration = Duration::from_secs(1);

/// All copies in this process, by name.
#[derive(Debug, Default)]
pub(super) struct Copies(HashMap<StreamId, Copy>);

#[derive(Debug)]
struct Copy {
    log: Arc<StreamLog>,
    producer: String,
    /// When somebody read it last, and when there was an original last.
    used: Instant,
    seen: Instant,
    /// How many readers its producer was told of, and when.
    told: Option<(usize, Instant)>,
}

impl Copies {
    pub(super) fn get(&self, id: StreamId) -> Option<Arc<StreamLog>> {
        self.0.get(&id).map(|copy| Arc::clone(&copy.log))
    }

    /// Who produces the stream called `id`, if there is a copy of it.
    pub(super) fn producer(&self, id: StreamId) -> Option<String> {
        self.0.get(&id).map(|copy| copy.producer.clone())
    }

    /// Keeps `log`, which `producer` writes, unless there is one already; returns the one that is kept.
    pub(super) fn insert(&mut self, log: StreamLog, producer: String) -> Arc<StreamLog> {
        let now = Instant::now();
        let copy = self.0.entry(log.id()).or_insert_with(|| {
            let log = Arc::new(log);
            Copy { log, producer, used: now, seen: now, told: None }
        });
        copy.used = now;
        Arc::clone(&copy.log)
    }

    /// Those that may grow.
    pub(super) fn growing(&self) -> Vec<Arc<StreamLog>> {
        self.0.values().filter(|copy| copy.log.ended().is_none()).map(|copy| Arc::clone(&copy.log)).collect()
    }

    pub(super) fn note_seen(&mut self, ids: impl Iterator<Item = StreamId>) {
        let now = Instant::now();
        for id in ids {
            if let Some(copy) = self.0.get_mut(&id) {
                copy.seen = now;
            }
        }
    }

    /// What producers are to be told of their readers here: which stream, whose, how many.
    pub(super) fn words_of_readers(&mut self) -> Vec<(StreamId, String, usize)> {
        let mut words = Vec::new();
        for copy in self.0.values_mut().filter(|copy| copy.log.ended().is_none()) {
            let readers = copy.log.seats.here();
            let is_news = match copy.told {
                None => readers > 0,
                Some((told, at)) => told != readers || (readers > 0 && at.elapsed() >= REPEAT),
            };
            if is_news {
                copy.told = Some((readers, Instant::now()));
                words.push((copy.log.id(), copy.producer.clone(), readers));
            }
        }
        words
    }

    /// Drops those that nobody reads, and ends the readers of those that have no original.
    pub(super) fn sweep(&mut self) {
        self.0.retain(|_, copy| {
            if copy.log.seats.here() > 0 {
                copy.used = Instant::now();
            }
            let is_lost = copy.log.ended().is_none() && copy.seen.elapsed() > PATIENCE;
            if is_lost {
                copy.log.cut();
            }
            !is_lost && copy.used.elapsed() <= IDLE
        });
    }

    /// Drops one that nobody reads, to make room; false if all are read.
    pub(super) fn drop_idle(&mut self) -> bool {
        let idle = self.0.values().filter(|copy| copy.log.seats.here() == 0).min_by_key(|copy| copy.used);
        let Some(id) = idle.map(|copy| copy.log.id()) else { return false };
        self.0.remove(&id).is_some()
    }

    pub(super) fn remove(&mut self, id: StreamId) {
        self.0.remove(&id);
    }
}
