//! Thousands of slow streams in one process, for minutes: whether all of them last, and whether what
//! they cost stays what it was.

mod args;
mod hold;
mod report;

use std::io;

use crate::about::{self, about};
use crate::http::bad;
use crate::process::raise_file_limit;
use crate::scratch::Scratch;
use crate::subject::{Kind, Place, Subject};
use crate::upstream::Upstream;

pub use args::{Args, HELP};
use hold::Held;

/// Says whether no token was lost, no stream broken, and no memory grown.
pub async fn run(mut args: Args) -> io::Result<bool> {
    let file_limit = raise_file_limit()?;
    check(&args, file_limit)?;
    configure(&mut args);
    let about = about(&settings(&args), &args.subjects);
    let scratch = Scratch::new()?;
    let upstream = Upstream::start().await?;
    let place = Place { directory: scratch.path(), upstream: upstream.address, cores: None, file_limit };
    let mut all = Vec::new();
    for subject in &args.subjects {
        all.push((subject.name.clone(), measure(&args, subject, &place, &upstream).await?));
    }
    about::print(&about);
    Ok(report::print(&all))
}

async fn measure(args: &Args, subject: &Subject, place: &Place<'_>, upstream: &Upstream) -> io::Result<Held> {
    let started = subject.start(place).await?;
    let running = started.running.as_ref().ok_or_else(|| bad("there is no process to look at"))?;
    eprintln!("{}: {} streams for {:?}", subject.name, args.streams, args.hold);
    hold::hold(args, started.target, upstream, running.family()?).await
}

/// The cap on connections is there for other times.
fn configure(args: &mut Args) {
    let settings =
        [("SLUICEGATE__SERVER__MAX_CONNECTIONS", args.streams + 1000), ("SLUICEGATE__SERVER__WORKERS", args.workers)];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_string()));
    for subject in args.subjects.iter_mut().filter(|subject| matches!(subject.kind, Kind::Sluicegate)) {
        subject.settings.extend(settings.clone());
    }
}

fn settings(args: &Args) -> [(&'static str, String); 2] {
    let workers = match args.workers {
        0 => "one per core".to_owned(),
        workers => workers.to_string(),
    };
    [
        (
            "streams",
            format!(
                "{}, one token each {} s, held for {} min",
                args.streams,
                args.interval.as_secs(),
                args.hold.as_secs() / 60
            ),
        ),
        ("workers", format!("{workers} (nginx: one)")),
    ]
}

/// A proxy needs two files per stream, and so does this process, and some more.
fn check(args: &Args, file_limit: u64) -> io::Result<()> {
    let needed = args.streams as u64 * 2 + 200;
    if needed <= file_limit {
        return Ok(());
    }
    Err(bad(format!(
        "{} streams need {needed} open files in the proxy and as many here, and {file_limit} are allowed. \
         Raise the limit (ulimit -Hn {needed}, systemd LimitNOFILE={needed}, docker --ulimit nofile={needed}) \
         or hold fewer: --streams {}",
        args.streams,
        file_limit.saturating_sub(200) / 2
    )))
}
