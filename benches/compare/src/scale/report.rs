//! What is printed, and what counts as a failure.

use super::hold::Held;
use crate::table::Table;
use crate::watch::{Look, cpu_rate, growth};

/// How much memory may grow while nothing but time goes by, in percent.
const GROWTH: f64 = 2.0;
/// Looks are taken often, for the slope; so many are one line.
const LOOKS_PER_LINE: usize = 6;

impl Held {
    fn holding(&self) -> &[Look] {
        &self.looks[self.warm_up.min(self.looks.len().saturating_sub(2))..]
    }

    /// Growth over the time of holding, by the slope, in percent of the memory at its beginning.
    fn growth_percent(&self) -> f64 {
        let looks = self.holding();
        let (Some(first), Some(last)) = (looks.first(), looks.last()) else { return 0.0 };
        growth(looks) * (last.seconds_since(first.at) / 60.0) / first.memory_kib * 100.0
    }

    fn per_stream(&self, look: &Look) -> f64 {
        (look.memory_kib - self.before.memory_kib) / self.streams as f64
    }

    fn failures(&self) -> Vec<String> {
        let mut failures: Vec<String> = self.broken.iter().take(10).cloned().collect();
        failures.extend((self.broken.len() > 10).then(|| format!("{} failures in all", self.broken.len())));
        if self.sent != self.received {
            failures.push(format!("{} tokens were sent, {} came", self.sent, self.received));
        }
        if self.growth_percent() > GROWTH {
            failures.push(format!("memory grew by {:.1} %, more than {GROWTH} %", self.growth_percent()));
        }
        failures
    }

    /// The lines of the table.
    fn figures(&self) -> Vec<(&'static str, String)> {
        let looks = self.holding();
        let (first, last) = (&looks[0], &looks[looks.len() - 1]);
        let third = looks.len() / 3;
        let tokens = (last.count - first.count) as f64;
        let [unloaded, loaded] = self.kernel;
        let kernel = |before: f64, with: f64| format!("{:.1}", (with - before) / self.streams as f64);
        vec![
            ("streams held / broken", format!("{} / {}", self.streams, self.broken.len())),
            (
                "tokens sent / received / lost",
                format!("{} / {} / {}", self.sent, self.received, self.sent as i64 - self.received as i64),
            ),
            ("memory before the first stream, MiB", mib(&self.before)),
            ("memory, all open / at the end of holding / all closed, MiB", {
                format!("{} / {} / {}", mib(&self.looks[0]), mib(last), mib(&self.after))
            }),
            ("memory per stream, all open / at the end of holding, KiB", {
                format!("{:.2} / {:.2}", self.per_stream(&self.looks[0]), self.per_stream(last))
            }),
            ("slope of memory, KiB/min", format!("{:.1}", growth(looks))),
            ("growth over the holding, %", format!("{:.2}", self.growth_percent())),
            ("CPU ms per second, first / last third of the holding", {
                let (early, late) = (&looks[third], &looks[looks.len() - 1 - third]);
                format!("{:.1} / {:.1}", cpu_rate(first, early), cpu_rate(late, last))
            }),
            ("CPU µs per token", format!("{:.1}", (last.cpu_ms - first.cpu_ms) * 1e3 / tokens)),
            ("open files / threads", format!("{} / {}", last.files, last.threads)),
            ("kernel objects (Slab) per stream, all four sockets, KiB", kernel(unloaded.slab, loaded.slab)),
            ("kernel socket buffers per stream, all four sockets, KiB", kernel(unloaded.queued, loaded.queued)),
        ]
    }
}

fn mib(look: &Look) -> String {
    format!("{:.1}", look.memory_kib / 1024.0)
}

/// Prints everything; says whether all is well.
pub fn print(all: &[(String, Held)]) -> bool {
    let mut table = Table::new(["figure"].into_iter().chain(all.iter().map(|(name, _)| name.as_str())));
    let figures: Vec<_> = all.iter().map(|(_, held)| held.figures()).collect();
    for (number, (title, _)) in figures.first().into_iter().flatten().enumerate() {
        let values = figures.iter().map(|figures| figures[number].1.as_str());
        table.line([*title].into_iter().chain(values));
    }
    table.print();
    for (name, held) in all {
        print_course(name, held);
    }
    let failures = all.iter().flat_map(|(name, held)| held.failures().into_iter().map(move |what| (name, what)));
    let failures: Vec<_> = failures.collect();
    for (name, failure) in &failures {
        println!("FAILED: {name}: {failure}");
    }
    failures.is_empty()
}

fn print_course(name: &str, held: &Held) {
    let mut table =
        Table::new(["seconds", "memory, MiB", "per stream, KiB", "CPU ms/s", "tokens/s", "files", "threads"]);
    let looks: Vec<&Look> = held.looks.iter().step_by(LOOKS_PER_LINE).collect();
    for pair in looks.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        table.line([
            format!("{:.0}", to.seconds_since(held.looks[0].at)),
            mib(to),
            format!("{:.2}", held.per_stream(to)),
            format!("{:.1}", cpu_rate(from, to)),
            format!("{:.0}", (to.count - from.count) as f64 / (to.at - from.at).as_secs_f64()),
            to.files.to_string(),
            to.threads.to_string(),
        ]);
    }
    println!("{name}, from when all streams were open:\n");
    table.print();
}
