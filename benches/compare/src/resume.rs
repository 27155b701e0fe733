//! What it costs that streams can be resumed: one build of sluicegate, its streams not kept, kept in memory, and kept in
//! Redis too.

use std::path::PathBuf;

use crate::args::{Args, build, check, positive, size};
use crate::scenario::Scenario;
use crate::subject::Subject;

pub const HELP: &str = "\
Compares sluicegate with itself: streams that are not kept, that are kept in memory, and in Redis too.

usage: run resume [options]
  --quick                   a first look, in about a minute
  --rounds N                rounds over all three (5; quick: 3)
  --held N                  streams to hold (1000)
  --sluicegate PATH         a binary that is already built
";

const SCENARIOS: &[(&str, Scenario)] = &[
    ("paced", Scenario::Paced),
    ("short", Scenario::Short),
    ("ttft", Scenario::Ttft),
    ("one-ahead", Scenario::OneAhead),
    ("held", Scenario::Held),
];

pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let (mut quick, mut rounds, mut held, mut builds) = (false, None, 1000, Vec::new());
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => quick = true,
            "--rounds" => rounds = Some(positive(&value()?)?),
            "--held" => held = positive(&value()?)?,
            "--sluicegate" => builds.push(build(&value()?)),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    let build = builds.pop().ok_or("nothing to look at: build sluicegate, or give --sluicegate PATH")?;
    let (memory, mut redis) = (kept_in_memory(&build), kept_in_memory(&build));
    "redis".clone_into(&mut redis.name);
    redis.redis = Some(PathBuf::from("redis-server"));
    let plain = Subject { name: "plain".to_owned(), ..build };
    let subjects = vec![plain, memory, redis];
    check(&subjects)?;
    Ok(Args {
        rounds: rounds.unwrap_or(if quick { 3 } else { 5 }),
        size: size(quick, held),
        scenarios: SCENARIOS.to_vec(),
        subjects,
        json: None,
    })
}

/// `build` with streams that can all be resumed.
pub fn kept_in_memory(build: &Subject) -> Subject {
    let set = |name: &str, value: &str| (format!("SLUICEGATE__RESUME__{name}"), value.to_owned());
    // All streams are one caller's, as many as are held, and end with their clients.
    let settings = vec![set("MODE", "always"), set("MAX_CALLER_STREAMS", "2000"), set("ON_DISCONNECT", "cancel")];
    Subject { name: "memory".to_owned(), settings, ..build.clone() }
}
