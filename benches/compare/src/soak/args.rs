//! The command line of `soak`.

use std::time::Duration;

use crate::args::{build, check, positive};
use crate::subject::Subject;

pub const HELP: &str = "\
Mixes all that clients and upstreams do, well and badly, against one sluicegate for minutes, checks each
outcome, and looks whether anything stays behind.

usage: run soak [options]
  --quick                   a first look, in about a minute and a half
  --minutes N               how long (10)
  --clients N               how many at a time (150)
  --seed N                  chooses what they do (from the clock)
  --sluicegate PATH         a binary that is already built
";

#[derive(Debug)]
pub struct Args {
    pub warm_up: Duration,
    pub load: Duration,
    pub clients: usize,
    pub seed: u64,
    pub subject: Subject,
}

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut quick, mut minutes, mut clients, mut seed, mut subjects) = (false, 10, 150, None, Vec::new());
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--quick" => quick = true,
                "--minutes" => minutes = positive(&value()?)?,
                "--clients" => clients = positive(&value()?)?,
                "--seed" => seed = Some(positive(&value()?)? as u64),
                "--sluicegate" => subjects.push(build(&value()?)),
                _ => return Err(format!("unknown option {word}")),
            }
        }
        check(&subjects)?;
        let seconds = |usual, quickly| Duration::from_secs(if quick { quickly } else { usual });
        Ok(Self {
            warm_up: seconds(30, 10),
            load: seconds(60 * minutes as u64, 20),
            clients,
            seed: seed.unwrap_or_else(|| crate::clock::now_ns() % 1_000_000 + 1),
            subject: subjects.pop().ok_or("nothing to look at: build sluicegate, or give --sluicegate PATH")?,
        })
    }
}
