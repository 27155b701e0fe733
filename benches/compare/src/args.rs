//! The command line.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::scenario::{ALL, Scenario, Size};
use crate::subject::{Kind, Subject};

pub const HELP: &str = "\
Compares proxies of token streams: no proxy, nginx, sluicegate.

usage: run [options]
  --quick                   a first look, in about a minute and a half
  --rounds N                rounds over all subjects (5; quick: 3)
  --only SCENARIO[,…]       paced, short, ttft, one-ahead, flat-out,
                            cancel, held, unread
  --held N                  streams to hold (1000)
  --sluicegate [NAME=]PATH  a binary that is already built; more than one may be given
  --no-sluicegate           only direct and nginx
  --json FILE               also write every sample, one JSON object per line
";

pub struct Args {
    pub rounds: usize,
    pub scenarios: Vec<(&'static str, Scenario)>,
    pub subjects: Vec<Subject>,
    pub size: Size,
    pub json: Option<PathBuf>,
}

impl Args {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut quick, mut rounds, mut held, mut json) = (false, None, 1000, None);
        let mut builds = Vec::new();
        let mut scenarios = ALL.to_vec();
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--quick" => quick = true,
                "--rounds" => rounds = Some(positive(&value()?)?),
                "--held" => held = positive(&value()?)?,
                "--only" => scenarios = only(&value()?)?,
                "--sluicegate" => builds.push(build(&value()?)),
                // For the script that calls this program.
                "--no-sluicegate" => {}
                "--json" => json = Some(value()?.into()),
                _ => return Err(format!("unknown option {word}")),
            }
        }
        let mut subjects = vec![subject("direct", Kind::Direct, PathBuf::new()), nginx()];
        subjects.extend(builds);
        check(&subjects)?;
        Ok(Self {
            rounds: rounds.unwrap_or(if quick { 3 } else { 5 }),
            size: size(quick, held),
            scenarios,
            subjects,
            json,
        })
    }
}

pub fn size(quick: bool, held: usize) -> Size {
    let millis = |usual: u64, quickly: u64| Duration::from_millis(if quick { quickly } else { usual });
    let count = |usual, quickly| if quick { quickly } else { usual };
    Size {
        paced: millis(4000, 2000),
        saturated: millis(3000, 1500),
        short: millis(2000, 1000),
        requests: count(2000, 500),
        cancels: count(300, 100),
        held,
        settle: millis(1500, 500),
    }
}

pub fn nginx() -> Subject {
    let binary = env::var_os("NGINX").unwrap_or_else(|| "/usr/sbin/nginx".into());
    subject("nginx", Kind::Nginx, binary.into())
}

pub fn subject(name: &str, kind: Kind, binary: PathBuf) -> Subject {
    Subject { name: name.to_owned(), kind, binary, settings: Vec::new(), redis: None }
}

pub fn build(text: &str) -> Subject {
    let (name, path) = text.split_once('=').unwrap_or(("sluicegate", text));
    // Subjects run in a directory of their own.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
    subject(name, Kind::Sluicegate, path)
}

fn only(names: &str) -> Result<Vec<(&'static str, Scenario)>, String> {
    let find = |name: &str| ALL.iter().find(|(known, _)| *known == name).copied();
    names.split(',').map(|name| find(name).ok_or(format!("unknown scenario {name}"))).collect()
}

pub fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text} is not a positive number")),
    }
}

/// Names appear in paths and columns, and tell the subjects apart.
pub fn check(subjects: &[Subject]) -> Result<(), String> {
    for (at, subject) in subjects.iter().enumerate() {
        let name = &subject.name;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!("{name:?} is not a plain name"));
        }
        if subjects[..at].iter().any(|earlier| earlier.name == *name) {
            return Err(format!("two subjects are named {name}: use NAME=PATH"));
        }
        if !matches!(subject.kind, Kind::Direct) && !subject.binary.is_file() {
            return Err(format!("{name}: no file {}", subject.binary.display()));
        }
    }
    Ok(())
}
