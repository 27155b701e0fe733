//! The table, and the raw samples.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::about::About;
use crate::stats::{FIGURES, Figure, Sample, median};

/// A sample with where it came from.
pub struct Measured {
    pub round: usize,
    pub subject: String,
    pub sample: Sample,
}

/// Everything measured, in order.
#[derive(Default)]
pub struct Report {
    pub subjects: Vec<String>,
    pub measured: Vec<Measured>,
    pub failures: Vec<String>,
}

/// One subject's values of one figure: a median per round.
#[derive(Default)]
struct Cell {
    rounds: Vec<(usize, f64)>,
    at_least: bool,
}

impl Cell {
    fn values(&self) -> Vec<f64> {
        self.rounds.iter().map(|&(_, value)| value).collect()
    }

    fn median(&self) -> Option<f64> {
        median(&self.values())
    }

    fn range(&self) -> Option<(f64, f64)> {
        let values = self.values();
        let lowest = values.iter().copied().reduce(f64::min)?;
        Some((lowest, values.iter().copied().reduce(f64::max)?))
    }

    /// The difference to another subject, in rounds that have both.
    fn minus(&self, other: &Self) -> Self {
        let difference = |&(round, value): &(usize, f64)| {
            let found = other.rounds.iter().find(|(other, _)| *other == round)?;
            Some((round, value - found.1))
        };
        Self { rounds: self.rounds.iter().filter_map(difference).collect(), at_least: false }
    }
}

impl Report {
    pub fn table(&self) -> String {
        let pairs = self.pairs();
        let mut table = self.header(&pairs);
        for figure in FIGURES {
            let cells: Vec<Cell> = self.subjects.iter().map(|subject| self.cell(figure, subject)).collect();
            if cells.iter().all(|cell| cell.rounds.is_empty()) {
                continue;
            }
            self.line(&mut table, figure.title, figure, &cells, &pairs);
            if figure.added && self.position("direct").is_some() {
                let added = self.added(&cells);
                self.line(&mut table, "… added to direct", figure, &added, &pairs);
            }
        }
        table
    }

    /// What each proxy adds to the direct way.
    fn added(&self, cells: &[Cell]) -> Vec<Cell> {
        let direct = self.position("direct");
        let minus = |(at, cell): (usize, &Cell)| match direct {
            Some(direct) if direct != at => cell.minus(&cells[direct]),
            _ => Cell::default(),
        };
        cells.iter().enumerate().map(minus).collect()
    }

    /// Which subjects are set against each other: each build against nginx, and against
    /// the first build.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let nginx = self.position("nginx");
        let is_build = |at: &usize| !["direct", "nginx"].contains(&self.subjects[*at].as_str());
        let builds: Vec<usize> = (0..self.subjects.len()).filter(is_build).collect();
        let to_nginx = builds.iter().filter_map(|&build| Some((build, nginx?)));
        let to_first = builds.iter().skip(1).map(|&build| (build, builds[0]));
        to_nginx.chain(to_first).collect()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.subjects.iter().position(|subject| subject == name)
    }

    fn header(&self, pairs: &[(usize, usize)]) -> String {
        let mut titles = vec!["figure".to_owned()];
        titles.extend(self.subjects.iter().cloned());
        for &(left, right) in pairs {
            titles.push(format!("{} / {}", self.subjects[left], self.subjects[right]));
        }
        titles.push("noise: lowest–highest round".to_owned());
        let rule = "---:|".repeat(titles.len() - 2);
        format!("| {} |\n|---|{rule}---|\n", titles.join(" | "))
    }

    fn cell(&self, figure: &Figure, subject: &str) -> Cell {
        let mine = |measured: &&Measured| measured.subject == subject && measured.sample.figure.key == figure.key;
        let mine: Vec<&Measured> = self.measured.iter().filter(mine).collect();
        let mut rounds: Vec<usize> = mine.iter().map(|measured| measured.round).collect();
        rounds.dedup();
        let of_round = |round: usize| {
            let values = mine.iter().filter(|measured| measured.round == round);
            let values: Vec<f64> = values.map(|measured| measured.sample.value).collect();
            Some((round, median(&values)?))
        };
        Cell {
            at_least: mine.iter().any(|measured| measured.sample.at_least),
            rounds: rounds.into_iter().filter_map(of_round).collect(),
        }
    }

    fn line(&self, table: &mut String, title: &str, figure: &Figure, cells: &[Cell], pairs: &[(usize, usize)]) {
        let digits = figure.digits;
        let mut columns = vec![title.to_owned()];
        for cell in cells {
            let sign = if cell.at_least { "≥ " } else { "" };
            let text = cell.median().map(|value| format!("{sign}{value:.digits$}"));
            columns.push(text.unwrap_or_else(dash));
        }
        for &(left, right) in pairs {
            let told = figure.ratio.then(|| ratio(&cells[left], &cells[right]));
            columns.push(told.flatten().unwrap_or_else(dash));
        }
        columns.push(self.noise(digits, cells));
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {} |", columns.join(" | "));
    }

    fn noise(&self, digits: usize, cells: &[Cell]) -> String {
        let named = self.subjects.iter().zip(cells);
        let ranges: Vec<String> = named
            .filter_map(|(subject, cell)| {
                let (low, high) = cell.range()?;
                Some(format!("{subject} {low:.digits$}–{high:.digits$}"))
            })
            .collect();
        ranges.join(", ")
    }

    /// One line of JSON for the run, then one for each sample.
    pub fn write_json(&self, path: &Path, about: &About) -> io::Result<()> {
        let mut file = io::BufWriter::new(File::create(path)?);
        let about: Vec<String> =
            about.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value))).collect();
        writeln!(file, "{{{}}}", about.join(","))?;
        for Measured { round, subject, sample } in &self.measured {
            writeln!(
                file,
                r#"{{"round":{round},"subject":{},"figure":"{}","value":{},"at_least":{}}}"#,
                quoted(subject),
                sample.figure.key,
                sample.value,
                sample.at_least
            )?;
        }
        file.flush()
    }
}

fn dash() -> String {
    "–".to_owned()
}

/// Of what is above zero; below, a quotient says nothing.
fn ratio(left: &Cell, right: &Cell) -> Option<String> {
    let (left, right) = (left.median()?, right.median()?);
    (left > 0.0 && right > 0.0).then(|| format!("{:.2}", left / right))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted.push(' '),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}
