//! What a client reads of another dialect's stream: a stream that its own dialect allows, which tells what the upstream told.

use std::sync::Arc;

use sluicegate::canonical::ChatRequest;
use sluicegate::dialect::{AnswerContext, Shape};

use super::{answers, assert_none};
use crate::support::grammar;
use crate::support::told::{Finish, Told, differences};
use crate::support::translation::{Source, context, request, sources, targets};

/// What is wrong with `source` as a client of `to` reads it; otherwise what it tells.
fn check(source: &Source, to: &str, out: &[u8]) -> Result<Told, Vec<String>> {
    let out = String::from_utf8(out.to_vec()).map_err(|error| vec![error.to_string()])?;
    let told = grammar::check(to, &out).map_err(|error| vec![format!("{error}, in\n{out}")])?;
    let (from, error) = (source.told(), source.error());
    let mut faults = differences(&from, source.dialect.name(), &told, to);
    // Whose call went wrong may be said to have failed.
    let is_failed = from.why(source.dialect.name()) == Finish::Malformed && told.finish.as_deref() == Some("failed");
    if told.ended != error.is_none() && !is_failed {
        faults.push(format!("the error {:?} is {:?}", error.map(|error| error.to_string()), told.error));
    }
    if faults.is_empty() { Ok(told) } else { Err(faults) }
}

#[test]
fn every_stream_tells_the_same_in_every_other_dialect() {
    let mut faults = Vec::new();
    for source in answers() {
        for (to, shape) in targets().filter(|(to, _)| *to != source.dialect) {
            let context = AnswerContext { shape, ..context() };
            let out = source.translate(to, &context, [&source.stream[..]]);
            for fault in check(&source, to.name(), &out).err().into_iter().flatten() {
                let fault: String = fault.chars().take(1500).collect();
                faults.push(format!("{} to {} ({shape:?}): {fault}", source.file, to.name()));
            }
        }
    }
    assert_none(&faults);
}

/// Whoever splices streams has said something; whatever it was, clients get a stream that is one.
#[test]
fn a_stream_that_begins_anew_in_its_middle_is_still_one_stream_for_a_client() {
    for source in sources().filter(|source| source.file.contains("spliced")) {
        for (to, _) in targets().filter(|(to, shape)| *to != source.dialect && *shape == Shape::Chat) {
            let out = source.translate(to, &context(), [&source.stream[..]]);
            let out = String::from_utf8(out).unwrap();
            let told = grammar::check(to.name(), &out).unwrap_or_else(|error| panic!("{}: {error}\n{out}", to.name()));
            assert!(told.calls.iter().any(|call| call.arguments.contains("Sparkle Day")), "{}: {out}", to.name());
        }
    }
}

#[test]
fn usage_is_told_to_a_client_of_chat_completions_only_if_it_asks() {
    for source in answers().filter(|source| source.dialect.name() != "openai-chat" && source.told().usage.is_some()) {
        for (to, _) in targets().filter(|(to, _)| to.name() == "openai-chat") {
            let asked = source.translate(to, &context(), [&source.stream[..]]);
            let request = Arc::new(ChatRequest { include_usage: false, ..request() });
            let unasked = source.translate(to, &AnswerContext { request, ..context() }, [&source.stream[..]]);
            let unasked = String::from_utf8(unasked).unwrap();
            assert!(!unasked.contains("\"usage\""), "{}: {unasked}", source.file);
            assert!(source.error().is_some() || asked.len() > unasked.len(), "{}", source.file);
        }
    }
}

#[test]
fn a_client_is_told_the_model_it_asked_for_and_an_id_of_the_answers_own() {
    for source in answers().filter(|source| source.error().is_none()) {
        for (to, _) in targets().filter(|(to, shape)| *to != source.dialect && *shape == Shape::Chat) {
            let out = String::from_utf8(source.translate(to, &context(), [&source.stream[..]])).unwrap();
            let first = out.lines().find(|line| line.contains('{')).unwrap_or_default();
            assert!(first.contains("\"the-model\""), "{} to {}: {first}", source.file, to.name());
            let id = first.contains(&context().id);
            assert!(id || to.name() == "ollama", "{} to {}: {first}", source.file, to.name());
        }
    }
}
