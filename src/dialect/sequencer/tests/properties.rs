//! Any events, in any order.

use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;

use super::{B, Sequencer, arguments, call, fact, finish, refusal, seal, text, thoughts};
use crate::canonical::{ChatAnswer, ChatEvent, FinishReason, Part, Text, ToolCall};
use crate::dialect::translate::{Delta, Encoder};
use crate::error::Error;

/// What a checker has been told.
#[derive(Default)]
struct Told {
    started: bool,
    finished: bool,
    /// What is open, put together of what was told of it.
    open: Option<Part>,
    closed: Vec<Part>,
    texts: String,
}

/// Holds what it is told to the order that encoders rely on.
#[derive(Clone, Default)]
struct Checker(Arc<Mutex<Told>>);

impl Encoder for Checker {
    fn start(&mut self, _: &ChatAnswer, _: &mut Vec<u8>) {
        let mut told = self.0.lock().unwrap();
        assert!(!std::mem::replace(&mut told.started, true) && !told.finished);
    }

    fn open(&mut self, part: &Part, _: &mut Vec<u8>) {
        let mut told = self.0.lock().unwrap();
        assert!(told.started && !told.finished && told.open.is_none());
        told.open = Some(part.clone());
    }

    fn delta(&mut self, delta: Delta<'_>, _: &mut Vec<u8>) {
        let told = &mut *self.0.lock().unwrap();
        match (told.open.as_mut().unwrap(), delta) {
            (Part::Text(own), Delta::Text { text, .. }) => {
                own.text.push_str(text);
                told.texts.push_str(text);
            }
            (Part::Text(own), Delta::Annotation(fact)) => own.annotations.push(fact.clone()),
            (Part::Refusal(own), Delta::Refusal(text)) => own.push_str(text),
            (Part::Reasoning { text: own, .. }, Delta::Reasoning(text)) => own.push_str(text),
            (Part::ToolCall(own), Delta::Arguments(fragment)) => own.arguments.push_str(fragment),
            (
                Part::Text(Text { seal, .. }) | Part::Reasoning { seal, .. } | Part::ToolCall(ToolCall { seal, .. }),
                Delta::Seal(mark),
            ) => *seal = Some(mark.clone()),
            (open, delta) => panic!("{delta:?} in {open:?}"),
        }
    }

    fn close(&mut self, part: &Part, _: &mut Vec<u8>) {
        let mut told = self.0.lock().unwrap();
        assert_eq!(told.open.take().as_ref(), Some(part));
        told.closed.push(part.clone());
    }

    fn finish(&mut self, answer: &ChatAnswer, _: &mut Vec<u8>) {
        let mut told = self.0.lock().unwrap();
        assert!(told.started && !std::mem::replace(&mut told.finished, true) && told.open.is_none());
        assert_eq!(answer.parts, told.closed);
    }

    fn fail(&mut self, error: &Error, _: &mut Vec<u8>) {
        panic!("{error}");
    }
}

/// Events by number, and the number of a call that they may be about.
fn event(kind: u8, about: u32, calls: &mut u32) -> ChatEvent<'static> {
    match kind {
        0..=2 => text("a"),
        3 => thoughts("b"),
        4 => refusal("c"),
        5 => seal("d"),
        6 => fact("e"),
        7 => B,
        8 => finish(FinishReason::Length),
        9 | 10 => {
            *calls += 1;
            call(*calls - 1, "f")
        }
        11 => arguments(about, "{\"x\":"),
        12 => arguments(about, "1}"),
        _ => arguments(about, "{}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_events_are_told_in_order_in_time_and_without_a_loss(events in vec((0..14_u8, 0..4_u32), 0..30)) {
        let checker = Checker::default();
        let mut sequencer = Sequencer::new(Box::new(checker.clone()), "d", "p".to_owned(), "answer".to_owned());
        let (mut calls, mut out) = (0, Vec::new());
        let (mut texts, mut fragments) = (String::new(), String::new());
        for (kind, about) in events {
            let event = event(kind, about, &mut calls);
            match &event {
                ChatEvent::Text { text, .. } => texts.push_str(text),
                ChatEvent::Arguments { fragment, .. } => fragments.push_str(fragment),
                _ => {}
            }
            sequencer.take(event, &mut out);
            let told = checker.0.lock().unwrap();
            // Only a call of which more may come makes a text wait.
            prop_assert!(told.texts == texts || matches!(told.open, Some(Part::ToolCall(_))));
        }
        sequencer.finish(&mut out);
        let is_stray = !sequencer.unmapped().is_empty();
        let answer = sequencer.into_answer();
        let told_calls: Vec<&ToolCall> =
            answer.parts.iter().filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None }).collect();
        let told_fragments: usize = told_calls.iter().map(|call| call.arguments.len()).sum();
        prop_assert_eq!(answer.text(), texts);
        prop_assert_eq!(told_calls.len(), calls as usize);
        prop_assert!(told_fragments == fragments.len() || is_stray);
    }
}
