//! The scenarios: each one load on one subject, measured from outside.

mod cancel;
mod held;
mod paced;
mod saturated;
mod short;
mod ttft;
mod unread;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::now_ns;
use crate::http::bad;
use crate::process::Family;
use crate::stats::Sample;
use crate::upstream::Upstream;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scenario {
    Paced,
    Short,
    Ttft,
    OneAhead,
    FlatOut,
    Cancel,
    Held,
    Unread,
}

pub const ALL: &[(&str, Scenario)] = &[
    ("paced", Scenario::Paced),
    ("short", Scenario::Short),
    ("ttft", Scenario::Ttft),
    ("one-ahead", Scenario::OneAhead),
    ("flat-out", Scenario::FlatOut),
    ("cancel", Scenario::Cancel),
    ("held", Scenario::Held),
    ("unread", Scenario::Unread),
];

/// How much of everything.
#[derive(Clone, Debug)]
pub struct Size {
    pub paced: Duration,
    pub saturated: Duration,
    pub short: Duration,
    pub requests: usize,
    pub cancels: usize,
    pub held: usize,
    pub settle: Duration,
}

/// One subject under load.
pub struct Bench {
    pub target: SocketAddr,
    pub upstream: Upstream,
    /// `None` on the direct way.
    pub proxy: Option<Family>,
    /// The `redis-server` that the proxy keeps its streams in.
    pub redis: Option<Family>,
    pub size: Size,
}

impl Scenario {
    pub async fn run(self, bench: &Bench) -> io::Result<Vec<Sample>> {
        // Far more than any needs: an end for a proxy that hangs.
        let limit = Duration::from_secs(60) + bench.size.paced + bench.size.saturated;
        let result = match self {
            Self::Paced => timeout(limit, paced::run(bench)).await,
            Self::Short => timeout(limit, short::run(bench)).await,
            Self::Ttft => timeout(limit, ttft::run(bench)).await,
            Self::OneAhead => timeout(limit, saturated::run(bench, &saturated::ONE_AHEAD)).await,
            Self::FlatOut => timeout(limit, saturated::run(bench, &saturated::FLAT_OUT)).await,
            Self::Cancel => timeout(limit, cancel::run(bench)).await,
            Self::Held => timeout(limit, held::run(bench)).await,
            Self::Unread => timeout(limit, unread::run(bench)).await,
        };
        result.unwrap_or_else(|_| Err(bad(format!("not done within {limit:?}"))))
    }

    /// Whether there is anything to measure without a proxy.
    pub fn has_direct(self) -> bool {
        self != Self::Held
    }
}

/// Numbers for requests that the upstream is to record.
pub fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// Time and CPU time at one moment.
struct Mark {
    at: u64,
    proxy: u64,
    redis: u64,
    generator: u64,
}

/// What lies between two marks.
struct Span {
    seconds: f64,
    proxy_cpu: f64,
    redis_cpu: f64,
    generator_cpu: f64,
}

impl Mark {
    fn now(bench: &Bench) -> io::Result<Self> {
        let cpu = |family: &Option<Family>| family.as_ref().map_or(Ok(0), Family::cpu_ns);
        Ok(Self {
            at: now_ns(),
            proxy: cpu(&bench.proxy)?,
            redis: cpu(&bench.redis)?,
            generator: Family::this_process().cpu_ns()?,
        })
    }

    fn to(&self, end: &Self) -> Span {
        let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e9;
        Span {
            seconds: seconds(self.at, end.at),
            proxy_cpu: seconds(self.proxy, end.proxy),
            redis_cpu: seconds(self.redis, end.redis),
            generator_cpu: seconds(self.generator, end.generator),
        }
    }
}

impl Span {
    /// Whether the proxy had all its core could give. If not, the generator was the limit.
    fn saturated(&self) -> bool {
        self.proxy_cpu > 0.95 * self.seconds
    }
}
