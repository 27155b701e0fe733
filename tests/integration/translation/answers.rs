//! Answers that did not stream: the same as if they had.

use std::sync::Arc;

use sluicegate::canonical::ChatRequest;
use sluicegate::dialect::{AnswerContext, Shape, transcoder};

use super::{answers, assert_none};
use crate::support::Recording;
use crate::support::grammar::check_answer;
use crate::support::told::{differences, read_answer};
use crate::support::translation::{PROVIDER, all, context, request, targets};

fn context_of(shape: Shape) -> AnswerContext {
    let request = Arc::new(ChatRequest { stream: false, ..request() });
    AnswerContext { shape, request, ..context() }
}

#[test]
fn the_answer_that_a_stream_is_tells_the_same_in_every_dialect() {
    let mut faults = Vec::new();
    for source in answers().filter(|source| source.error().is_none()) {
        let answer = source.answer();
        for (to, shape) in targets().filter(|(_, shape)| *shape != Shape::Array) {
            let body = String::from_utf8(to.encode_answer(&answer, &context_of(shape)).to_vec()).unwrap();
            let mut from = source.told();
            // Where a message has one text and one thought, and where arguments are objects.
            let found = match check_answer(to.name(), &body) {
                Ok(told) => {
                    if to.name() == "ollama" {
                        from.order.clone_from(&told.order);
                    }
                    if to.name() == "anthropic" {
                        let count = from.calls.len();
                        from.calls.retain(|call| call.object().is_some());
                        from.order.truncate(from.order.len() + from.calls.len() - count);
                    }
                    differences(&from, source.dialect.name(), &told, to.name())
                }
                Err(fault) => vec![format!("{fault}, in {body}")],
            };
            for fault in found {
                let fault: String = fault.chars().take(900).collect();
                faults.push(format!("{} to {} ({shape:?}): {fault}", source.file, to.name()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn a_recorded_answer_tells_the_same_in_every_dialect() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (from, recording) in recorded() {
        let told = read_answer(from.name(), &recording.response());
        let (answer, _) = transcoder::read_answer(from, PROVIDER, &context().id, &recording.response()).unwrap();
        for (to, shape) in targets().filter(|(_, shape)| *shape != Shape::Array) {
            let body = String::from_utf8(to.encode_answer(&answer, &context_of(shape)).to_vec()).unwrap();
            let found = match check_answer(to.name(), &body) {
                Ok(again) => differences(&told, from.name(), &again, to.name()),
                Err(fault) => vec![format!("{fault}, in {body}")],
            };
            faults.extend(found.into_iter().map(|fault| format!("{} to {}: {fault}", recording.file, to.name())));
            count += 1;
        }
    }
    assert!(count >= 10, "{count}");
    assert_none(&faults);
}

/// The recorded answers that did not stream.
fn recorded() -> impl Iterator<Item = (&'static dyn sluicegate::dialect::Dialect, Recording)> {
    let recordings = Recording::all().into_iter().filter(|recording| recording.is("nonstream"));
    recordings.filter_map(|recording| Some((all().find(|dialect| dialect.name() == recording.dialect)?, recording)))
}
