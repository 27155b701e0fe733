//! How an answer begins and ends, and what it is called.

use std::borrow::Cow;
use std::time::Duration;

use super::{B, arguments, call, finish, sequencer, text, thoughts, told};
use crate::canonical::{ChatEvent, FinishReason, Part, ToolCall, ToolKind, Usage, ids};
use crate::error::Error;

#[test]
fn a_call_without_a_name_of_its_own_is_given_one_that_is_the_same_again() {
    let nameless = |key, id: Option<&'static str>| {
        let (id, name) = (id.map(Cow::Borrowed), Cow::Borrowed("f"));
        ChatEvent::ToolCall { key, id, name, kind: ToolKind::Function }
    };
    let (first, third) = (ids::call_id("answer", 0), ids::call_id("answer", 2));
    let lines = told(vec![nameless(0, None), B, nameless(1, Some("own")), B, nameless(2, Some("")), B]);
    assert_eq!(lines[0], format!("open call {first} f "));
    assert_eq!(lines[2], "open call own f ");
    assert_eq!(lines[4], format!("open call {third} f "));
}

#[test]
fn the_beginning_tells_what_is_known_with_it_and_comes_once() {
    let (recorder, mut sequencer) = sequencer();
    let mut out = Vec::new();
    let start = |id: &'static str| ChatEvent::Start { id: Some(id.into()), model: None, created: None };
    sequencer.tick(Duration::from_millis(2));
    for event in [start(""), start("one"), ChatEvent::Usage(Usage { input_tokens: 5, ..Usage::default() })] {
        sequencer.take(event, &mut out);
    }
    assert_eq!(recorder.lines(), ["tick 2ms"]);
    sequencer.start(&mut out);
    sequencer.take(start("two"), &mut out);
    sequencer.start(&mut out);
    sequencer.take(text("a"), &mut out);
    assert_eq!(recorder.lines()[1..3], [r#"start Some("one") Some(5)"#, r#"open text """#].map(str::to_owned));
}

#[test]
fn a_stream_that_says_nothing_still_begins_and_ends() {
    let (recorder, mut sequencer) = sequencer();
    sequencer.finish(&mut Vec::new());
    sequencer.finish(&mut Vec::new());
    assert_eq!(recorder.lines(), ["start None None", "finish Stop"]);
    assert!(sequencer.has_ended());
}

#[test]
fn a_model_that_calls_tools_waits_for_them_whatever_word_its_server_has() {
    let reason = |events: Vec<ChatEvent<'_>>| {
        let (recorder, mut sequencer) = sequencer();
        events.into_iter().for_each(|event| sequencer.take(event, &mut Vec::new()));
        sequencer.finish(&mut Vec::new());
        recorder.lines().pop().unwrap()
    };
    for vague in [FinishReason::Stop, FinishReason::Other, FinishReason::Pause] {
        assert_eq!(reason(vec![finish(vague), call(0, "a")]), "finish ToolCalls");
    }
    assert_eq!(reason(vec![call(0, "a")]), "finish ToolCalls");
    for clear in [FinishReason::Length, FinishReason::Refusal, FinishReason::ContextFull] {
        assert_eq!(reason(vec![call(0, "a"), finish(clear)]), format!("finish {clear:?}"));
    }
    assert_eq!(reason(vec![finish(FinishReason::Stop), finish(FinishReason::Length), text("a")]), "finish Length");
    assert_eq!(reason(vec![text("a")]), "finish Stop");
}

#[test]
fn the_answer_is_all_that_was_said_in_its_order() {
    let (_, mut sequencer) = sequencer();
    for event in [call(0, "a"), text("b"), arguments(0, "{}"), thoughts("c"), ChatEvent::Usage(Usage::default())] {
        sequencer.take(event, &mut Vec::new());
    }
    sequencer.finish(&mut Vec::new());
    let answer = sequencer.into_answer();
    let call = ToolCall { id: "a".into(), name: "a".into(), arguments: "{}".into(), ..ToolCall::default() };
    let thoughts = Part::Reasoning { text: "c".into(), seal: None };
    assert_eq!(answer.parts, [Part::ToolCall(call), Part::text("b"), thoughts]);
    assert_eq!(answer.usage, Some(Usage::default()));
    assert_eq!(answer.finish.unwrap().reason, FinishReason::ToolCalls);
}

#[test]
fn nothing_comes_behind_a_failure() {
    let (recorder, mut sequencer) = sequencer();
    let mut out = Vec::new();
    sequencer.take(text("a"), &mut out);
    sequencer.fail(&Error::MissingKey, &mut out);
    let lines = recorder.lines();
    assert_eq!(lines.last().unwrap(), &format!("fail {}", Error::MissingKey));
    sequencer.take(text("b"), &mut out);
    sequencer.fail(&Error::MissingKey, &mut out);
    sequencer.finish(&mut out);
    sequencer.start(&mut out);
    assert_eq!(recorder.lines(), lines);
}

#[test]
fn a_failure_before_the_beginning_is_all_there_is() {
    let (recorder, mut sequencer) = sequencer();
    sequencer.fail(&Error::MissingKey, &mut Vec::new());
    sequencer.start(&mut Vec::new());
    assert_eq!(recorder.lines().len(), 1);
}
