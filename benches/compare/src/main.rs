//! The comparison benchmark: `benches/compare/run` builds and calls it.

mod args;
mod client;
mod clock;
mod http;
mod process;
mod report;
mod runner;
mod scenario;
mod script;
mod stats;
mod subject;
mod upstream;

use std::env;
use std::fs;
use std::io;
use std::process::{Command, ExitCode};

use tokio::runtime::LocalRuntime;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Args, HELP};
use crate::report::Report;
use crate::subject::Kind;

fn main() -> ExitCode {
    let mut words = env::args().skip(1).peekable();
    let result = match words.peek().map(String::as_str) {
        Some("--help" | "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => match Args::parse(words) {
            Ok(args) => block_on(compare(&args)),
            Err(error) => {
                eprint!("{error}\n\n{HELP}");
                return ExitCode::from(2);
            }
        },
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

/// One thread: what shares a core needs no more, and its CPU time is easily told.
fn block_on<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    LocalRuntime::new()?.block_on(work)
}

async fn compare(args: &Args) -> io::Result<ExitCode> {
    let about = about(args);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    // Whichever comes first: with the run, all its handles of processes are dropped.
    let report = tokio::select! {
        report = runner::run(args, &about) => report?,
        _ = interrupt.recv() => return Ok(ExitCode::from(130)),
        _ = terminate.recv() => return Ok(ExitCode::from(143)),
        _ = hang_up.recv() => return Ok(ExitCode::from(129)),
    };
    print(&report, &about);
    Ok(match report.failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn print(report: &Report, about: &[(&str, String)]) {
    for (name, value) in about {
        println!("- {name}: {value}");
    }
    println!("\n{}", report.table());
    for failure in &report.failures {
        println!("FAILED: {failure}");
    }
}

/// What a reader needs to know of the run.
fn about(args: &Args) -> Vec<(&str, String)> {
    let mut about = vec![
        ("command", env::var("COMPARE_COMMAND").unwrap_or_else(|_| "compare".to_owned())),
        ("date", said(Command::new("date").args(["-u", "+%F %H:%M UTC"]))),
        ("machine", machine()),
        ("network", network()),
        ("rounds", args.rounds.to_string()),
        ("held streams", args.size.held.to_string()),
    ];
    for subject in &args.subjects {
        let version = match subject.kind {
            Kind::Direct => continue,
            Kind::Nginx => said(Command::new(&subject.binary).arg("-v")),
            Kind::Sluicegate => said(Command::new(&subject.binary).arg("--version")),
        };
        let size = fs::metadata(&subject.binary).map_or(0, |data| data.len());
        let size = size as f64 / 1024.0 / 1024.0;
        about.push((&subject.name, format!("{version}, binary of {size:.1} MiB")));
    }
    about
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("", |rest| rest.trim_start_matches([':', ' ', '\t']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = said(Command::new("uname").arg("-sr"));
    format!("{model}, {cores} cores, {kernel}")
}

/// What the kernel's side of the figures depends on.
fn network() -> String {
    let setting = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
        let text = text.unwrap_or_else(|_| "unknown".to_owned());
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    };
    format!(
        "loopback, {}, tcp_rmem {}, tcp_wmem {}",
        setting("tcp_congestion_control"),
        setting("tcp_rmem"),
        setting("tcp_wmem")
    )
}

/// The first line a command says, on whichever output.
fn said(command: &mut Command) -> String {
    let Ok(output) = command.output() else {
        return "unknown".to_owned();
    };
    let bytes = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&bytes);
    text.lines().next().unwrap_or_default().to_owned()
}
