//! What is printed, and what counts as a failure.

use super::{Rest, Tally};
use crate::table::Table;
use crate::watch::{Look, cpu_rate, growth};

/// How much memory may have grown at rest. An allocator keeps what the worst moment needed, and that may come late.
const GROWTH_KIB: f64 = 4096.0;
/// How much it may have grown over the second half of the load, by its slope: once heaps fit, only a leak grows.
const TREND_PERCENT: f64 = 5.0;
/// Looks are taken often, for the slope; so many are one line.
const LOOKS_PER_LINE: usize = 6;

/// What was seen.
pub struct Soaked {
    /// After a first answer.
    pub fresh: Rest,
    /// After the warm-up.
    pub start: Rest,
    pub end: Rest,
    /// Visits of the warm-up.
    pub warm_up: u64,
    pub tally: Tally,
    /// During the load.
    pub looks: Vec<Look>,
}

impl Soaked {
    /// Prints everything; says whether all is well.
    pub fn print(&self) -> bool {
        self.print_visits();
        self.print_course();
        self.print_rest();
        let failures = self.failures();
        for failure in &failures {
            println!("FAILED: {failure}");
        }
        failures.is_empty()
    }

    fn failures(&self) -> Vec<String> {
        let all = &self.tally.failures;
        let mut failures: Vec<String> = all.iter().take(20).cloned().collect();
        failures.extend((all.len() > 20).then(|| format!("{} failures in all", all.len())));
        let (fresh, start, end) = (self.fresh.look, self.start.look, self.end.look);
        // When it was fresh it kept connections to the upstream, as the upstream knows.
        let (before, after) = (fresh.files - self.fresh.upstream, end.files);
        if after > before {
            failures.push(format!("{before} open files before, {after} after"));
        }
        if end.threads > fresh.threads {
            failures.push(format!("{} threads before, {} after", fresh.threads, end.threads));
        }
        if self.end.established > 0 || self.end.upstream > 0 {
            let Rest { established, upstream, .. } = self.end;
            failures.push(format!("{established} connections of the proxy are left, {upstream} of the upstream"));
        }
        if end.memory_kib > start.memory_kib + GROWTH_KIB {
            let (start, end) = (start.memory_kib, end.memory_kib);
            failures.push(format!("memory at rest grew from {start} to {end} KiB, by more than {GROWTH_KIB}"));
        }
        let trend = self.trend_percent();
        if trend > TREND_PERCENT {
            failures
                .push(format!("memory grew by {trend:.1} % over the load's second half, more than {TREND_PERCENT} %"));
        }
        failures
    }

    fn second_half(&self) -> &[Look] {
        &self.looks[self.looks.len() / 2..]
    }

    fn trend_percent(&self) -> f64 {
        let looks = self.second_half();
        let (Some(first), Some(last)) = (looks.first(), looks.last()) else { return 0.0 };
        growth(looks) * last.seconds_since(first.at) / 60.0 / first.memory_kib * 100.0
    }

    fn print_visits(&self) {
        let mut table = Table::new(["visit", "times", "not as it should be"]);
        for (kind, (visits, failed)) in &self.tally.visits {
            table.line([kind.clone(), visits.to_string(), failed.to_string()]);
        }
        let sum = |number: fn(&(u64, u64)) -> u64| self.tally.visits.values().map(number).sum::<u64>();
        table.line(["**all**".to_owned(), sum(|visits| visits.0).to_string(), sum(|visits| visits.1).to_string()]);
        table.print();
    }

    fn print_course(&self) {
        let mut table = Table::new(["seconds", "memory, MiB", "CPU ms/s", "visits/s", "files", "threads"]);
        let looks: Vec<&Look> = self.looks.iter().step_by(LOOKS_PER_LINE).collect();
        for pair in looks.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            table.line([
                format!("{:.0}", to.seconds_since(self.looks[0].at)),
                mib(to),
                format!("{:.0}", cpu_rate(from, to)),
                format!("{:.0}", (to.count - from.count) as f64 / (to.at - from.at).as_secs_f64()),
                to.files.to_string(),
                to.threads.to_string(),
            ]);
        }
        table.print();
    }

    fn print_rest(&self) {
        let rests = [self.fresh, self.start, self.end];
        let mut table = Table::new(["at rest", "fresh", "after the warm-up", "after the load"]);
        let mut line = |title: &str, value: &dyn Fn(&Rest) -> String| {
            table.line([title.to_owned()].into_iter().chain(rests.iter().map(value)));
        };
        line("memory, MiB", &|rest| mib(&rest.look));
        line("open files", &|rest| rest.look.files.to_string());
        line("threads", &|rest| rest.look.threads.to_string());
        line("established connections", &|rest| rest.established.to_string());
        line("connections that the upstream has", &|rest| rest.upstream.to_string());
        table.print();
        let peak = self.looks.iter().map(|look| look.memory_kib).fold(0.0, f64::max);
        println!("- visits in the warm-up: {}", self.warm_up);
        println!("- slope of memory under load: {:.1} KiB/min", growth(&self.looks));
        println!(
            "- the same over its second half: {:.1} KiB/min, {:.2} %",
            growth(self.second_half()),
            self.trend_percent()
        );
        println!("- highest memory under load: {:.1} MiB", peak / 1024.0);
        println!("- memory at rest, after the load against after the warm-up: {:+.1} KiB\n", {
            self.end.look.memory_kib - self.start.look.memory_kib
        });
    }
}

fn mib(look: &Look) -> String {
    format!("{:.1}", look.memory_kib / 1024.0)
}
