//! What is still to be written down, in the order in which it came up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::super::StreamLog;
use super::super::id::StreamId;

/// How many streams are written in one pipeline.
pub(super) const BATCH: usize = 256;

/// What is to be written.
#[derive(Default)]
pub(super) struct Queue {
    work: Mutex<VecDeque<Work>>,
    more: Notify,
    /// What could not be forgotten when it should have been.
    unforgotten: Mutex<Vec<StreamId>>,
}

pub(super) enum Work {
    Write(Arc<StreamLog>),
    Forget(StreamId),
}

impl Queue {
    /// `log` has something to be written. Nobody waits for one that is not awaited: it is caught up with later.
    pub(super) fn note(&self, log: &Arc<StreamLog>) {
        if log.is_to_be_queued() {
            self.push(Work::Write(Arc::clone(log)));
        }
    }

    pub(super) fn forget(&self, id: StreamId) {
        self.push(Work::Forget(id));
    }

    pub(super) fn forget_later(&self, id: StreamId) {
        self.unforgotten.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    pub(super) fn take_unforgotten(&self) -> Vec<Work> {
        let mut ids = self.unforgotten.lock().unwrap_or_else(PoisonError::into_inner);
        ids.drain(..).map(Work::Forget).collect()
    }

    fn push(&self, work: Work) {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).push_back(work);
        self.more.notify_one();
    }

    /// Waits for work, and takes as much as goes out at once.
    pub(super) async fn take(&self) -> Vec<Work> {
        loop {
            let work: Vec<Work> = {
                let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
                let count = work.len().min(BATCH);
                work.drain(..count).collect()
            };
            if !work.is_empty() {
                return work;
            }
            self.more.notified().await;
        }
    }
}
