//! How many requests a target has in flight, and who waits for one of them to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// The requests in flight at one target, from all workers and under all configurations.
#[derive(Debug, Default)]
pub struct Capacity {
    in_flight: AtomicUsize,
    waiting: AtomicUsize,
    /// Wakes who has waited longest.
    freed: Notify,
}

/// What a configuration allows at a target.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests in flight at a time.
    pub max_in_flight: Option<usize>,
    /// Requests that wait at a time.
    pub max_queue: usize,
    /// How long each of them waits.
    pub queue_timeout: Duration,
}

impl Limits {
    /// Any number of requests.
    pub const NONE: Self = Self { max_in_flight: None, max_queue: 0, queue_timeout: Duration::ZERO };
}

/// Why there is no place at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// As many wait as may.
    QueueFull,
    /// None was given up in time.
    QueueTimeout,
}

/// A place at a target, given up when dropped.
#[derive(Debug, Default)]
pub struct Permit(Option<Arc<Capacity>>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(capacity) = &self.0 {
            capacity.in_flight.fetch_sub(1, Ordering::SeqCst);
            // Whoever joins the queue counts itself first and then looks for a place. So either it is seen here, or it sees
            // the place that has just become free.
            if capacity.waiting.load(Ordering::SeqCst) > 0 {
                capacity.freed.notify_one();
            }
        }
    }
}

/// A place in the queue, given up when dropped: a client that leaves leaves no trace.
struct Waiting<'a>(&'a Capacity);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Capacity {
    /// How many requests are in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A place, if there is one that nobody waits for.
    pub(super) fn try_enter(self: &Arc<Self>, limits: &Limits) -> Option<Permit> {
        let is_in = match limits.max_in_flight {
            None => self.take(usize::MAX),
            Some(limit) => self.waiting() == 0 && self.take(limit),
        };
        is_in.then(|| self.permit())
    }

    /// A place, at once or after a wait in the queue; first come, first served.
    pub(super) async fn enter(self: &Arc<Self>, limits: &Limits) -> Result<Permit, NoRoom> {
        if let Some(permit) = self.try_enter(limits) {
            return Ok(permit);
        }
        let limit = limits.max_in_flight.unwrap_or(usize::MAX);
        let _waiting = self.queue(limits.max_queue).ok_or(NoRoom::QueueFull)?;
        match tokio::time::timeout(limits.queue_timeout, self.turn(limit)).await {
            Ok(()) => Ok(self.permit()),
            Err(_) => Err(NoRoom::QueueTimeout),
        }
    }

    /// Waits for a place and takes it.
    async fn turn(&self, limit: usize) {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if self.take(limit) {
                return;
            }
            freed.await;
        }
    }

    fn take(&self, limit: usize) -> bool {
        let one_more = |in_flight: usize| (in_flight < limit).then_some(in_flight + 1);
        self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    fn queue(&self, max: usize) -> Option<Waiting<'_>> {
        let one_more = |waiting: usize| (waiting < max).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok().map(|_| Waiting(self))
    }

    /// The permit for a place that has been taken.
    fn permit(self: &Arc<Self>) -> Permit {
        Permit(Some(Arc::clone(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_in_flight: usize, max_queue: usize) -> Limits {
        Limits { max_in_flight: Some(max_in_flight), max_queue, queue_timeout: Duration::from_secs(1) }
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_waits_and_who_finds_no_place_to_wait_is_told() {
        let capacity = Arc::new(Capacity::default());
        let first = capacity.enter(&limits(1, 1)).await.unwrap();
        let second = tokio::spawn({
            let capacity = Arc::clone(&capacity);
            async move { capacity.enter(&limits(1, 1)).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert_eq!((capacity.in_flight(), capacity.waiting()), (1, 1));
        assert_eq!(capacity.enter(&limits(1, 1)).await.map(drop), Err(NoRoom::QueueFull));
        drop(first);
        assert_eq!(second.await.unwrap(), Ok(()));
        assert_eq!((capacity.in_flight(), capacity.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_or_leaves_the_queue_leaves_no_trace() {
        let capacity = Arc::new(Capacity::default());
        let first = capacity.enter(&limits(1, 2)).await.unwrap();
        assert_eq!(capacity.enter(&limits(1, 2)).await.map(drop), Err(NoRoom::QueueTimeout));
        let one_more = limits(1, 2);
        let mut leaving = Box::pin(capacity.enter(&one_more));
        assert!(poll_once(leaving.as_mut()).is_none());
        assert_eq!(capacity.waiting(), 1);
        // Woken, and gone before it takes its place: the next one is to have it.
        let mut staying = Box::pin(capacity.enter(&one_more));
        assert!(poll_once(staying.as_mut()).is_none());
        drop(first);
        drop(leaving);
        let place = staying.await.unwrap();
        assert_eq!((capacity.in_flight(), capacity.waiting()), (1, 0));
        drop(place);
        assert_eq!(capacity.in_flight(), 0);
    }

    #[tokio::test]
    async fn many_that_come_and_go_are_never_more_than_may_and_none_is_forgotten() {
        let capacity = Arc::new(Capacity::default());
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let capacity = Arc::clone(&capacity);
            tasks.spawn(async move {
                let place = capacity.enter(&limits(3, 1000)).await.unwrap();
                assert!(capacity.in_flight() <= 3);
                tokio::task::yield_now().await;
                drop(place);
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!((capacity.in_flight(), capacity.waiting()), (0, 0));
    }

    /// Polls once.
    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
