//! What an encoder is told, call by call.

mod ends;
mod properties;
mod seals;

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Sequencer;
use crate::canonical::{Annotation, ChatAnswer, ChatEvent, Finish, FinishReason, Logprob, Part, Seal, ToolKind};
use crate::dialect::translate::{Delta, Encoder};
use crate::error::Error;

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn describe(part: &Part) -> String {
    let mark = |seal: &Option<Seal>| {
        seal.as_ref().map(|seal| format!(" sealed {}/{}/{}", seal.dialect, seal.provider, seal.data))
    };
    match part {
        Part::Text(text) => {
            let facts: String =
                text.annotations.iter().map(|fact| format!(" [{}]", fact.url.as_deref().unwrap())).collect();
            let tokens: String = text.logprobs.iter().map(|token| format!(" ({})", token.token)).collect();
            format!("text {:?}{facts}{tokens}{}", text.text, mark(&text.seal).unwrap_or_default())
        }
        Part::Refusal(text) => format!("refusal {text:?}"),
        Part::Reasoning { text, seal } => format!("thoughts {text:?}{}", mark(seal).unwrap_or_default()),
        Part::ToolCall(call) => {
            format!("call {} {} {}{}", call.id, call.name, call.arguments, mark(&call.seal).unwrap_or_default())
        }
        _ => panic!("no part of an answer"),
    }
}

impl Encoder for Recorder {
    fn tick(&mut self, elapsed: Duration) {
        self.write(format!("tick {elapsed:?}"));
    }
    fn start(&mut self, answer: &ChatAnswer, _: &mut Vec<u8>) {
        self.write(format!("start {:?} {:?}", answer.id, answer.usage.map(|usage| usage.input_tokens)));
    }
    fn open(&mut self, part: &Part, _: &mut Vec<u8>) {
        self.write(format!("open {}", describe(part)));
    }
    fn delta(&mut self, delta: Delta<'_>, _: &mut Vec<u8>) {
        self.write(match delta {
            Delta::Text { text, logprobs } => format!("+ text {text:?}{}", " ()".repeat(logprobs.len())),
            Delta::Refusal(text) => format!("+ refusal {text:?}"),
            Delta::Reasoning(text) => format!("+ thoughts {text:?}"),
            Delta::Arguments(text) => format!("+ arguments {text}"),
            Delta::Seal(seal) => format!("+ seal {}", seal.data),
            Delta::Annotation(fact) => format!("+ fact {}", fact.url.as_deref().unwrap()),
        });
    }
    fn close(&mut self, part: &Part, _: &mut Vec<u8>) {
        self.write(format!("close {}", describe(part)));
    }
    fn finish(&mut self, answer: &ChatAnswer, _: &mut Vec<u8>) {
        self.write(format!("finish {:?}", answer.finish.as_ref().unwrap().reason));
    }
    fn fail(&mut self, error: &Error, _: &mut Vec<u8>) {
        self.write(format!("fail {error}"));
    }
}

fn sequencer() -> (Recorder, Sequencer) {
    let recorder = Recorder::default();
    (recorder.clone(), Sequencer::new(Box::new(recorder), "d", "p".to_owned(), "answer".to_owned()))
}

/// What is told of `events` up to the end of the stream, without the first line and the last, which are always the same.
fn told(events: Vec<ChatEvent<'_>>) -> Vec<String> {
    let (recorder, mut sequencer) = sequencer();
    let mut out = Vec::new();
    for event in events {
        sequencer.take(event, &mut out);
    }
    sequencer.finish(&mut out);
    let lines = recorder.lines();
    assert!(lines[0].starts_with("start") && lines[lines.len() - 1].starts_with("finish"), "{lines:?}");
    lines[1..lines.len() - 1].to_vec()
}

fn text(text: &str) -> ChatEvent<'_> {
    ChatEvent::Text { text: Cow::Borrowed(text), logprobs: Vec::new() }
}

fn thoughts(text: &str) -> ChatEvent<'_> {
    ChatEvent::Reasoning(Cow::Borrowed(text))
}

fn refusal(text: &str) -> ChatEvent<'_> {
    ChatEvent::Refusal(Cow::Borrowed(text))
}

fn seal(data: &str) -> ChatEvent<'_> {
    ChatEvent::Seal(Cow::Borrowed(data))
}

/// A call that is called what its tool is.
fn call(key: u32, name: &str) -> ChatEvent<'_> {
    let kind = ToolKind::Function;
    ChatEvent::ToolCall { key, id: Some(Cow::Borrowed(name)), name: Cow::Borrowed(name), kind }
}

fn arguments(key: u32, fragment: &str) -> ChatEvent<'_> {
    ChatEvent::Arguments { key, fragment: Cow::Borrowed(fragment) }
}

fn fact(url: &str) -> ChatEvent<'_> {
    ChatEvent::Annotation(Annotation { url: Some(url.to_owned()), ..Annotation::default() })
}

fn finish(reason: FinishReason) -> ChatEvent<'static> {
    ChatEvent::Finish(Finish::new(reason, "word"))
}

const B: ChatEvent<'static> = ChatEvent::Boundary;

#[test]
fn pieces_of_a_kind_are_one_part_and_another_kind_is_another() {
    let lines = told(vec![thoughts("a"), thoughts("b"), text("c"), text("d"), refusal("e"), text("f")]);
    let expected = [
        r#"open thoughts """#,
        r#"+ thoughts "a""#,
        r#"+ thoughts "b""#,
        r#"close thoughts "ab""#,
        r#"open text """#,
        r#"+ text "c""#,
        r#"+ text "d""#,
        r#"close text "cd""#,
        r#"open refusal """#,
        r#"+ refusal "e""#,
        r#"close refusal "e""#,
        r#"open text """#,
        r#"+ text "f""#,
        r#"close text "f""#,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_boundary_parts_what_is_of_a_kind_and_is_nothing_between_kinds() {
    let parted = told(vec![B, text("a"), B, B, text("b")]);
    assert_eq!(
        parted,
        [
            r#"open text """#,
            r#"+ text "a""#,
            r#"close text "a""#,
            r#"open text """#,
            r#"+ text "b""#,
            r#"close text "b""#
        ]
    );
    assert_eq!(told(vec![thoughts("a"), B, text("b"), B]), told(vec![thoughts("a"), text("b")]));
}

#[test]
fn what_is_empty_is_nothing() {
    assert_eq!(told(vec![text(""), thoughts(""), refusal(""), seal("")]), [""; 0]);
    assert_eq!(told(vec![call(0, "a"), arguments(0, "")]), ["open call a a ", "close call a a "]);
}

#[test]
fn the_probabilities_of_an_empty_text_are_told() {
    let token = Logprob { token: "x".to_owned(), ..Logprob::default() };
    let event = ChatEvent::Text { text: Cow::Borrowed(""), logprobs: vec![token] };
    assert_eq!(told(vec![event]), [r#"open text """#, r#"+ text "" ()"#, r#"close text "" (x)"#]);
}

#[test]
fn a_fact_before_its_text_opens_the_text() {
    let lines = told(vec![fact("u"), text("a"), fact("v"), text("b")]);
    let expected =
        [r#"open text """#, "+ fact u", r#"+ text "a""#, "+ fact v", r#"+ text "b""#, r#"close text "ab" [u] [v]"#];
    assert_eq!(lines, expected);
}

#[test]
fn calls_that_are_woven_into_each_other_come_one_after_the_other() {
    let lines = told(vec![
        call(7, "a"),
        call(3, "b"),
        arguments(3, "{\"y\""),
        arguments(7, "{\"x\""),
        arguments(3, ":2}"),
        arguments(7, ":1}"),
        call(4, "c"),
        arguments(4, "{}"),
    ]);
    let expected = [
        "open call a a ",
        "+ arguments {\"x\"",
        "+ arguments :1}",
        "close call a a {\"x\":1}",
        "open call b b ",
        "+ arguments {\"y\":2}",
        "close call b b {\"y\":2}",
        "open call c c ",
        "+ arguments {}",
        "close call c c {}",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_waits_for_a_call_goes_on_the_moment_the_call_is_whole() {
    let (recorder, mut sequencer) = sequencer();
    let mut out = Vec::new();
    for event in [call(0, "a"), arguments(0, "{\"x\":{}"), text("b"), text("c")] {
        sequencer.take(event, &mut out);
    }
    assert_eq!(recorder.lines().last().unwrap(), "+ arguments {\"x\":{}");
    sequencer.take(arguments(0, "}"), &mut out);
    assert_eq!(recorder.lines().last().unwrap(), r#"+ text "bc""#);
    sequencer.take(text("d"), &mut out);
    assert_eq!(recorder.lines().last().unwrap(), r#"+ text "d""#);
}

#[test]
fn calls_without_arguments_do_not_swallow_each_other() {
    let lines = told(vec![call(0, "a"), call(1, "b"), arguments(1, "{}"), call(2, "c"), text("d")]);
    let expected = [
        "open call a a ",
        "close call a a ",
        "open call b b ",
        "+ arguments {}",
        "close call b b {}",
        "open call c c ",
        "close call c c ",
        r#"open text """#,
        r#"+ text "d""#,
        r#"close text "d""#,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_boundary_ends_a_call_that_never_becomes_an_object() {
    let (recorder, mut sequencer) = sequencer();
    let mut out = Vec::new();
    for event in [call(0, "a"), arguments(0, "{\"x"), B, text("b")] {
        sequencer.take(event, &mut out);
    }
    assert_eq!(recorder.lines()[3..], ["close call a a {\"x", r#"open text """#, r#"+ text "b""#].map(str::to_owned));
}

#[test]
fn a_boundary_behind_the_arguments_of_a_call_ends_that_call_and_not_the_last_in_line() {
    let lines =
        told(vec![call(0, "a"), call(1, "b"), arguments(0, "{\"x"), B, arguments(1, "{\"y\""), arguments(1, ":1}")]);
    let expected = [
        "open call a a ",
        "+ arguments {\"x",
        "close call a a {\"x",
        "open call b b ",
        "+ arguments {\"y\"",
        "+ arguments :1}",
        "close call b b {\"y\":1}",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_boundary_in_line_parts_what_waits() {
    let lines = told(vec![call(0, "a"), text("b"), B, text("c"), seal("s"), B, seal("t")]);
    let expected = [
        "open call a a ",
        "close call a a ",
        r#"open text """#,
        r#"+ text "b""#,
        r#"close text "b""#,
        r#"open text """#,
        r#"+ text "c""#,
        "+ seal s",
        r#"close text "c" sealed d/p/s"#,
        r#"open thoughts """#,
        "+ seal t",
        r#"close thoughts "" sealed d/p/t"#,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_text_that_a_tool_takes_is_whole_at_its_end_only() {
    let kind = ToolKind::Custom;
    let begin = ChatEvent::ToolCall { key: 0, id: Some("a".into()), name: "a".into(), kind };
    let lines = told(vec![begin, arguments(0, "{}"), text("b"), arguments(0, " else {}")]);
    assert_eq!(lines[..4], ["open call a a ", "+ arguments {}", "+ arguments  else {}", "close call a a {} else {}"]);
}

#[test]
fn arguments_behind_the_end_of_their_call_are_noted_and_spaces_are_nothing() {
    let (recorder, mut sequencer) = sequencer();
    let mut out = Vec::new();
    for event in [call(0, "a"), arguments(0, "{}"), B, arguments(0, " \n")] {
        sequencer.take(event, &mut out);
    }
    assert_eq!(sequencer.unmapped(), [""; 0]);
    sequencer.take(arguments(0, "{}"), &mut out);
    sequencer.take(arguments(9, "{}"), &mut out);
    sequencer.take(ChatEvent::Unmapped("picture".into()), &mut out);
    sequencer.take(ChatEvent::Unmapped("picture".into()), &mut out);
    assert_eq!(sequencer.unmapped(), ["stray tool call arguments", "picture"]);
    assert_eq!(recorder.lines().last().unwrap(), "close call a a {}");
}
