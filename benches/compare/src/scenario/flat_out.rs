//! Streams that never pause: how many tokens the proxy moves with all of one core.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Bench, Mark};
use crate::client::Client;
use crate::http::bad;
use crate::script::Script;
use crate::stats::Sample;

const STREAMS: usize = 32;
const WARM_UP: Duration = Duration::from_millis(500);
const BREAK: Duration = Duration::from_millis(2);

pub async fn run(bench: &Bench) -> io::Result<Vec<Sample>> {
    let seen = Rc::new(Cell::new(0));
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        streams.spawn_local(stream(bench.target, Rc::clone(&seen)));
    }

    streams.spawn_local(read_in_batches());

    broken_within(&mut streams, WARM_UP).await?;
    let (begin, before) = (Mark::now(bench)?, seen.get());
    broken_within(&mut streams, bench.size.flat_out).await?;
    let (end, after) = (Mark::now(bench)?, seen.get());
    streams.shutdown().await;
    // The upstream has to notice, before the next subject meets it.
    sleep(Duration::from_millis(100)).await;

    let (span, tokens) = (begin.to(&end), (after - before) as f64);
    let rate = Sample::new("flat_rate", tokens / span.seconds).at_least(!span.saturated());
    let generator = span.generator_cpu / span.seconds / bench.generator.cores as f64;
    let mut samples = vec![rate, Sample::new("flat_generator", generator * 100.0)];
    if bench.proxy.is_some() {
        let proxy = span.proxy_cpu / span.seconds;
        samples.push(Sample::new("flat_proxy", proxy * 100.0));
        samples.push(Sample::new("flat_per_cpu", tokens / span.proxy_cpu));
    }
    Ok(samples)
}

/// Lets time pass in which no stream may end.
async fn broken_within(streams: &mut JoinSet<io::Result<()>>, time: Duration) -> io::Result<()> {
    match timeout(time, streams.join_next()).await {
        Err(_) => Ok(()),
        Ok(None) => Err(bad("no streams")),
        Ok(Some(ended)) => ended?.and(Err(bad("a stream ended early"))),
    }
}

/// Stops the whole load for a moment, again and again. If it read each token as it came, it
/// would take the core from the upstream thousands of times per second, and the proxy would
/// wait for the generator; no delays are measured here, so it may as well read late.
async fn read_in_batches() -> io::Result<()> {
    loop {
        std::thread::sleep(BREAK);
        tokio::task::yield_now().await;
    }
}

async fn stream(target: SocketAddr, seen: Rc<Cell<u64>>) -> io::Result<()> {
    let script = Script {
        tokens: 99_999_999,
        ..Script::default()
    };
    let mut client = Client::connect(target).await?;
    client.ask(&script, |_| seen.set(seen.get() + 1)).await.map(|_| ())
}
