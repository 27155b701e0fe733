//! Every dialect to every other: recorded streams, requests and answers, translated, and judged by what the specifications say
//! of both sides. The readers and checkers of `support` that judge know nothing of the code that translates.

mod answers;
mod conversation;
mod conversations;
mod cuts;
mod failures;
mod invented;
mod liveness;
mod properties;
mod requests;
mod round_trips;
mod snapshots;
mod streams;

use crate::support::translation::{Source, all, sources};

/// The streams that stand for an answer: all but one that its server spliced together from two; and those that are invented.
fn answers() -> impl Iterator<Item = Source> {
    sources().filter(|source| !source.file.contains("spliced")).chain(invented::invented())
}

/// Fails with all `faults`, if there are any.
#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn there_is_something_to_translate() {
    for dialect in all() {
        let count = sources().filter(|source| source.dialect == dialect).count();
        assert!(count >= 9, "{count} streams of {}", dialect.name());
    }
}
