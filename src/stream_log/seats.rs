//! How many read a stream, here and at other replicas.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long another replica's word counts. It is repeated each second.
const TRUSTED: Duration = Duration::from_secs(5);

/// The readers of one stream.
#[derive(Debug)]
pub(super) struct Seats {
    /// All of them.
    taken: watch::Sender<usize>,
    here: AtomicUsize,
    next_reader: AtomicU64,
    /// What other replicas have said last, and when.
    elsewhere: Mutex<HashMap<String, (usize, Instant)>>,
}

impl Default for Seats {
    fn default() -> Self {
        let (taken, here, elsewhere) = (watch::Sender::new(0), AtomicUsize::new(0), Mutex::default());
        Self { taken, here, next_reader: AtomicU64::new(1), elsewhere }
    }
}

impl Seats {
    /// A new reader, by its number, which is not zero.
    pub(super) fn join(&self) -> u64 {
        self.here.fetch_add(1, Ordering::Relaxed);
        self.taken.send_modify(|taken| *taken += 1);
        self.number()
    }

    /// A number that nobody else has.
    pub(super) fn number(&self) -> u64 {
        self.next_reader.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn leave(&self) {
        self.here.fetch_sub(1, Ordering::Relaxed);
        self.taken.send_modify(|taken| *taken -= 1);
    }

    /// All readers there are.
    pub(super) fn count(&self) -> usize {
        *self.taken.borrow()
    }

    /// Those in this process.
    pub(super) fn here(&self) -> usize {
        self.here.load(Ordering::Relaxed)
    }

    /// To be waited at for their number to change.
    pub(super) fn subscribe(&self) -> watch::Receiver<usize> {
        self.taken.subscribe()
    }

    /// The replica called `name` has so many readers of it.
    pub(super) fn set_elsewhere(&self, name: &str, readers: usize) {
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let before = elsewhere.remove(name).map_or(0, |(before, _)| before);
        if readers > 0 {
            elsewhere.insert(name.to_owned(), (readers, Instant::now()));
        }
        self.change(before, readers);
    }

    /// Forgets what has not been said again.
    pub(super) fn sweep(&self) {
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let silent: usize =
            elsewhere.extract_if(|_, (_, said)| said.elapsed() > TRUSTED).map(|(_, (readers, _))| readers).sum();
        self.change(silent, 0);
    }

    fn change(&self, before: usize, now: usize) {
        if before != now {
            self.taken.send_modify(|taken| *taken = *taken + now - before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_replica_says_counts_until_it_has_been_silent_for_too_long() {
        let seats = Seats::default();
        assert_eq!((seats.join(), seats.join()), (1, 2));
        seats.set_elsewhere("b", 3);
        seats.set_elsewhere("c", 1);
        seats.set_elsewhere("c", 2);
        assert_eq!((seats.count(), seats.here()), (7, 2));
        seats.leave();
        tokio::time::advance(TRUSTED / 2).await;
        seats.set_elsewhere("c", 0);
        seats.set_elsewhere("b", 4);
        tokio::time::advance(TRUSTED).await;
        seats.sweep();
        assert_eq!(seats.count(), 5, "it is trusted for so long");
        tokio::time::advance(TRUSTED).await;
        seats.sweep();
        assert_eq!(seats.count(), 1);
    }
}
