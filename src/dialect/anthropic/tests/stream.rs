//! How a stream is written, event by event.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value, json};

use super::{context, recording};
use crate::canonical::{Annotation, ChatEvent, Finish, FinishReason, Logprob, On, Seal, ToolKind, Usage};
use crate::dialect::{Anthropic, Sequencer, Transcoder, Translate};
use crate::error::Error;
use crate::framing::Framing;

/// What is written of `events`, as JSON, and checked to be what its name says.
fn written(events: Vec<ChatEvent<'_>>) -> Vec<Value> {
    let mut sequencer = Sequencer::new(Anthropic.encoder(&context()), "other", "p".into(), "A1".into());
    let mut out = Vec::new();
    for event in events {
        sequencer.take(event, &mut out);
    }
    sequencer.finish(&mut out);
    parse(&out)
}

fn parse(out: &[u8]) -> Vec<Value> {
    let events: Vec<Value> = Framing::EventStream
        .events(out)
        .map(|event| {
            let data: Value = serde_json::from_slice(event.data.as_deref().unwrap()).unwrap();
            assert_eq!(data["type"].as_str().map(str::as_bytes), event.event);
            data
        })
        .collect();
    assert!(out.ends_with(b"\n\n"));
    events
}

/// The same without the first event and the last two.
fn blocks(events: Vec<ChatEvent<'_>>) -> Vec<Value> {
    let mut events = written(events);
    assert_eq!(events[0]["type"], "message_start");
    assert_eq!(events.pop().unwrap(), json!({ "type": "message_stop" }));
    assert_eq!(events.pop().unwrap()["type"], "message_delta");
    events.remove(0);
    events
}

fn text(text: &str) -> ChatEvent<'_> {
    ChatEvent::Text { text: Cow::Borrowed(text), logprobs: Vec::new() }
}

fn call(id: &'static str, kind: ToolKind) -> ChatEvent<'static> {
    ChatEvent::ToolCall { key: 0, id: Some(id.into()), name: "f".into(), kind }
}

fn arguments(fragment: &'static str) -> ChatEvent<'static> {
    ChatEvent::Arguments { key: 0, fragment: fragment.into() }
}

fn start(index: u32, block: &Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn delta(index: u32, delta: &Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn stop(index: u32) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

#[test]
fn a_text_is_written_to_the_letter() {
    let mut sequencer = Sequencer::new(Anthropic.encoder(&context()), "other", "p".into(), "A1".into());
    let mut out = Vec::new();
    let usage = Usage { input_tokens: 12, cached_input_tokens: 4, output_tokens: 2, ..Usage::default() };
    sequencer.take(text("a \"b\"\n\u{1f600}"), &mut out);
    sequencer.take(ChatEvent::Usage(usage), &mut out);
    sequencer.take(ChatEvent::Finish(Finish::new(FinishReason::Length, "length")), &mut out);
    sequencer.finish(&mut out);
    let expected = concat!(
        "event: message_start\n",
        r#"data: {"type":"message_start","message":{"id":"msg_A1","type":"message","role":"assistant","model":"theirs","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}"#,
        "\n\nevent: content_block_start\n",
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        "\n\nevent: content_block_delta\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a \\\"b\\\"\\n\u{1f600}\"}}",
        "\n\nevent: content_block_stop\n",
        r#"data: {"type":"content_block_stop","index":0}"#,
        "\n\nevent: message_delta\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"input_tokens":8,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":2}}"#,
        "\n\nevent: message_stop\n",
        r#"data: {"type":"message_stop"}"#,
        "\n\n",
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn thoughts_end_with_the_mark_that_is_on_them() {
    let events = vec![
        ChatEvent::Reasoning("a".into()),
        ChatEvent::Reasoning("b".into()),
        ChatEvent::Seal("s".into()),
        text("c"),
    ];
    let mark = crate::canonical::Seal { dialect: "other".into(), provider: "p".into(), data: "s".into() };
    let expected = [
        start(0, &json!({ "type": "thinking", "thinking": "", "signature": "" })),
        delta(0, &json!({ "type": "thinking_delta", "thinking": "a" })),
        delta(0, &json!({ "type": "thinking_delta", "thinking": "b" })),
        delta(0, &json!({ "type": "signature_delta", "signature": mark.token() })),
        stop(0),
        start(1, &json!({ "type": "text", "text": "" })),
        delta(1, &json!({ "type": "text_delta", "text": "c" })),
        stop(1),
    ];
    assert_eq!(blocks(events), expected);
}

#[test]
fn thoughts_without_a_mark_end_with_one_that_marks_nothing() {
    let events = blocks(vec![ChatEvent::Reasoning("a".into())]);
    assert_eq!(events[2], delta(0, &json!({ "type": "signature_delta", "signature": "sg1.Cgo" })));
    assert_eq!(events.len(), 4);
}

#[test]
fn a_mark_without_thoughts_is_a_redacted_thought() {
    let events = blocks(vec![ChatEvent::Seal("s".into()), ChatEvent::Boundary, ChatEvent::Seal("t".into()), text("a")]);
    let redacted = |index: u32, data: &str| {
        let mark = crate::canonical::Seal { dialect: "other".into(), provider: "p".into(), data: data.into() };
        [start(index, &json!({ "type": "redacted_thinking", "data": mark.token() })), stop(index)]
    };
    assert_eq!(events[..4], [redacted(0, "s"), redacted(1, "t")].concat());
    assert_eq!(events[4], start(2, &json!({ "type": "text", "text": "" })));
}

#[test]
fn a_call_is_written_as_its_arguments_come() {
    let events = blocks(vec![text("a"), call("call_1", ToolKind::Function), arguments("{\"x\""), arguments(":1}")]);
    let expected = [
        start(1, &json!({ "type": "tool_use", "id": "call_1", "name": "f", "input": {} })),
        delta(1, &json!({ "type": "input_json_delta", "partial_json": "{\"x\"" })),
        delta(1, &json!({ "type": "input_json_delta", "partial_json": ":1}" })),
        stop(1),
    ];
    assert_eq!(events[3..], expected);
    // A client takes a call without any for one with an empty object.
    assert_eq!(blocks(vec![call("call_1", ToolKind::Function)]).len(), 2);
}

#[test]
fn the_name_of_a_call_is_one_that_anthropic_would_take() {
    let id = |given: &'static str| blocks(vec![call(given, ToolKind::Function)])[0]["content_block"]["id"].clone();
    let made = id("functions.get:0");
    assert!(made.as_str().unwrap().starts_with("toolu_") && made.as_str().unwrap().len() == 30, "{made}");
    assert_eq!(made, id("functions.get:0"));
    assert_eq!(id("toolu_01-x"), "toolu_01-x");
}

#[test]
fn a_text_for_a_tool_is_one_string_in_an_object() {
    let events = blocks(vec![call("c", ToolKind::Custom), arguments("*** \"a\"\n"), arguments("\\é")]);
    let json: String = events.iter().filter_map(|event| event["delta"]["partial_json"].as_str()).collect();
    assert_eq!(json, r#"{"input":"*** \"a\"\n\\é"}"#);
    let empty = blocks(vec![call("c", ToolKind::Custom)]);
    let json: String = empty.iter().filter_map(|event| event["delta"]["partial_json"].as_str()).collect();
    assert_eq!(json, r#"{"input":""}"#);
}

#[test]
fn a_text_of_nothing_is_no_block() {
    let logprobs = vec![Logprob { token: String::new(), logprob: 0.0, ..Logprob::default() }];
    let nothing = ChatEvent::Text { text: "".into(), logprobs };
    assert_eq!(blocks(vec![nothing.clone()]), Vec::<Value>::new());
    let events = blocks(vec![nothing, ChatEvent::Boundary, text("a")]);
    assert_eq!(
        events[..2],
        [start(0, &json!({ "type": "text", "text": "" })), delta(0, &json!({ "type": "text_delta", "text": "a" }))]
    );
}

#[test]
fn facts_are_citations_of_their_text() {
    let page =
        Annotation { url: Some("https://a.b".into()), title: Some("A".into()), cited_text: None, span: Some((0, 4)) };
    let paper = Annotation { title: Some("B".into()), cited_text: Some("é!".into()), ..Annotation::default() };
    let events = blocks(vec![text("a"), ChatEvent::Annotation(page), ChatEvent::Annotation(paper)]);
    let citations: Vec<&Value> =
        events.iter().map(|event| &event["delta"]["citation"]).filter(|it| !it.is_null()).collect();
    let expected = [
        json!({ "type": "web_search_result_location", "cited_text": "", "encrypted_index": "", "title": "A", "url": "https://a.b" }),
        json!({ "type": "char_location", "cited_text": "é!", "document_index": 0, "document_title": "B", "start_char_index": 0, "end_char_index": 2 }),
    ];
    assert_eq!(citations, expected.iter().collect::<Vec<_>>());
    assert_eq!(events[2]["delta"]["type"], "citations_delta");
}

#[test]
fn a_refusal_is_a_text_and_a_reason() {
    let events =
        written(vec![ChatEvent::Refusal("No.".into()), ChatEvent::Finish(Finish::new(FinishReason::Stop, "stop"))]);
    assert_eq!(events[2], delta(0, &json!({ "type": "text_delta", "text": "No." })));
    assert_eq!(events[4]["delta"], json!({ "stop_reason": "refusal", "stop_sequence": null }));
}

#[test]
fn every_reason_has_its_word() {
    let stopped = |finish: Finish<'static>, events: Vec<ChatEvent<'static>>| {
        let events = written(events.into_iter().chain([ChatEvent::Finish(finish)]).collect());
        events[events.len() - 2]["delta"].clone()
    };
    for (reason, word) in [
        (FinishReason::Stop, "end_turn"),
        (FinishReason::Length, "max_tokens"),
        (FinishReason::ContextFull, "model_context_window_exceeded"),
        (FinishReason::Refusal, "refusal"),
        (FinishReason::Pause, "pause_turn"),
        (FinishReason::MalformedToolCall, "end_turn"),
        (FinishReason::Other, "end_turn"),
        // There is no call that a client could run.
        (FinishReason::ToolCalls, "end_turn"),
    ] {
        assert_eq!(stopped(Finish::new(reason, "x"), Vec::new())["stop_reason"], word);
    }
    let called = stopped(Finish::new(FinishReason::Stop, "stop"), vec![call("c", ToolKind::Function)]);
    assert_eq!(called["stop_reason"], "tool_use");
    let by_text = Finish { stop_sequence: Some("END".into()), ..Finish::new(FinishReason::StopSequence, "x") };
    assert_eq!(stopped(by_text, Vec::new()), json!({ "stop_reason": "stop_sequence", "stop_sequence": "END" }));
    let refused = Finish { explanation: Some("Because.".into()), ..Finish::new(FinishReason::Refusal, "x") };
    let details = json!({ "type": "refusal", "category": null, "explanation": "Because." });
    assert_eq!(stopped(refused, Vec::new())["stop_details"], details);
}

#[test]
fn usage_that_is_known_at_the_beginning_is_told_there_and_all_of_it_at_the_end() {
    let at_first = Usage { input_tokens: 20, cached_input_tokens: 10, cache_write_input_tokens: 5, ..Usage::default() };
    let at_last = Usage { output_tokens: 7, reasoning_output_tokens: 3, ..at_first };
    let events = written(vec![ChatEvent::Usage(at_first), text("a"), ChatEvent::Usage(at_last)]);
    let counts = json!({ "input_tokens": 5, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 10, "output_tokens": 0 });
    assert_eq!(events[0]["message"]["usage"], counts);
    let last = &events[events.len() - 2]["usage"];
    assert_eq!((&last["output_tokens"], &last["output_tokens_details"]), (&json!(7), &json!({ "thinking_tokens": 3 })));
}

#[test]
fn an_answer_that_says_nothing_is_whole() {
    let names: Vec<Value> = written(Vec::new()).iter().map(|event| event["type"].clone()).collect();
    assert_eq!(names, ["message_start", "message_delta", "message_stop"]);
}

#[test]
fn a_failure_is_an_error_and_no_end() {
    let mut sequencer = Sequencer::new(Anthropic.encoder(&context()), "other", "p".into(), "A1".into());
    let mut out = Vec::new();
    sequencer.take(text("a"), &mut out);
    sequencer.fail(&Error::MissingKey, &mut out);
    let events = parse(&out);
    assert_eq!(events[3]["error"]["type"], "authentication_error");
    assert_eq!(events.len(), 4);
}

#[test]
fn a_mark_on_a_text_has_no_place() {
    let events = blocks(vec![text("a"), ChatEvent::Seal("s".into())]);
    assert!(events.iter().all(|event| !event.to_string().contains("sg1.")));
}

#[test]
fn a_mark_on_a_call_is_a_block_before_it_or_behind_it_if_it_comes_late() {
    let arguments = || ChatEvent::Arguments { key: 0, fragment: "{}".into() };
    let mark = || ChatEvent::Seal("s".into());
    let of_call =
        Seal { dialect: "other".into(), provider: "p".into(), data: "s".into() }.token_on(&On::Call("c".into()));
    for (events, kinds) in [
        (vec![call("c", ToolKind::Function), mark(), arguments()], ["redacted_thinking", "tool_use"]),
        (vec![call("c", ToolKind::Function), arguments(), mark()], ["tool_use", "redacted_thinking"]),
    ] {
        let events = blocks(events);
        let begun: Vec<&Value> =
            events.iter().map(|event| &event["content_block"]).filter(|it| it.is_object()).collect();
        assert_eq!(begun.iter().map(|block| &block["type"]).collect::<Vec<_>>(), kinds);
        assert!(begun.iter().any(|block| block["data"] == *of_call), "{begun:?}");
    }
}

#[test]
fn whatever_was_recorded_is_written_as_blocks_that_follow_each_other() {
    for recorded in [
        recording!("advisor-tool.sse"),
        recording!("document-citations.sse"),
        recording!("pause-turn.sse"),
        recording!("programmatic-tool-calling-emoji.sse"),
        recording!("redacted-thinking.sse"),
        recording!("spliced-message-start.sse"),
        recording!("thinking-then-tool.sse"),
        recording!("two-parallel-tools.sse"),
        recording!("web-search-citations.sse"),
    ] {
        let mut transcoder = Transcoder::new(&Anthropic, "claude", &Anthropic, &context());
        let mut out = transcoder.push(recorded.as_bytes(), Duration::ZERO).to_vec();
        out.extend_from_slice(&transcoder.finish(Duration::ZERO));
        let (mut index, mut open) = (0, false);
        for event in parse(&out) {
            match event["type"].as_str().unwrap() {
                "content_block_start" => assert!(!std::mem::replace(&mut open, true)),
                "content_block_delta" => assert!(open),
                "content_block_stop" => {
                    assert!(std::mem::replace(&mut open, false) && event["index"] == index);
                    index += 1;
                    continue;
                }
                _ => continue,
            }
            assert_eq!(event["index"], index);
        }
        assert!(!open && index > 0);
    }
}
