//! Whatever a decoder may tell, in whatever disorder, becomes a stream that each dialect allows, and nothing of it is lost.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use sluicegate::canonical::{Annotation, ChatEvent, Finish, FinishReason, Logprob, ToolKind, Usage};
use sluicegate::dialect::{AnswerContext, Dialect, Sequencer, Shape};
use sluicegate::error::Error;

use crate::support::grammar;
use crate::support::told::{Call, Told, words};
use crate::support::translation::{PROVIDER, context, targets};

/// Something that a decoder tells.
#[derive(Debug, Clone)]
enum Loose {
    Start,
    Text(String),
    Logprob(String),
    Refusal(String),
    Reasoning(String),
    Seal,
    Annotation(Option<String>),
    Call {
        id: Option<String>,
        name: String,
        arguments: String,
        kind: ToolKind,
    },
    /// More of the arguments of one of the calls so far: this many characters.
    Arguments(usize, usize),
    Boundary,
    Usage(u64, u64),
    Finish(FinishReason),
    Unmapped,
}

/// Text as models write it, and as none should.
fn text() -> impl Strategy<Value = String> {
    let odd = ["", "\n", "\r\n\r\n", "\"", "\\", "data: x\n\n", "[DONE]", "\u{0}", "\u{2028}", "🦀", "</think>", " "];
    prop_oneof![3 => "[a-z ]{1,12}", 1 => "\\PC{0,6}", 1 => prop::sample::select(odd.to_vec()).prop_map(str::to_owned)]
}

/// What a tool takes, and what it is called with.
fn arguments() -> impl Strategy<Value = (ToolKind, String)> {
    let object = prop::collection::btree_map("[a-z]{1,5}", text(), 0..3);
    prop_oneof![
        1 => Just((ToolKind::Function, String::new())),
        4 => object.prop_map(|object| (ToolKind::Function, serde_json::to_string(&object).unwrap())),
        1 => text().prop_map(|text| (ToolKind::Custom, text)),
    ]
}

fn loose() -> impl Strategy<Value = Loose> {
    use FinishReason as Reason;
    let reasons = [
        Reason::Stop,
        Reason::StopSequence,
        Reason::Length,
        Reason::ContextFull,
        Reason::ToolCalls,
        Reason::Refusal,
        Reason::Pause,
        Reason::MalformedToolCall,
        Reason::Other,
    ];
    let id = prop_oneof![
        Just(None),
        Just(Some(String::new())),
        "call_[a-z0-9]{6}".prop_map(Some),
        "f[.:][0-9]{3}".prop_map(Some)
    ];
    prop_oneof![
        1 => Just(Loose::Start),
        8 => text().prop_map(Loose::Text),
        1 => text().prop_map(Loose::Logprob),
        1 => text().prop_map(Loose::Refusal),
        4 => text().prop_map(Loose::Reasoning),
        2 => Just(Loose::Seal),
        1 => prop::option::of(text()).prop_map(Loose::Annotation),
        3 => (id, "[a-z_]{1,9}", arguments())
            .prop_map(|(id, name, (kind, arguments))| Loose::Call { id, name, arguments, kind }),
        6 => (0_usize..4, 0_usize..9).prop_map(|(call, length)| Loose::Arguments(call, length)),
        1 => Just(Loose::Boundary),
        1 => (0_u64..99, 0_u64..99).prop_map(|(input, output)| Loose::Usage(input, output)),
        1 => prop::sample::select(reasons.to_vec()).prop_map(Loose::Finish),
        1 => Just(Loose::Unmapped),
    ]
}

/// What a decoder tells of one answer. Who got a call wrong has no others: it is no answer, then.
fn answer(longest: usize) -> impl Strategy<Value = Vec<Loose>> {
    prop::collection::vec(loose(), 0..longest).prop_map(|mut loose| {
        if loose.iter().any(|event| matches!(event, Loose::Call { .. })) {
            loose.retain(|event| !matches!(event, Loose::Finish(FinishReason::MalformedToolCall)));
        }
        loose
    })
}

/// A call of which some arguments are still to be told.
struct Open {
    arguments: String,
    told: usize,
    is_text: bool,
}

/// Tells what is `loose`, and what is missing of the calls then, and writes down what a client must learn of it.
fn tell(loose: &[Loose], mut take: impl FnMut(ChatEvent<'_>)) -> (Told, Option<FinishReason>) {
    let (mut told, mut calls, mut finish) = (Told::default(), Vec::<Open>::new(), None);
    let more = |key: usize, call: &mut Open, length: usize, take: &mut dyn FnMut(ChatEvent<'_>)| {
        let piece: String = call.arguments[call.told..].chars().take(length).collect();
        call.told += piece.len();
        take(ChatEvent::Arguments { key: key as u32, fragment: piece.into() });
    };
    let mut last = None;
    for event in loose {
        last = match event {
            Loose::Call { .. } => Some(calls.len()),
            Loose::Arguments(key, length) if *length > 0 && *key < calls.len() => {
                let is_over = calls[*key].told == calls[*key].arguments.len();
                if is_over { last } else { Some(*key) }
            }
            Loose::Text(text) | Loose::Refusal(text) | Loose::Reasoning(text) if !text.is_empty() => None,
            Loose::Logprob(_) | Loose::Annotation(_) => None,
            _ => last,
        };
        match event {
            Loose::Start => {
                take(ChatEvent::Start {
                    id: Some("upstream-id".into()),
                    model: Some("upstream-model".into()),
                    created: None,
                });
            }
            Loose::Text(text) => {
                told.text.push_str(text);
                take(ChatEvent::Text { text: text.into(), logprobs: Vec::new() });
            }
            Loose::Logprob(token) => {
                told.text.push_str(token);
                let logprob = Logprob { token: token.clone(), logprob: -0.5, ..Logprob::default() };
                take(ChatEvent::Text { text: token.into(), logprobs: vec![logprob] });
            }
            Loose::Refusal(text) => {
                told.refusal.push_str(text);
                take(ChatEvent::Refusal(text.into()));
            }
            Loose::Reasoning(text) => {
                told.reasoning.push_str(text);
                take(ChatEvent::Reasoning(text.into()));
            }
            Loose::Seal => take(ChatEvent::Seal("c2VhbA==".into())),
            Loose::Annotation(title) => {
                let url = Some("https://example.org/a?b=c".to_owned());
                take(ChatEvent::Annotation(Annotation { url, title: title.clone(), ..Annotation::default() }));
            }
            Loose::Call { id, name, arguments, kind } => {
                let (id, name) = (id.as_deref().map(Into::into), name.into());
                take(ChatEvent::ToolCall { key: calls.len() as u32, id, name, kind: *kind });
                let is_text = *kind == ToolKind::Custom;
                calls.push(Open { arguments: arguments.clone(), told: 0, is_text });
            }
            Loose::Arguments(key, length) => {
                if let Some(call) = calls.get_mut(*key) {
                    more(*key, call, *length, &mut take);
                }
            }
            // It ends the call that something was told of last.
            Loose::Boundary => {
                if let Some(key) = last {
                    more(key, &mut calls[key], usize::MAX, &mut take);
                }
                take(ChatEvent::Boundary);
            }
            Loose::Usage(input_tokens, output_tokens) => {
                let usage = Usage { input_tokens: *input_tokens, output_tokens: *output_tokens, ..Usage::default() };
                take(ChatEvent::Usage(usage));
            }
            Loose::Finish(reason) => {
                finish = Some(*reason);
                take(ChatEvent::Finish(Finish::new(*reason, "word")));
            }
            Loose::Unmapped => take(ChatEvent::Unmapped("picture".into())),
        }
    }
    for (key, call) in calls.iter_mut().enumerate() {
        more(key, call, usize::MAX, &mut take);
    }
    for call in calls {
        let Open { arguments, is_text, .. } = call;
        told.calls.push(Call { arguments, is_text, ..Call::default() });
    }
    (told, finish)
}

/// A stream of `loose` for a client of `to`, up to its end, or to `error` behind the first `count`.
fn encode(
    loose: &[Loose],
    to: &dyn Dialect,
    shape: Shape,
    error: Option<&Error>,
) -> (String, Told, Option<FinishReason>) {
    let context = AnswerContext { shape, ..context() };
    let mut sequencer = Sequencer::new(to.encoder(&context), "anthropic", PROVIDER.to_owned(), context.id.clone());
    let mut out = Vec::new();
    sequencer.tick(Duration::from_millis(5));
    let (told, finish) = tell(loose, |event| sequencer.take(event, &mut out));
    match error {
        None => sequencer.finish(&mut out),
        Some(error) => sequencer.fail(error, &mut out),
    }
    (String::from_utf8(out).unwrap(), told, finish)
}

/// Text without the space around its parts, which may be told apart by some.
fn plain(text: &str) -> String {
    text.split_whitespace().collect()
}

fn letters(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().collect();
    letters.sort_unstable();
    letters
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_decoder_tells_is_told_whole_in_every_dialect(loose in answer(24)) {
        for (to, shape) in targets() {
            let (out, expected, finish) = encode(&loose, to, shape, None);
            let told = match grammar::check(to.name(), &out) {
                Ok(told) => told,
                Err(error) => return Err(TestCaseError::fail(format!("{} ({shape:?}): {error}, in\n{out}", to.name()))),
            };
            let context = format!("{} ({shape:?}):\n{out}", to.name());
            if to.name().starts_with("openai") {
                prop_assert_eq!(&told.text, &expected.text, "{}", context);
                prop_assert_eq!(&told.refusal, &expected.refusal, "{}", context);
            } else {
                prop_assert_eq!(letters(&told.text), letters(&(expected.text.clone() + &expected.refusal)), "{}", context);
            }
            prop_assert_eq!(plain(&told.reasoning), plain(&expected.reasoning), "{}", context);
            let arguments = |told: &Told| told.calls.iter().map(|call| call.object()).collect::<Vec<_>>();
            prop_assert_eq!(arguments(&told), arguments(&expected), "{}", context);
            let ids: HashSet<&str> = told.calls.iter().map(|call| &*call.id).collect();
            prop_assert!(ids.len() == told.calls.len() || to.name() == "ollama" || to.name() == "gemini", "{}", context);
            let refuses = !expected.refusal.is_empty();
            prop_assert!(is_expected(to.name(), finish, refuses, &told), "{:?} is {:?} in {}", finish, told.finish, context);
        }
    }

    #[test]
    fn whatever_breaks_off_ends_in_one_error_in_every_dialect(loose in answer(12)) {
        let error = Error::UpstreamTruncated { provider: PROVIDER.to_owned() };
        for (to, shape) in targets() {
            let (out, ..) = encode(&loose, to, shape, Some(&error));
            match grammar::check(to.name(), &out) {
                Ok(told) => prop_assert_eq!(told.error, Some(error.to_string()), "{}", out),
                Err(fault) => return Err(TestCaseError::fail(format!("{} ({shape:?}): {fault}, in\n{out}", to.name()))),
            }
        }
    }
}

/// Whether the finish that was told is a word for `reason`. A model that has called waits, whatever else is said, unless it was
/// stopped; and one that refuses in words may be said to refuse.
fn is_expected(dialect: &str, reason: Option<FinishReason>, refuses: bool, told: &Told) -> bool {
    use crate::support::told::Finish as Why;
    let why = match reason.unwrap_or(FinishReason::Stop) {
        FinishReason::Stop => Why::Stop,
        FinishReason::StopSequence => Why::StopSequence,
        FinishReason::Length => Why::Length,
        FinishReason::ContextFull => Why::ContextFull,
        FinishReason::ToolCalls => Why::ToolCalls,
        FinishReason::Refusal => Why::Refusal,
        FinishReason::Pause => Why::Pause,
        FinishReason::MalformedToolCall => Why::Malformed,
        FinishReason::Other => Why::Other,
    };
    let is_vague = matches!(why, Why::Stop | Why::Pause | Why::Other);
    let mut whys = match why {
        _ if is_vague && !told.calls.is_empty() => vec![Why::ToolCalls],
        // Calls that never came, or came beside: a word that fits them may be told.
        Why::ToolCalls if told.calls.is_empty() => vec![Why::ToolCalls, Why::Stop],
        Why::StopSequence | Why::Malformed => vec![why, Why::Stop, Why::ToolCalls],
        _ => vec![why],
    };
    whys.extend(refuses.then_some(Why::Refusal));
    whys.iter().any(|why| told.finish.as_deref().is_some_and(|word| words(dialect, *why).contains(&word)))
}
