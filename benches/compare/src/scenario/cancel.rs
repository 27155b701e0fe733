//! Clients that leave: from their close to the upstream seeing its connection closed.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Bench, next_id};
use crate::client::Client;
use crate::clock::now_ns;
use crate::http::bad;
use crate::script::Script;
use crate::stats::{Sample, percentiles};
use crate::upstream::{Record, Upstream, wait_for};

/// Few enough that they do not wait for each other.
const LANES: usize = 4;

#[derive(Clone, Copy)]
enum Phase {
    /// The upstream has the request, and has not answered yet.
    BeforeFirst,
    /// Two tokens came, the next is not due for long.
    BetweenTokens,
}

pub async fn run(bench: &Bench) -> io::Result<Vec<Sample>> {
    let first = delays(bench, Phase::BeforeFirst).await?;
    let between = delays(bench, Phase::BetweenTokens).await?;
    let mut samples = percentiles(first, "cancel_first_p50", "cancel_first_p99");
    samples.extend(percentiles(between, "cancel_mid_p50", "cancel_mid_p99"));
    Ok(samples)
}

async fn delays(bench: &Bench, phase: Phase) -> io::Result<Vec<u64>> {
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let count = bench.size.cancels / LANES;
        lanes.spawn_local(lane(bench.target, bench.upstream.clone(), phase, count));
    }
    let mut delays = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        delays.extend(lane??);
    }
    Ok(delays)
}

async fn lane(target: SocketAddr, upstream: Upstream, phase: Phase, count: usize) -> io::Result<Vec<u64>> {
    let mut delays = Vec::with_capacity(count);
    for number in 0..count {
        let (client, record) = open(target, &upstream, phase).await?;
        // Not always at the same time after the last thing that happened.
        sleep(Duration::from_millis(1 + number as u64 % 4)).await;
        let left_at = now_ns();
        drop(client);
        let closed_at = wait_for("the close", || record.closed_at.get()).await?;
        delays.push(closed_at.saturating_sub(left_at));
    }
    Ok(delays)
}

async fn open(target: SocketAddr, upstream: &Upstream, phase: Phase) -> io::Result<(Client, Rc<Record>)> {
    let mut script = Script {
        id: next_id(),
        tokens: 1000,
        interval: Duration::from_millis(20),
        first_delay: Duration::from_micros(1),
        ..Script::default()
    };
    if let Phase::BeforeFirst = phase {
        script.first_delay = Duration::from_secs(60);
    }
    let mut client = Client::connect(target).await?;
    client.send(&script).await?;
    if let Phase::BetweenTokens = phase {
        let mut answer = client.answer().await?;
        while answer.tokens() < 2 {
            if !answer.read(&mut client, |_| {}).await? {
                return Err(bad("answer ended after fewer than two tokens"));
            }
        }
    }
    Ok((client, upstream.record(script.id).await?))
}
