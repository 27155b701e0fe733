//! Figures, samples of them, and the few statistics needed.

/// One line of the table.
#[derive(Debug)]
pub struct Figure {
    pub key: &'static str,
    pub title: &'static str,
    pub digits: usize,
    /// Adds a line with the difference to the direct way, round by round.
    pub added: bool,
    /// Sets the subjects against each other.
    pub ratio: bool,
}

const fn figure(key: &'static str, title: &'static str, digits: usize) -> Figure {
    Figure { key, title, digits, added: false, ratio: true }
}

/// Not a merit of the subject, but to be known when judging the others.
const fn context(key: &'static str, title: &'static str, digits: usize) -> Figure {
    Figure { ratio: false, ..figure(key, title, digits) }
}

const fn delay(key: &'static str, title: &'static str) -> Figure {
    Figure { added: true, ..figure(key, title, 0) }
}

/// The table's lines in their order.
pub const FIGURES: &[Figure] = &[
    figure("paced_cpu", "CPU s per million paced tokens (50 streams, one token each 20 ms)", 1),
    context("paced_redis_cpu", "… of redis-server, beside it", 1),
    delay("paced_p50", "delay per token p50, µs"),
    delay("paced_p99", "delay per token p99, µs"),
    figure("short_cpu", "CPU µs per short streamed request (1 token)", 1),
    figure("short_rate", "short streamed requests/s (32 connections)", 0),
    delay("ttft_p50", "time to first token p50, µs"),
    delay("ttft_p99", "time to first token p99, µs"),
    figure("one_rate", "tokens/s, saturated, each moved by itself (200 streams)", 0),
    figure("one_per_cpu", "… per CPU second of the proxy", 0),
    context("one_proxy", "… the proxy's core in use, %", 0),
    context("one_generator", "… upstream's and load's core in use, %", 0),
    figure("flat_rate", "tokens/s, saturated, in heaps (32 streams)", 0),
    figure("flat_per_cpu", "… per CPU second of the proxy", 0),
    context("flat_proxy", "… the proxy's core in use, %", 0),
    context("flat_generator", "… upstream's and load's core in use, %", 0),
    figure("cancel_first_p50", "cancel before the first token p50, µs", 0),
    figure("cancel_first_p99", "cancel before the first token p99, µs", 0),
    figure("cancel_mid_p50", "cancel between tokens p50, µs", 0),
    figure("cancel_mid_p99", "cancel between tokens p99, µs", 0),
    figure("held_kib", "memory per held stream, KiB", 1),
    figure("held_cpu", "CPU ms per second while holding them", 2),
    figure("idle_mib", "idle memory, MiB", 1),
    figure("unread_mib", "taken from upstream of an unread 64 MiB stream, MiB", 2),
    context("unread_kib", "… growth of the proxy's memory by it, KiB", 0),
    figure("start_ms", "start to first answered request, ms", 1),
    context("others", "noise: share of both cores taken by anything else, %", 1),
];

#[derive(Clone, Debug)]
pub struct Sample {
    pub figure: &'static Figure,
    pub value: f64,
    /// The generator came to its end before the proxy did.
    pub at_least: bool,
}

impl Sample {
    pub fn new(key: &str, value: f64) -> Self {
        let figure = FIGURES.iter().find(|figure| figure.key == key);
        Self { figure: figure.expect("scenarios name figures of the table"), value, at_least: false }
    }

    pub fn at_least(self, at_least: bool) -> Self {
        Self { at_least, ..self }
    }
}

/// The median; of an even number, the mean of the two in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

/// How much the second of each pair grows with the first, by least squares.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let mean = |values: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(values).sum::<f64>() / points.len() as f64;
    let (middle, level) = (mean(&|point| point.0), mean(&|point| point.1));
    let spread = mean(&|point| (point.0 - middle).powi(2));
    (spread > 0.0).then(|| mean(&|point| (point.0 - middle) * (point.1 - level)) / spread)
}

/// The p50 and p99 of delays in nanoseconds, as samples in microseconds.
pub fn percentiles(mut delays: Vec<u64>, p50: &str, p99: &str) -> Vec<Sample> {
    delays.sort_unstable();
    let at = |share: f64| {
        let rank = (delays.len() as f64 * share).ceil() as usize;
        delays.get(rank.saturating_sub(1)).copied()
    };
    [(p50, at(0.50)), (p99, at(0.99))]
        .into_iter()
        .filter_map(|(key, value)| Some(Sample::new(key, value? as f64 / 1e3)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middle_and_tail() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(slope(&[(1.0, 7.0)]), None);
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), Some(2.0));
        let samples = percentiles((1..=1000).map(|ms| ms * 1000).collect(), "ttft_p50", "ttft_p99");
        let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
        assert_eq!(values, [500.0, 990.0]);
    }
}
