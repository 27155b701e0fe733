//! One request at a time: from the request to the first token.

use std::io;

use super::Bench;
use crate::client::Client;
use crate::script::Script;
use crate::stats::{Sample, percentiles};

const WARM_UP: usize = 20;

pub async fn run(bench: &Bench) -> io::Result<Vec<Sample>> {
    let script = Script { tokens: 1, ..Script::default() };
    let mut client = Client::connect(bench.target).await?;
    let mut times = Vec::with_capacity(bench.size.requests);
    for number in 0..WARM_UP + bench.size.requests {
        let mut arrived_at = 0;
        let sent_at = client.ask(&script, |token| arrived_at = token.arrived_at).await?;
        if number >= WARM_UP {
            times.push(arrived_at - sent_at);
        }
    }
    Ok(percentiles(times, "ttft_p50", "ttft_p99"))
}
