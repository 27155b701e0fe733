//! A clock that is moved by hand, so that no unit depends on how long another one took.

use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard};

/// Stops tokio's clock, and lets timers be made, until what it returns is dropped.
pub(super) fn stop() -> EnterGuard<'static> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("no socket is needed");
    // It lasts as long as the process: a unit that owned it could not be inside it.
    Box::leak(Box::new(runtime)).enter()
}

/// Moves the stopped clock.
pub(super) fn advance(time: Duration) {
    // The first poll moves it; the rest would give other tasks a turn.
    let _ = std::pin::pin!(tokio::time::advance(time)).poll(&mut Context::from_waker(Waker::noop()));
}
