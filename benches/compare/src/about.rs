//! What a reader needs to know of a run: what was done, when and on what.

use std::env;
use std::fs;
use std::process::Command;

use crate::subject::{Kind, Subject};

/// Named facts in their order.
pub type About = Vec<(String, String)>;

/// What all runs tell. `settings` stand between the machine and the subjects.
pub fn about(settings: &[(&str, String)], subjects: &[Subject]) -> About {
    let command = env::var("COMPARE_COMMAND").unwrap_or_else(|_| "compare".to_owned());
    let general = [
        ("command", command),
        ("date", said(Command::new("date").args(["-u", "+%F %H:%M UTC"]))),
        ("machine", machine()),
        ("network", network()),
    ];
    let owned = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
    let mut about: About = general.iter().chain(settings).map(owned).collect();
    about.extend(subjects.iter().filter_map(version));
    about
}

pub fn print(about: &About) {
    for (name, value) in about {
        println!("- {name}: {value}");
    }
    println!();
}

fn version(subject: &Subject) -> Option<(String, String)> {
    let version = match subject.kind {
        Kind::Direct => return None,
        Kind::Nginx => said(Command::new(&subject.binary).arg("-v")),
        Kind::Sluicegate => said(Command::new(&subject.binary).arg("--version")),
    };
    let size = fs::metadata(&subject.binary).map_or(0, |data| data.len());
    let size = size as f64 / 1024.0 / 1024.0;
    Some((subject.name.clone(), format!("{version}, binary of {size:.1} MiB")))
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
