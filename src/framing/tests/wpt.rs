//! The format cases of the web platform tests (`eventsource/format-*`), and the rules of
//! [WHATWG HTML §9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html) that have no such case.

use super::invariants::{check, cut};
use super::{reference, sse};

/// A name, a stream, and its events: type, data, last event id. `{x}` stands for two thousand of that letter.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

const CASES: &[Case] = &[
    ("bom", "\u{feff}data:1\n\n\u{feff}data:2\n\ndata:3\n\n\n", &[("message", "1", ""), ("message", "3", "")]),
    ("bom-2", "\u{feff}\u{feff}data:1\n\ndata:2\n\ndata:3\n\n\n", &[("message", "2", ""), ("message", "3", "")]),
    ("a BOM before an empty line", "\u{feff}\ndata:1\n\n", &[("message", "1", "")]),
    ("a BOM before a comment", "\u{feff}: hi\ndata:1\n\n", &[("message", "1", "")]),
    (
        "comments",
        "data:1\r:\0\n:\r\ndata:2\n:{x}\rdata:3\n:data:fail\r:{x}\ndata:4\n\n",
        &[("message", "1\n2\n3\n4", "")],
    ),
    ("data-before-final-empty-line", "retry:1000\ndata:test1\n\nid:test\ndata:test2\n", &[("message", "test1", "")]),
    (
        "field-data",
        "data:\n\ndata\ndata\n\ndata:test\n\n\n",
        &[("message", "", ""), ("message", "\n", ""), ("message", "test", "")],
    ),
    ("field-event", "event:test\ndata:x\n\ndata:x\n\n\n", &[("test", "x", ""), ("message", "x", "")]),
    ("field-event-empty", "event: \ndata:data\n\n\n", &[("message", "data", "")]),
    ("the last of several types counts", "event:a\nevent:b\ndata:x\n\n", &[("b", "x", "")]),
    ("a type without data is forgotten", "event:test\n\ndata:x\n\n", &[("message", "x", "")]),
    ("field-id", "id:…\ndata:1\n\ndata:2\n\n", &[("message", "1", "…"), ("message", "2", "…")]),
    (
        "field-id-3, persisting",
        "id: 1\ndata: 1\n\ndata: 2\n\nid: 2\ndata: 3\n\ndata: 4\n\n",
        &[("message", "1", "1"), ("message", "2", "1"), ("message", "3", "2"), ("message", "4", "2")],
    ),
    (
        "field-id-3, resetting",
        "id: 1\ndata: 1\n\nid:\ndata: 2\n\ndata: 3\n\n",
        &[("message", "1", "1"), ("message", "2", ""), ("message", "3", "")],
    ),
    (
        "field-id-3, resetting without a colon",
        "id: 1\ndata: 1\n\nid\ndata: 2\n\ndata: 3\n\n",
        &[("message", "1", "1"), ("message", "2", ""), ("message", "3", "")],
    ),
    ("an id without data counts", "id: 1\n\ndata: 1\n\n", &[("message", "1", "1")]),
    ("field-id-null, both", "id:\0\0\ndata:x\n\n", &[("message", "x", "")]),
    ("field-id-null, behind", "id:x\0\ndata:x\n\n", &[("message", "x", "")]),
    ("field-id-null, before", "id:\0x\ndata:x\n\n", &[("message", "x", "")]),
    ("field-id-null, between", "id:x\0x\ndata:x\n\n", &[("message", "x", "")]),
    ("field-id-null, behind a space", "id: \0\ndata:x\n\n", &[("message", "x", "")]),
    ("an id with NUL does not replace the one before", "id:1\nid:\0\ndata:x\n\n", &[("message", "x", "1")]),
    (
        "field-parsing",
        "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
        &[("message", "\0\n 2\n1\n3\n\n4", "")],
    ),
    ("field-retry", "retry:3000\ndata:x\n\n", &[("message", "x", "")]),
    ("a retry without data is no event", "retry:3000\n\n", &[]),
    (
        "field-unknown",
        "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n\n",
        &[("message", "test\n\ntest", "")],
    ),
    ("leading-space", "data:\ttest\rdata: \ndata:test\n\n\n", &[("message", "\ttest\n\ntest", "")]),
    ("newlines", "data:test\r\ndata\ndata:test\r\n\r\n", &[("message", "test\n\ntest", "")]),
    ("only CRLF", "data:1\r\n\r\ndata:2\r\n\r\n", &[("message", "1", ""), ("message", "2", "")]),
    ("only CR", "data:1\r\rdata:2\r\r", &[("message", "1", ""), ("message", "2", "")]),
    ("null-character", "data:\0\n\n\n", &[("message", "\0", "")]),
    ("utf-8", "data:ok…\n\n\n", &[("message", "ok…", "")]),
    (
        "event-data",
        "data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
        &[("message", "msg\nmsg", ""), ("message", "", ""), ("message", "end", "")],
    ),
    ("empty lines between events", "\n\r\n\rdata:1\n\n\n\n\ndata:2\n\n", &[("message", "1", ""), ("message", "2", "")]),
    ("comments between events", ": a\n\n: b\ndata:1\n\n: c\n", &[("message", "1", "")]),
    ("nothing", "", &[]),
];

#[test]
fn every_case_gives_its_events_however_it_is_cut() {
    for (name, stream, expected) in CASES {
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
