//! Answers of one token, one after the other on connections that stay: the cost of a request.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Bench, Mark};
use crate::client::Client;
use crate::script::Script;
use crate::stats::Sample;

const CONNECTIONS: usize = 32;
const WARM_UP: Duration = Duration::from_millis(300);

pub async fn run(bench: &Bench) -> io::Result<Vec<Sample>> {
    let answered = Rc::new(Cell::new(0));
    let until = Instant::now() + WARM_UP + bench.size.short + Duration::from_millis(50);
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn_local(connection(bench.target, until, Rc::clone(&answered)));
    }

    sleep(WARM_UP).await;
    let (begin, before) = (Mark::now(bench)?, answered.get());
    sleep(bench.size.short).await;
    let (end, after) = (Mark::now(bench)?, answered.get());
    while let Some(connection) = connections.join_next().await {
        connection??;
    }

    let (span, requests) = (begin.to(&end), (after - before) as f64);
    let rate = Sample::new("short_rate", requests / span.seconds).at_least(!span.saturated());
    let mut samples = vec![rate];
    if bench.proxy.is_some() {
        samples.push(Sample::new("short_cpu", span.proxy_cpu * 1e6 / requests));
    }
    Ok(samples)
}

async fn connection(target: SocketAddr, until: Instant, answered: Rc<Cell<u64>>) -> io::Result<()> {
    let script = Script { tokens: 1, ..Script::default() };
    let mut client = Client::connect(target).await?;
    while Instant::now() < until {
        client.ask(&script, |_| {}).await?;
        answered.set(answered.get() + 1);
    }
    Ok(())
}
