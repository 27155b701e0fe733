//! The measurements of `benches/compare/run`: the comparison, and with a word before the options
//! others: `resume`, two that last, `scale` and `soak`, and `train`, for `dist/build`.

mod about;
mod args;
mod client;
mod clock;
mod compare;
mod fault;
mod http;
mod process;
mod report;
mod resume;
mod runner;
mod scale;
mod scenario;
mod scratch;
mod script;
mod soak;
mod stats;
mod subject;
mod table;
mod train;
mod upstream;
mod watch;

use std::collections::VecDeque;
use std::env;
use std::io;
use std::process::ExitCode;
use std::vec::IntoIter;

use tokio::runtime::LocalRuntime;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let mut words: VecDeque<String> = env::args().skip(1).collect();
    let what = words.pop_front_if(|word| ["resume", "scale", "soak", "train"].contains(&word.as_str()));
    let words = Vec::from(words);
    match what.as_deref() {
        Some("resume") => start(words, resume::HELP, resume::parse, compare::run),
        Some("scale") => start(words, scale::HELP, scale::Args::parse, scale::run),
        Some("train") => start(words, train::HELP, train::parse, train::run),
        Some("soak") => start(words, soak::HELP, soak::Args::parse, soak::run),
        _ => start(words, args::HELP, args::Args::parse, compare::run),
    }
}

/// Runs one of them. It says whether all was well.
fn start<A, F: Future<Output = io::Result<bool>>>(
    words: Vec<String>,
    help: &str,
    parse: impl FnOnce(IntoIter<String>) -> Result<A, String>,
    run: impl FnOnce(A) -> F,
) -> ExitCode {
    if words.iter().any(|word| ["--help", "-h"].contains(&word.as_str())) {
        print!("{help}");
        return ExitCode::SUCCESS;
    }
    let args = match parse(words.into_iter()) {
        Ok(args) => args,
        Err(error) => {
            eprint!("{error}\n\n{help}");
            return ExitCode::from(2);
        }
    };
    block_on(until_signal(run(args))).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

/// One thread: what shares a core needs no more, and its CPU time is easily told.
fn block_on<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    LocalRuntime::new()?.block_on(work)
}

async fn until_signal(work: impl Future<Output = io::Result<bool>>) -> io::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    // Whichever comes first: with the work, all its handles of processes are dropped.
    tokio::select! {
        done = work => Ok(if done? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
        _ = hang_up.recv() => Ok(ExitCode::from(129)),
    }
}
