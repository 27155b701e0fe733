//! The table of accepted counts, and what differs from it.

use std::collections::BTreeMap;
use std::fs;

/// Instructions per unit, by the case's name.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The table, from the root of the package, where cargo runs benchmarks.
pub(crate) const FILE: &str = "benches/instructions/accepted.toml";
const HEAD: &str = "# Instructions per unit that have been accepted. Written by `cargo bench -- --accept`.\n";

/// How far a count may be from the accepted one: what another version of the C library may change.
const TOLERANCE_PERCENT: f64 = 3.0;
/// How far two counts of the same program may be apart.
const NOISE_PERCENT: f64 = 1.0;

pub(crate) fn read() -> Result<Counts, String> {
    let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    toml::from_str(&text).map_err(|error| format!("{FILE}: {error}"))
}

/// Accepts `counts`, but leaves what has not changed as it is.
pub(crate) fn write(counts: &Counts) -> Result<(), String> {
    let accepted = read()?;
    let line = |(name, &count): (&String, &u64)| {
        let unchanged = accepted.get(name).filter(|&&accepted| percent(count, accepted).abs() <= NOISE_PERCENT);
        format!("{name:?} = {}\n", unchanged.unwrap_or(&count))
    };
    let lines: String = counts.iter().map(line).collect();
    fs::write(FILE, format!("{HEAD}{lines}")).map_err(|error| format!("{FILE}: {error}"))
}

/// What is not as accepted, a line each.
pub(crate) fn compare(counts: &Counts, accepted: &Counts) -> Vec<String> {
    let missing = accepted.keys().filter(|name| !counts.contains_key(*name));
    let missing = missing.map(|name| format!("{name}: accepted, but no longer counted"));
    counts.iter().filter_map(|(name, &count)| difference(name, count, accepted.get(name))).chain(missing).collect()
}

fn difference(name: &str, count: u64, accepted: Option<&u64>) -> Option<String> {
    let Some(&accepted) = accepted else {
        return Some(format!("{name}: {count} instructions, and no count has been accepted"));
    };
    let percent = percent(count, accepted);
    let direction = if percent > 0.0 { "more" } else { "fewer" };
    (percent.abs() > TOLERANCE_PERCENT).then(|| {
        format!("{name}: {count} instructions, {:.1} % {direction} than the accepted {accepted}", percent.abs())
    })
}

/// By how much `count` is above `accepted`.
pub(crate) fn percent(count: u64, accepted: u64) -> f64 {
    (count as f64 / accepted as f64 - 1.0) * 100.0
}
