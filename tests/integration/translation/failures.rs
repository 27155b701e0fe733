//! A stream that breaks off is told so in the client's own way, and never looks whole.

use sluicegate::dialect::Dialect;

use super::{answers, assert_none};
use crate::support::grammar;
use crate::support::translation::{Source, context, targets};
use sluicegate::dialect::{AnswerContext, Shape};

/// An error in the midst of a stream of `dialect`, in its own shape.
fn error_event(dialect: &str) -> &'static str {
    match dialect {
        "openai-chat" => {
            "data: {\"error\":{\"message\":\"out of luck\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n"
        }
        "openai-responses" => {
            "event: error\ndata: {\"type\":\"error\",\"sequence_number\":7,\"error\":{\"type\":\"server_error\",\"code\":\"server_error\",\"message\":\"out of luck\",\"param\":null}}\n\n"
        }
        "anthropic" => {
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"out of luck\"}}\n\n"
        }
        "gemini" => {
            "data: {\"error\": {\"code\": 503,\"message\": \"out of luck\",\"status\": \"UNAVAILABLE\"}}\r\n\r\n"
        }
        "ollama" => "{\"error\":\"out of luck\"}\n",
        _ => panic!("{dialect} is no dialect"),
    }
}

/// What is wrong with `source`, which is broken off, as a client of `to` reads it. `whole` is the text of the whole answer.
fn fault(source: &Source, to: &'static dyn Dialect, shape: Shape, whole: &str, message: &str) -> Option<String> {
    let out = source.translate(to, &AnswerContext { shape, ..context() }, [&source.stream[..]]);
    let out = String::from_utf8(out).unwrap();
    let told = match grammar::check(to.name(), &out) {
        Ok(told) => told,
        Err(error) => return Some(format!("{error}, in\n{out}")),
    };
    let is_told = told.error.as_deref().is_some_and(|error| error.contains(message));
    let is_beginning = whole.starts_with(&*(told.text.clone() + &told.refusal));
    (!is_told || told.ended || !is_beginning).then(|| format!("{told:?}"))
}

/// Every answer, broken off at some places between and inside of its frames; with the text of the whole.
fn beginnings() -> impl Iterator<Item = (Source, String)> {
    answers().filter(|source| source.error().is_none()).flat_map(|source| {
        let told = source.told();
        let whole = told.text + &told.refusal;
        let boundaries = source.boundaries();
        // A long stream says little more than a short one.
        let steps = if source.stream.len() > 50_000 { 2 } else { 4 };
        let between = (0..steps).map(|step| boundaries[boundaries.len() * step / steps]);
        let inside = (1..steps).map(|step| source.stream.len() * step / steps);
        let cuts: Vec<usize> = between.chain(inside).collect();
        cuts.into_iter().map(move |at| {
            let file = format!("{}, broken off at {at},", source.file);
            (Source::new(&file, source.dialect, source.stream.slice(..at)), whole.clone())
        })
    })
}

#[test]
fn a_stream_that_breaks_off_ends_in_an_error_and_no_end() {
    let mut faults = Vec::new();
    for (source, whole) in beginnings().filter(|(source, _)| source.error().is_some()) {
        for (to, shape) in targets().filter(|(to, _)| *to != source.dialect) {
            if let Some(fault) = fault(&source, to, shape, &whole, "ended before the answer was finished") {
                faults.push(format!("{} to {} ({shape:?}): {fault}", source.file, to.name()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn an_error_of_the_upstream_is_told_in_its_words_and_ends_the_stream() {
    let mut faults = Vec::new();
    for (beginning, whole) in beginnings() {
        let dialect = beginning.dialect;
        // Behind the last whole frame.
        let at = beginning.boundaries().into_iter().rev().find(|at| ends_frame(&beginning, *at)).unwrap();
        let stream = [&beginning.stream[..at], error_event(dialect.name()).as_bytes()].concat();
        let source = Source::new(&beginning.file, dialect, stream);
        for (to, shape) in targets().filter(|(to, _)| *to != dialect) {
            if let Some(fault) = fault(&source, to, shape, &whole, "out of luck") {
                faults.push(format!("{} with an error, to {} ({shape:?}): {fault}", source.file, to.name()));
            }
        }
    }
    assert_none(&faults);
}

fn ends_frame(source: &Source, at: usize) -> bool {
    let end: &[u8] = if source.dialect.name() == "ollama" { b"\n" } else { b"\n\n" };
    let stream = &source.stream[..at];
    stream.is_empty() || stream.ends_with(end) || stream.ends_with(b"\r\n\r\n")
}
