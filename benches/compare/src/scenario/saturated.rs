//! All that one core can move, in two ways that differ in what a proxy may take at a time.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Bench, Mark, next_id};
use crate::client::Client;
use crate::http::bad;
use crate::script::Script;
use crate::stats::Sample;
use crate::upstream::Upstream;

const WARM_UP: Duration = Duration::from_millis(500);

/// How the streams are fed, and the figures that come of it.
pub struct Way {
    streams: usize,
    window: u64,
    rate: &'static str,
    per_cpu: &'static str,
    proxy: &'static str,
    generator: &'static str,
}

/// A stream's next token comes when its last has arrived: every token has to be moved by
/// itself, and with many streams there is always one to be moved.
pub const ONE_AHEAD: Way = Way {
    streams: 200,
    window: 1,
    rate: "one_rate",
    per_cpu: "one_per_cpu",
    proxy: "one_proxy",
    generator: "one_generator",
};

/// Tokens as fast as the connections take them: they gather before whoever is slower, and
/// are moved in heaps.
pub const FLAT_OUT: Way = Way {
    streams: 32,
    window: 0,
    rate: "flat_rate",
    per_cpu: "flat_per_cpu",
    proxy: "flat_proxy",
    generator: "flat_generator",
};

pub async fn run(bench: &Bench, way: &Way) -> io::Result<Vec<Sample>> {
    let seen = Rc::new(Cell::new(0));
    let mut streams = JoinSet::new();
    for _ in 0..way.streams {
        let script = Script { id: next_id(), tokens: 99_999_999, window: way.window, ..Script::default() };
        let upstream = bench.upstream.clone();
        streams.spawn_local(stream(bench.target, script, upstream, Rc::clone(&seen)));
    }

    run_for(&mut streams, WARM_UP).await?;
    let (begin, before) = (Mark::now(bench)?, seen.get());
    run_for(&mut streams, bench.size.saturated).await?;
    let (end, after) = (Mark::now(bench)?, seen.get());
    streams.shutdown().await;
    // The upstream has to notice, before the next subject meets it.
    sleep(Duration::from_millis(100)).await;

    let (span, tokens) = (begin.to(&end), (after - before) as f64);
    let mut samples = vec![
        Sample::new(way.rate, tokens / span.seconds).at_least(!span.saturated()),
        Sample::new(way.generator, span.generator_cpu / span.seconds * 100.0),
    ];
    if bench.proxy.is_some() {
        samples.push(Sample::new(way.proxy, span.proxy_cpu / span.seconds * 100.0));
        samples.push(Sample::new(way.per_cpu, tokens / span.proxy_cpu));
    }
    Ok(samples)
}

/// Lets time pass in which no stream may end.
async fn run_for(streams: &mut JoinSet<io::Result<()>>, time: Duration) -> io::Result<()> {
    match timeout(time, streams.join_next()).await {
        Err(_) => Ok(()),
        Ok(None) => Err(bad("no streams")),
        Ok(Some(ended)) => ended?.and(Err(bad("a stream ended early"))),
    }
}

async fn stream(target: SocketAddr, script: Script, upstream: Upstream, seen: Rc<Cell<u64>>) -> io::Result<()> {
    let mut client = Client::connect(target).await?;
    client.send(&script).await?;
    let mut answer = client.answer().await?;
    let record = upstream.record(script.id).await?;
    let arrived = |_| {
        seen.set(seen.get() + 1);
        record.token_arrived();
    };
    while answer.read(&mut client, arrived).await? {}
    Ok(())
}
