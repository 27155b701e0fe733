//! How an answer is written that does not stream.

use serde_json::{Value, json};

use super::{context, seal};
use crate::canonical::{Annotation, ChatAnswer, Finish, FinishReason, On, Part, Text, ToolCall, ToolKind, Usage};
use crate::dialect::{Anthropic, Translate};

fn encode(answer: &ChatAnswer) -> Value {
    serde_json::from_slice(&Anthropic.encode_answer(answer, &context())).unwrap()
}

fn answer(parts: Vec<Part>, reason: FinishReason) -> ChatAnswer {
    ChatAnswer { parts, finish: Some(Finish::new(reason, "x").into_owned()), ..ChatAnswer::default() }
}

fn call(arguments: &str, kind: ToolKind) -> Part {
    Part::ToolCall(ToolCall { id: "c".into(), name: "f".into(), arguments: arguments.into(), kind, seal: None })
}

#[test]
fn an_answer_is_one_message() {
    let fact = Annotation { url: Some("https://a.b".into()), ..Annotation::default() };
    let parts = vec![
        Part::Reasoning { text: "Hm.".into(), seal: Some(seal("s")) },
        Part::Reasoning { text: String::new(), seal: Some(seal("t")) },
        Part::Reasoning { text: "So.".into(), seal: None },
        Part::text(""),
        Part::Text(Text { text: "Yes.".into(), annotations: vec![fact], ..Text::default() }),
        call(" {\"b\": 1.50, \"a\": 1e2}", ToolKind::Function),
        call("", ToolKind::Function),
        call("text", ToolKind::Custom),
    ];
    let usage = Some(Usage { input_tokens: 9, output_tokens: 4, cached_input_tokens: 2, ..Usage::default() });
    let message = encode(&ChatAnswer { usage, ..answer(parts, FinishReason::ToolCalls) });
    let citation = json!({ "type": "web_search_result_location", "cited_text": "", "encrypted_index": "", "title": null, "url": "https://a.b" });
    let expected = json!({
        "id": "msg_A1", "type": "message", "role": "assistant", "model": "theirs",
        "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": seal("s").token() },
            { "type": "redacted_thinking", "data": seal("t").token() },
            { "type": "thinking", "thinking": "So.", "signature": "sg1.Cgo" },
            { "type": "text", "text": "Yes.", "citations": [citation] },
            { "type": "tool_use", "id": "c", "name": "f", "input": { "b": 1.5, "a": 100.0 } },
            { "type": "tool_use", "id": "c", "name": "f", "input": {} },
            { "type": "tool_use", "id": "c", "name": "f", "input": { "input": "text" } },
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": { "input_tokens": 7, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2, "output_tokens": 4 },
    });
    assert_eq!(message, expected);
}

#[test]
fn numbers_of_an_input_keep_their_spelling() {
    let written = Anthropic
        .encode_answer(&answer(vec![call("{\"a\": 1.50}", ToolKind::Function)], FinishReason::ToolCalls), &context());
    assert!(str::from_utf8(&written).unwrap().contains("\"input\":{\"a\": 1.50}"));
}

#[test]
fn a_call_that_was_cut_off_is_left_out_and_the_answer_says_that_it_was_cut_off() {
    let parts = vec![Part::text("Now"), call("{\"a\": [", ToolKind::Function)];
    let message = encode(&answer(parts.clone(), FinishReason::Length));
    assert_eq!(message["content"], json!([{ "type": "text", "text": "Now" }]));
    assert_eq!(message["stop_reason"], "max_tokens");
    // Whoever runs the tool sees what was wrong with it.
    let message = encode(&answer(parts, FinishReason::ToolCalls));
    assert_eq!(message["content"][1]["input"], json!({ "input": "{\"a\": [" }));
}

#[test]
fn a_mark_on_a_call_is_a_block_before_it() {
    let marked = ToolCall { id: "c".into(), name: "f".into(), seal: Some(seal("s")), ..ToolCall::default() };
    let message = encode(&answer(vec![Part::ToolCall(marked)], FinishReason::ToolCalls));
    let mark = json!({ "type": "redacted_thinking", "data": seal("s").token_on(&On::Call("c".into())) });
    let call = json!({ "type": "tool_use", "id": "c", "name": "f", "input": {} });
    assert_eq!(message["content"], json!([mark, call]));
}

#[test]
fn a_refusal_is_a_text_and_a_reason() {
    let message = encode(&answer(vec![Part::Refusal("No.".into())], FinishReason::Stop));
    assert_eq!(message["content"], json!([{ "type": "text", "text": "No." }]));
    assert_eq!(message["stop_reason"], "refusal");
}

#[test]
fn an_answer_that_says_nothing_is_a_message_without_content() {
    let message = encode(&ChatAnswer::default());
    assert_eq!((&message["content"], &message["stop_reason"]), (&json!([]), &json!("end_turn")));
}
