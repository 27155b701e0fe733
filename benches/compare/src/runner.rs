//! The rounds: every scenario on every subject in turn, so that what disturbs the machine
//! for a while disturbs all of them.

use std::io;

use crate::about::About;
use crate::args::Args;
use crate::clock::now_ns;
use crate::http::bad;
use crate::process::{Cores, Family, pin, raise_file_limit};
use crate::report::{Measured, Report};
use crate::scenario::{Bench, Scenario};
use crate::scratch::Scratch;
use crate::stats::Sample;
use crate::subject::{Place, Running, Subject};
use crate::upstream::Upstream;

pub async fn run(args: &Args, about: &About) -> io::Result<Report> {
    let cores = Cores::choose()?;
    let file_limit = raise_file_limit()?;
    check_held(args, file_limit)?;
    pin(cores.generator)?;
    let directory = Scratch::new()?;
    let upstream = Upstream::start().await?;
    let runner = Runner {
        args,
        cores,
        place: Place { directory: directory.path(), upstream: upstream.address, cores: Some(cores), file_limit },
        upstream,
    };
    let mut report =
        Report { subjects: args.subjects.iter().map(|subject| subject.name.clone()).collect(), ..Report::default() };
    for round in 0..args.rounds {
        runner.round(round, &mut report).await;
    }
    if let Some(path) = &args.json {
        report.write_json(path, about)?;
    }
    Ok(report)
}

struct Runner<'a> {
    args: &'a Args,
    cores: Cores,
    upstream: Upstream,
    place: Place<'a>,
}

impl Runner<'_> {
    async fn round(&self, round: usize, report: &mut Report) {
        for &(name, scenario) in &self.args.scenarios {
            let subjects = &self.args.subjects;
            for turn in 0..subjects.len() {
                let subject = &subjects[(turn + round) % subjects.len()];
                eprintln!("round {} of {}: {name}, {}", round + 1, self.args.rounds, subject.name);
                match self.measure(scenario, subject).await {
                    Ok(samples) => report.measured.extend(samples.into_iter().map(|sample| {
                        let subject = subject.name.clone();
                        Measured { round, subject, sample }
                    })),
                    Err(error) => {
                        let failure = format!("round {}, {name}, {}: {error}", round + 1, subject.name);
                        eprintln!("FAILED: {failure}");
                        report.failures.push(failure);
                    }
                }
            }
        }
    }

    /// One scenario on a subject started for it: none inherits what another left behind.
    async fn measure(&self, scenario: Scenario, subject: &Subject) -> io::Result<Vec<Sample>> {
        let mut started = subject.start(&self.place).await?;
        if started.running.is_none() && !scenario.has_direct() {
            return Ok(Vec::new());
        }
        let proxy = started.running.as_ref().map(Running::family).transpose()?;
        let mut samples = Vec::new();
        if proxy.is_some() {
            samples.push(Sample::new("start_ms", started.start_ns as f64 / 1e6));
        }
        let redis = started.redis.as_ref().map(Running::family).transpose()?;
        let bench = Bench {
            target: started.target,
            upstream: self.upstream.clone(),
            proxy,
            redis,
            size: self.args.size.clone(),
        };
        let quiet = Noise::listen(self.cores, &bench)?;
        samples.extend(scenario.run(&bench).await?);
        samples.push(quiet.share(self.cores, &bench)?);
        if let Some(running) = &mut started.running
            && let Some(status) = running.child().try_wait()?
        {
            return Err(bad(format!("it ended by itself with {status}")));
        }
        Ok(samples)
    }
}

/// What else the two cores do during a scenario: other programs, and other machines.
struct Noise {
    at: u64,
    others: i64,
}

impl Noise {
    fn listen(cores: Cores, bench: &Bench) -> io::Result<Self> {
        let cpu = |family: &Option<Family>| family.as_ref().map_or(Ok(0), Family::cpu_ns);
        let ours = cpu(&bench.proxy)? + cpu(&bench.redis)? + Family::this_process().cpu_ns()?;
        Ok(Self { at: now_ns(), others: cores.busy_ns()? as i64 - ours as i64 })
    }

    fn share(&self, cores: Cores, bench: &Bench) -> io::Result<Sample> {
        let now = Self::listen(cores, bench)?;
        let share = (now.others - self.others) as f64 / (2 * (now.at - self.at)) as f64;
        // The kernel counts the one in ticks and the other in nanoseconds.
        Ok(Sample::new("others", share.max(0.0) * 100.0))
    }
}

/// A proxy needs two files per stream, and so does this process, and some more.
fn check_held(args: &Args, file_limit: u64) -> io::Result<()> {
    let holds = args.scenarios.iter().any(|(_, scenario)| *scenario == Scenario::Held);
    let most = file_limit.saturating_sub(200) / 2;
    if holds && args.size.held as u64 > most {
        return Err(bad(format!("at most {most} streams can be held with {file_limit} open files (see ulimit -n)")));
    }
    Ok(())
}
