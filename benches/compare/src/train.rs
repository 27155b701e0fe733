//! A load for a build that counts what it does: a bit of everything, not to be measured.

use std::io;
use std::time::Duration;

use crate::about::About;
use crate::args::{Args, build, check};
use crate::resume::kept_in_memory;
use crate::runner;
use crate::scenario::{Scenario, Size};

pub const HELP: &str = "\
Puts one sluicegate under the loads of the comparison, for a profile to be taken.

usage: run train --sluicegate PATH
";

const SCENARIOS: &[(&str, Scenario)] = &[
    ("paced", Scenario::Paced),
    ("short", Scenario::Short),
    ("ttft", Scenario::Ttft),
    ("one-ahead", Scenario::OneAhead),
    ("flat-out", Scenario::FlatOut),
    ("cancel", Scenario::Cancel),
];

pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let path = match (words.next().as_deref(), words.next(), words.next()) {
        (Some("--sluicegate"), Some(path), None) => path,
        _ => return Err("give --sluicegate PATH".to_owned()),
    };
    let mut kept = kept_in_memory(&build(&path));
    // The load is slow here, and must not fall behind.
    let limits = ["STREAM", "CALLER", "TOTAL"].map(|whose| format!("SLUICEGATE__RESUME__MAX_{whose}_BYTES"));
    kept.settings.extend(limits.map(|limit| (limit, "4GiB".to_owned())));
    let subjects = vec![build(&path), kept];
    check(&subjects)?;
    let size = Size {
        paced: Duration::from_secs(2),
        saturated: Duration::from_secs(1),
        short: Duration::from_secs(2),
        requests: 500,
        cancels: 50,
        held: 0,
        settle: Duration::ZERO,
    };
    Ok(Args { rounds: 1, scenarios: SCENARIOS.to_vec(), subjects, size, json: None })
}

/// Says whether every answer was as it should be.
pub async fn run(args: Args) -> io::Result<bool> {
    Ok(runner::run(&args, &About::new()).await?.failures.is_empty())
}
