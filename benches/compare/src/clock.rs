//! One clock for all processes of the benchmark, and a timer finer than the runtime's.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, Interval, interval_at};

/// `CLOCK_MONOTONIC` in nanoseconds: the same clock in every process of a machine,
/// so that a time written by the upstream can be compared with one read by the load.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// A periodic timer.
///
/// The runtime's own timers are rounded to whole milliseconds: fifty streams would then
/// speak in chorus, and a proxy could take several tokens per wake-up. So the kernel's are used,
/// but for long intervals: beside a second a millisecond is nothing, and thousands of streams
/// cannot afford another file each.
pub enum Pacer {
    Fine(AsyncFd<OwnedFd>),
    Coarse(Interval),
}

const LONG: Duration = Duration::from_secs(1);

impl Pacer {
    pub fn new(first: Duration, every: Duration) -> io::Result<Self> {
        if every >= LONG {
            return Ok(Self::Coarse(interval_at(Instant::now() + first, every)));
        }
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let times = Itimerspec {
            // A first expiry of zero would disarm the timer.
            it_value: timespec(first.max(Duration::from_nanos(1))),
            it_interval: timespec(every),
        };
        timerfd_settime(&fd, TimerfdTimerFlags::empty(), &times)?;
        #[expect(deprecated, reason = "an OwnedFd stays what it is; `register` would be unsafe")]
        Ok(Self::Fine(AsyncFd::new(fd)?))
    }

    /// Waits for the timer; returns how often it has expired since the last call.
    pub async fn tick(&mut self) -> io::Result<u64> {
        match self {
            Self::Fine(fd) => expiries(fd).await,
            Self::Coarse(interval) => {
                interval.tick().await;
                Ok(1)
            }
        }
    }
}

async fn expiries(timer: &AsyncFd<OwnedFd>) -> io::Result<u64> {
    loop {
        let mut guard = timer.readable().await?;
        let mut count = [0; 8];
        match guard.try_io(|fd| Ok(rustix::io::read(fd, &mut count)?)) {
            Ok(read) => return read.map(|_| u64::from_ne_bytes(count)),
            Err(_would_block) => continue,
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}
