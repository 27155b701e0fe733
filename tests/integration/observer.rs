//! What is learned by reading along with recorded streams: the same however they are cut.

use sluicegate::dialect::{self, Observer};
use sluicegate::framing::Splitter;

use crate::support::Recording;

/// The recorded streams with the observers that their requests call for.
fn streams() -> impl Iterator<Item = (Recording, Observer)> {
    dialect::ALL.iter().flat_map(|dialect| {
        let recordings = Recording::streams(dialect.name());
        assert!(recordings.len() >= 9, "too few streams of {}", dialect.name());
        recordings.into_iter().map(|recording| {
            let expected_ends = match recording.request {
                Some(_) => dialect.parse_request(&recording.request()).unwrap().expected_ends,
                None => 1,
            };
            (recording, Observer::new(*dialect, expected_ends))
        })
    })
}

/// What `observer` knows of a stream that came in `pieces`.
fn learn<'a>(mut observer: Observer, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut splitter = Splitter::new(observer.dialect().framing(), 1 << 20);
    for piece in pieces {
        observer.observe(&splitter.push(piece.to_vec().into()).unwrap());
    }
    observer.observe_rest(&splitter.take_partial());
    format!("{observer:?}")
}

#[test]
fn the_same_is_learned_of_a_recorded_stream_wherever_it_is_cut() {
    for (recording, observer) in streams() {
        let stream = recording.response();
        let whole = learn(observer.clone(), [&stream[..]]);
        assert_eq!(learn(observer.clone(), stream.chunks(1)), whole, "{}, byte by byte", recording.file);
        // At every byte of the shorter ones; of all the longest, that would take minutes.
        for at in (0..=stream.len()).step_by(1 + stream.len().pow(2) / 3_000_000) {
            let (one, other) = stream.split_at(at);
            assert_eq!(learn(observer.clone(), [one, other]), whole, "{}, cut at {at}", recording.file);
        }
    }
}

#[test]
fn a_recorded_message_is_complete_at_its_last_event_and_not_before() {
    for (recording, mut observer) in streams().filter(|(recording, _)| recording.dialect == "anthropic") {
        let text = String::from_utf8(recording.response().into()).unwrap();
        for frame in text.split_inclusive("\n\n") {
            assert!(!observer.is_complete() && !observer.may_end(), "{}", recording.file);
            observer.observe(frame.as_bytes());
        }
        assert!(observer.is_complete() && observer.is_done(), "{}", recording.file);
        assert!(observer.error().is_none() && !observer.is_garbled(), "{}", recording.file);
    }
}

#[test]
fn usage_of_a_message_is_all_that_its_model_has_used() {
    let usage = |file: &str| {
        let (recording, mut observer) = streams().find(|(recording, _)| recording.file.contains(file)).unwrap();
        observer.observe(&recording.response());
        let usage = observer.usage().unwrap();
        (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
    };
    assert_eq!(usage("text-haiku"), (15, 0, 9));
    // The numbers beside the iterations are those of the last one; the first read 100 + 55096 tokens to compact them.
    assert_eq!(usage("compaction-cache-usage"), (100 + 55096 + 181, 55096, 83 + 8));
}
