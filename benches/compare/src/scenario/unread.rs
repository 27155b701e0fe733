//! A client that asks and never reads: how much of the answer is taken from the upstream.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use tokio::time::sleep;

use super::{Bench, next_id};
use crate::client::Client;
use crate::process::Family;
use crate::script::Script;
use crate::stats::Sample;

const EVENTS: u64 = 64 * 1024;
/// Makes events of 1 KiB.
const PAD: usize = 1024 - 250;
const LOOK: Duration = Duration::from_millis(100);
/// Looks without growth until it is believed to have stopped, and looks at all.
const STILL: u32 = 8;
const LOOKS: u32 = 100;

pub async fn run(bench: &Bench) -> io::Result<Vec<Sample>> {
    let memory = || bench.proxy.as_ref().map(Family::memory_kib).transpose();
    let script = Script { id: next_id(), tokens: EVENTS, pad: PAD, ..Script::default() };
    let before = memory()?;
    let mut client = Client::connect(bench.target).await?;
    client.send(&script).await?;
    let record = bench.upstream.record(script.id).await?;
    let written = wait_still(&record.written).await;
    let after = memory()?;

    let mut samples = vec![Sample::new("unread_mib", written as f64 / 1024.0 / 1024.0)];
    if let (Some(before), Some(after)) = (before, after) {
        samples.push(Sample::new("unread_kib", after as f64 - before as f64));
    }
    Ok(samples)
}

async fn wait_still(count: &Cell<u64>) -> u64 {
    let (mut written, mut still) = (0, 0);
    for _ in 0..LOOKS {
        sleep(LOOK).await;
        still = if count.get() == written { still + 1 } else { 0 };
        written = count.get();
        if still == STILL {
            break;
        }
    }
    written
}
