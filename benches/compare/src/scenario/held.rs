//! Streams that said one token and then nothing: what it costs to hold them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Bench, Mark};
use crate::client::Client;
use crate::http::bad;
use crate::script::Script;
use crate::stats::Sample;

/// How many are opened at a time, to stay far from any backlog.
const LANES: usize = 32;
/// Connections per source address, far from its some 28,000 ports.
const PER_SOURCE: usize = 4096;

pub async fn run(bench: &Bench) -> io::Result<Vec<Sample>> {
    let Some(proxy) = &bench.proxy else {
        return Ok(Vec::new());
    };
    warm_up(bench.target).await?;
    sleep(Duration::from_millis(200)).await;
    let idle = proxy.memory_kib()? as f64;

    let clients = open(bench.target, bench.size.held).await?;
    sleep(Duration::from_millis(500)).await;
    let held = proxy.memory_kib()? as f64;
    let begin = Mark::now(bench)?;
    sleep(bench.size.settle).await;
    let span = begin.to(&Mark::now(bench)?);
    let lost = clients.iter().filter(|client| !client.is_open()).count();
    if lost > 0 {
        return Err(bad(format!("{lost} of {} held streams lost", clients.len())));
    }

    let per_stream = (held - idle) / clients.len() as f64;
    Ok(vec![
        Sample::new("idle_mib", idle / 1024.0),
        Sample::new("held_kib", per_stream),
        Sample::new("held_cpu", span.proxy_cpu * 1e3 / span.seconds),
    ])
}

/// A few answers, so that what is set up once is not counted to the streams.
async fn warm_up(target: SocketAddr) -> io::Result<()> {
    let script = Script { tokens: 1, ..Script::default() };
    for _ in 0..10 {
        let mut client = Client::connect(target).await?;
        client.ask(&script, |_| {}).await?;
    }
    Ok(())
}

async fn open(target: SocketAddr, count: usize) -> io::Result<Vec<Client>> {
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        lanes.spawn_local(async move {
            let mut clients = Vec::new();
            for number in (lane..count).step_by(LANES) {
                clients.push(open_one(target, number).await?);
            }
            io::Result::Ok(clients)
        });
    }
    let mut clients = Vec::with_capacity(count);
    while let Some(lane) = lanes.join_next().await {
        clients.extend(lane??);
    }
    Ok(clients)
}

async fn open_one(target: SocketAddr, number: usize) -> io::Result<Client> {
    let script = Script { tokens: 1, hold: true, ..Script::default() };
    let host = u8::try_from(2 + number / PER_SOURCE).map_err(|_| bad("too many streams"))?;
    let mut client = Client::connect_from(Ipv4Addr::new(127, 0, 0, host), target).await?;
    client.send(&script).await?;
    let mut answer = client.answer().await?;
    while answer.tokens() == 0 {
        if !answer.read(&mut client, |_| {}).await? {
            return Err(bad("held stream ended before its token"));
        }
    }
    Ok(client)
}
