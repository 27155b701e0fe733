//! Nothing is held back: what a frame tells is told before the next one is read.

use sluicegate::dialect::Shape;

use super::{answers, assert_none};
use crate::support::told::{self, Told};
use crate::support::translation::{Passage, Source, context, targets};

/// Dialects that tell arguments piece by piece.
const PIECEWISE: [&str; 3] = ["openai-chat", "openai-responses", "anthropic"];

/// How much a client has read: of texts, of thoughts, and of the arguments of calls where those come in pieces.
fn lengths(told: &Told, with_arguments: bool) -> (usize, usize, usize) {
    // Those of a call may have to wait for the end of the one before.
    let is_woven = told.calls.iter().rev().skip(1).any(|call| call.arguments.is_empty() || call.object().is_none());
    let with_arguments = with_arguments && !is_woven;
    let arguments = told.calls.iter().map(|call| call.arguments.len()).sum();
    // Thoughts may be set apart by empty lines.
    let thoughts = told.reasoning.split_whitespace().map(str::len).sum();
    (told.text.len() + told.refusal.len(), thoughts, if with_arguments { arguments } else { 0 })
}

/// Whether what comes behind the last call must wait for its end: its arguments are no whole object yet.
fn may_wait(told: &Told) -> bool {
    told.calls.last().is_some_and(|call| call.arguments.is_empty() || call.object().is_none())
        && !told.order.ends_with('c')
}

/// The first frame of `source` of which a client of `to` has not read all when it has been read.
fn first_held_back(source: &Source, to: &'static dyn sluicegate::dialect::Dialect) -> Option<String> {
    let mut passage = Passage::new(source.dialect, to, &context());
    let (mut upstream, mut client) = (told::reader(source.dialect.name()), told::reader(to.name()));
    // Arguments that come with the beginning of a call are told at its end.
    let in_pieces = !source.file.contains("programmatic")
        && PIECEWISE.contains(&source.dialect.name())
        && PIECEWISE.contains(&to.name());
    for frame in source.dialect.framing().frames(&source.stream) {
        let out = passage.push(frame);
        for (name, data) in told::events(source.dialect.name(), &String::from_utf8_lossy(frame)) {
            upstream.event(name.as_deref(), &data);
        }
        for (name, data) in told::events(to.name(), &String::from_utf8_lossy(&out)) {
            client.event(name.as_deref(), &data);
        }
        let (said, heard) = (lengths(upstream.told(), in_pieces), lengths(client.told(), in_pieces));
        // Of a call without arguments, an empty object may be told.
        let is_behind = (said.0, said.1) != (heard.0, heard.1) || said.2 > heard.2;
        let is_refused = upstream.told().explanation.is_some();
        if is_behind && !is_refused && upstream.told().error.is_none() && !may_wait(upstream.told()) {
            return Some(format!("{said:?} is {heard:?} behind {}", String::from_utf8_lossy(frame)));
        }
    }
    None
}

#[test]
fn what_a_frame_tells_is_told_before_the_next_one_comes() {
    let mut faults = Vec::new();
    for source in answers() {
        for (to, _) in targets().filter(|(to, shape)| *to != source.dialect && *shape == Shape::Chat) {
            if let Some(fault) = first_held_back(&source, to) {
                faults.push(format!("{} to {}: {fault}", source.file, to.name()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_frame_is_written_whole() {
    let mut faults = Vec::new();
    for source in answers() {
        for (to, _) in targets().filter(|(to, shape)| *to != source.dialect && *shape == Shape::Chat) {
            let mut passage = Passage::new(source.dialect, to, &context());
            for frame in source.dialect.framing().frames(&source.stream) {
                let out = passage.push(frame);
                let end: &[u8] = if to.name() == "ollama" {
                    b"\n"
                } else if to.name() == "gemini" {
                    b"\r\n\r\n"
                } else {
                    b"\n\n"
                };
                if !out.is_empty() && !out.ends_with(end) {
                    faults.push(format!("{} to {}: {}", source.file, to.name(), String::from_utf8_lossy(&out)));
                }
            }
        }
    }
    assert_none(&faults);
}
