//! The format cases of the web platform tests (`eventsource/format-*`), and the rules of
//! [WHATWG HTML §9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html) that have no such case.

use super::invariants::{check, cut};
use super::{reference, sse};

/// The table, which the parser of the pages is held to as well.
const CASES: &str = include_str!("wpt.json");

/// A name, a stream, and its events: type, data, last event id. `{x}` stands for two thousand of that letter.
type Case = (String, String, Vec<(String, String, String)>);

#[test]
fn every_case_gives_its_events_however_it_is_cut() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    assert!(cases.len() > 30);
    for (name, stream, expected) in cases {
        let stream = stream.replace("{x}", &"x".repeat(2000)).into_bytes();
        let expected: Vec<_> = expected.iter().map(|(kind, data, id)| event(kind, data, id)).collect();
        assert_eq!(reference::events(&stream), expected, "{name}");
        for at in 0..=stream.len() {
            check(&cut(&stream, [at]), 16 * 1024);
        }
        check(&cut(&stream, vec![1; stream.len()]), 16 * 1024);
    }
}

fn event(kind: &str, data: &str, id: &str) -> reference::Event {
    reference::Event { r#type: kind.into(), data: data.into(), last_event_id: id.into() }
}

#[test]
fn a_reconnection_time_is_all_digits() {
    for (frame, retry) in [
        ("retry:3000\ndata:x\n\n", Some(3000)),
        ("retry: 3000\n\n", Some(3000)),
        ("retry:3000\nretry:1000x\n\n", Some(3000)),
        ("retry:1000\nretry:3000\n\n", Some(3000)),
        ("retry\ndata:test\n\n", None),
        ("retry:+1\n\n", None),
        ("retry:１\n\n", None),
    ] {
        assert_eq!(sse::Event::parse(frame.as_bytes()).retry, retry, "{frame:?}");
    }
}
