//! What a process looks like from outside, again and again.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::process::Family;
use crate::stats::slope;

/// One look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub at: Instant,
    pub memory_kib: f64,
    pub cpu_ms: f64,
    pub files: u64,
    pub threads: u64,
    /// Whatever the run counts, as it was at the same moment.
    pub count: u64,
}

impl Look {
    pub fn now(family: &Family, count: u64) -> io::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            memory_kib: family.memory_kib()? as f64,
            cpu_ms: family.cpu_ns()? as f64 / 1e6,
            files: family.files()?,
            threads: family.threads()?,
            count,
        })
    }

    pub fn seconds_since(&self, start: Instant) -> f64 {
        (self.at - start).as_secs_f64()
    }
}

/// All looks of a time, in their order.
pub type Looks = Rc<RefCell<Vec<Look>>>;

/// Looks at `family` every so often, for ever. `count` is noted with each look.
pub async fn watch(family: Family, every: Duration, looks: Looks, count: impl Fn() -> u64) -> io::Result<()> {
    let mut next = Instant::now();
    loop {
        looks.borrow_mut().push(Look::now(&family, count())?);
        next += every;
        sleep_until(next).await;
    }
}

/// How memory grows, in KiB per minute, by least squares.
pub fn growth(looks: &[Look]) -> f64 {
    let Some(first) = looks.first() else { return 0.0 };
    let points: Vec<_> = looks.iter().map(|look| (look.seconds_since(first.at) / 60.0, look.memory_kib)).collect();
    slope(&points).unwrap_or(0.0)
}

/// CPU time between two looks, in milliseconds per second.
pub fn cpu_rate(from: &Look, to: &Look) -> f64 {
    (to.cpu_ms - from.cpu_ms) / (to.at - from.at).as_secs_f64()
}
