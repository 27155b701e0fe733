//! What streams cost, by whom it is caused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all the streams of one caller, or of all, cost, in bytes.
#[derive(Debug, Default)]
pub(super) struct Account {
    here: AtomicUsize,
    /// What other replicas have told last.
    elsewhere: AtomicUsize,
}

impl Account {
    /// What they cost in all replicas.
    pub(super) fn bytes(&self) -> usize {
        self.here().saturating_add(self.elsewhere.load(Ordering::Relaxed))
    }

    /// What they cost in this process.
    pub(super) fn here(&self) -> usize {
        self.here.load(Ordering::Relaxed)
    }

    /// They cost so much in other replicas.
    pub(super) fn set_elsewhere(&self, bytes: usize) {
        self.elsewhere.store(bytes, Ordering::Relaxed);
    }
}

/// The accounts that a stream is charged to.
#[derive(Debug, Clone, Default)]
pub(super) struct Accounts {
    pub(super) caller: Arc<Account>,
    pub(super) total: Arc<Account>,
}

impl Accounts {
    /// What cost `before` costs `now`.
    pub(super) fn charge(&self, before: usize, now: usize) {
        for account in [&self.caller, &self.total] {
            account.here.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        }
    }
}
