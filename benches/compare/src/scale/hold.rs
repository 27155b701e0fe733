//! Opens the streams, holds them, ends them.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Args;
use crate::client::Client;
use crate::http::bad;
use crate::process::Family;
use crate::script::Script;
use crate::upstream::{Record, Upstream};
use crate::watch::{Look, Looks, watch};

/// Connections per source address, far from its some 28,000 ports.
const PER_SOURCE: usize = 4096;
/// At most so many are opened per second.
const OPEN_RATE: usize = 500;
const LOOK: Duration = Duration::from_secs(5);
/// What a proxy sets up once, it sets up in this time.
const WARM_UP: Duration = Duration::from_secs(30);
/// For what is late when it ought to come.
const GRACE: Duration = Duration::from_secs(30);

/// What was seen.
pub struct Held {
    pub streams: usize,
    pub before: Look,
    /// From when all streams were open until they were told to end.
    pub looks: Vec<Look>,
    /// How many of `looks` are not counted as holding.
    pub warm_up: usize,
    pub after: Look,
    pub sent: u64,
    pub received: u64,
    pub broken: Vec<String>,
    /// The kernel's memory for objects and for queued bytes, before and with all streams.
    pub kernel: [Kernel; 2],
}

/// What all streams have in common.
#[derive(Default)]
struct Shared {
    records: RefCell<Vec<Rc<Record>>>,
    received: Cell<u64>,
    broken: RefCell<Vec<String>>,
}

impl Shared {
    fn sent(&self) -> u64 {
        self.records.borrow().iter().map(|record| record.tokens.get()).sum()
    }
}

pub async fn hold(args: &Args, target: SocketAddr, upstream: &Upstream, family: Family) -> io::Result<Held> {
    sleep(Duration::from_secs(1)).await;
    let shared = Rc::new(Shared::default());
    let (before, unloaded) = (Look::now(&family, 0)?, Kernel::now()?);
    let mut streams = open(args, target, upstream, &shared).await?;
    let loaded = Kernel::now()?;

    let looks = Looks::default();
    let counted = Rc::clone(&shared);
    let watching =
        tokio::task::spawn_local(watch(family.clone(), LOOK, Rc::clone(&looks), move || counted.received.get()));
    let lasting = timeout(args.hold + warm_up(args), streams.join_next()).await;
    watching.abort();
    if lasting.is_ok() {
        shared.broken.borrow_mut().push("a stream ended before its time".to_owned());
    }
    end(&mut streams, &shared, args.interval).await;
    sleep(Duration::from_secs(1)).await;
    let looks = looks.take();
    Ok(Held {
        streams: args.streams,
        before,
        warm_up: (warm_up(args).as_secs() / LOOK.as_secs()) as usize,
        looks,
        after: Look::now(&family, shared.received.get())?,
        sent: shared.sent(),
        received: shared.received.get(),
        broken: shared.broken.take(),
        kernel: [unloaded, loaded],
    })
}

fn warm_up(args: &Args) -> Duration {
    WARM_UP.min(args.hold / 3)
}

/// Opens the streams one after the other within a whole number of intervals. As each speaks at once and
/// then at every interval, their tokens come evenly spread.
async fn open(args: &Args, target: SocketAddr, upstream: &Upstream, shared: &Rc<Shared>) -> io::Result<JoinSet<()>> {
    let seconds = args.streams.div_ceil(OPEN_RATE) as u64;
    let intervals = seconds.div_ceil(args.interval.as_secs()) as u32;
    let begin = Instant::now();
    let mut streams = JoinSet::new();
    for number in 0..args.streams {
        sleep_until(begin + (args.interval * intervals).mul_f64(number as f64 / args.streams as f64)).await;
        let (upstream, shared, interval) = (upstream.clone(), Rc::clone(shared), args.interval);
        streams.spawn_local(async move {
            if let Err(error) = stream(number, interval, target, &upstream, &shared).await {
                shared.broken.borrow_mut().push(format!("stream {number}: {error}"));
            }
        });
    }
    let all_open = async {
        while shared.records.borrow().len() < args.streams {
            sleep(Duration::from_millis(100)).await;
        }
    };
    match timeout(GRACE, all_open).await {
        Ok(()) => Ok(streams),
        Err(_) => {
            let broken = shared.broken.borrow();
            let first = broken.first().map_or("", String::as_str);
            Err(bad(format!("only {} streams opened: {first}", shared.records.borrow().len())))
        }
    }
}

/// One stream from its request to its last event, every token checked.
async fn stream(
    number: usize,
    interval: Duration,
    target: SocketAddr,
    upstream: &Upstream,
    shared: &Shared,
) -> io::Result<()> {
    let host = u8::try_from(2 + number / PER_SOURCE).map_err(|_| bad("too many streams"))?;
    let id = number as u64 + 1;
    let script = Script { id, tokens: u64::MAX, interval, first_delay: Duration::from_micros(1), ..Script::default() };
    let mut client = Client::connect_from(Ipv4Addr::new(127, 0, 0, host), target).await?;
    client.send(&script).await?;
    let mut answer = client.answer().await?;
    let record = upstream.record(id).await?;
    shared.records.borrow_mut().push(Rc::clone(&record));
    let mut arrived = |_| shared.received.set(shared.received.get() + 1);
    while answer.read(&mut client, &mut arrived).await? {}
    answer.expect_whole(record.tokens.get())
}

/// Each stream ends where its next token would have been.
async fn end(streams: &mut JoinSet<()>, shared: &Shared, interval: Duration) {
    for record in shared.records.borrow().iter() {
        record.over.set(true);
    }
    let all = async { while streams.join_next().await.is_some() {} };
    if timeout(interval + GRACE, all).await.is_err() {
        let what = format!("{} streams did not end", streams.len());
        shared.broken.borrow_mut().push(what);
    }
}

/// What the kernel holds for the whole machine, in KiB.
#[derive(Clone, Copy)]
pub struct Kernel {
    /// Sockets and all that belongs to them, among everything else.
    pub slab: f64,
    /// Bytes queued in TCP sockets, with what is reserved for more.
    pub queued: f64,
}

impl Kernel {
    fn now() -> io::Result<Self> {
        let number = |file: &str, line: &str, name: &str| {
            let text = std::fs::read_to_string(file)?;
            let line = text.lines().find(|text| text.starts_with(line)).unwrap_or_default();
            let mut words = line.split_ascii_whitespace().skip_while(|word| *word != name);
            words.nth(1).and_then(|word| word.parse::<f64>().ok()).ok_or_else(|| bad(format!("bad {file}")))
        };
        let page = rustix::param::page_size() as f64 / 1024.0;
        Ok(Self {
            slab: number("/proc/meminfo", "Slab:", "Slab:")?,
            queued: number("/proc/net/sockstat", "TCP:", "mem")? * page,
        })
    }
}
