//! The command line of `scale`.

use std::time::Duration;

use crate::args::{build, check, nginx, positive};
use crate::subject::Subject;

pub const HELP: &str = "\
Holds many slow streams in one process and looks at what they cost over time.

usage: run scale [options]
  --quick                   a first look: 2,000 streams for one minute
  --streams N               streams to hold (9000)
  --minutes N               how long to hold them, once all are open (5)
  --interval N              seconds between two tokens of a stream (5)
  --workers N               sluicegate's workers (0: one per core)
  --nginx                   nginx as well
  --sluicegate [NAME=]PATH  a binary that is already built; more than one may be given
";

#[derive(Debug)]
pub struct Args {
    pub streams: usize,
    pub hold: Duration,
    pub interval: Duration,
    pub workers: usize,
    pub subjects: Vec<Subject>,
}

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut quick, mut streams, mut minutes, mut interval, mut workers) = (false, None, None, 5, 0);
        let (mut subjects, mut with_nginx) = (Vec::new(), false);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--quick" => quick = true,
                "--streams" => streams = Some(positive(&value()?)?),
                "--minutes" => minutes = Some(positive(&value()?)?),
                "--interval" => interval = positive(&value()?)?,
                "--workers" => workers = positive(&value()?)?,
                "--nginx" => with_nginx = true,
                "--sluicegate" => subjects.push(build(&value()?)),
                _ => return Err(format!("unknown option {word}")),
            }
        }
        if with_nginx {
            subjects.push(nginx());
        }
        check(&subjects)?;
        if subjects.is_empty() {
            return Err("nothing to look at: build sluicegate, or give --sluicegate PATH".to_owned());
        }
        Ok(Self {
            streams: streams.unwrap_or(if quick { 2000 } else { 9000 }),
            hold: Duration::from_secs(60 * minutes.unwrap_or(if quick { 1 } else { 5 }) as u64),
            interval: Duration::from_secs(interval as u64),
            workers,
            subjects,
        })
    }
}
