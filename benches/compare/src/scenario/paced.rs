//! Fifty answers at the pace of a model: what a token costs, and how late it comes.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Bench, Mark};
use crate::client::Client;
use crate::script::Script;
use crate::stats::{Sample, percentiles};

const STREAMS: u32 = 50;
const INTERVAL: Duration = Duration::from_millis(20);
/// Time for the connections to be made, before and after what is measured.
const MARGIN: Duration = Duration::from_millis(400);

pub async fn run(bench: &Bench) -> io::Result<Vec<Sample>> {
    let seen = Rc::new(Cell::new(0));
    let tokens = ((bench.size.paced + 2 * MARGIN).as_micros() / INTERVAL.as_micros()) as u64;
    let mut streams = JoinSet::new();
    for number in 0..STREAMS {
        let script = Script {
            tokens,
            interval: INTERVAL,
            // Evenly spread, as if by chance: never two tokens at one time.
            first_delay: INTERVAL * number / STREAMS + Duration::from_millis(1),
            ..Script::default()
        };
        streams.spawn_local(stream(bench.target, script, Rc::clone(&seen)));
    }

    sleep(MARGIN).await;
    let (begin, before) = (Mark::now(bench)?, seen.get());
    sleep(bench.size.paced).await;
    let (end, after) = (Mark::now(bench)?, seen.get());

    let mut delays = Vec::new();
    while let Some(stream) = streams.join_next().await {
        let inside = |&(arrived_at, _): &_| (begin.at..end.at).contains(&arrived_at);
        delays.extend(stream??.into_iter().filter(inside).map(|(_, delay)| delay));
    }
    let mut samples = percentiles(delays, "paced_p50", "paced_p99");
    if bench.proxy.is_some() {
        let (span, tokens) = (begin.to(&end), (after - before) as f64);
        samples.push(Sample::new("paced_cpu", span.proxy_cpu / tokens * 1e6));
        if bench.redis.is_some() {
            samples.push(Sample::new("paced_redis_cpu", span.redis_cpu / tokens * 1e6));
        }
    }
    Ok(samples)
}

/// Reads one whole answer; returns arrival and delay of each token.
async fn stream(target: SocketAddr, script: Script, seen: Rc<Cell<u64>>) -> io::Result<Vec<(u64, u64)>> {
    let mut tokens = Vec::with_capacity(script.tokens as usize);
    let mut client = Client::connect(target).await?;
    client
        .ask(&script, |token| {
            seen.set(seen.get() + 1);
            tokens.push((token.arrived_at, token.delay()));
        })
        .await?;
    Ok(tokens)
}
