//! Answers that do not stream, as they are written.

use serde_json::json;

use super::*;
use crate::canonical::{Annotation, Finish, FinishReason, Logprob, Reasoning, Seal, Text, ToolCall, ToolKind, Usage};

fn write(answer: &ChatAnswer, request: ChatRequest) -> Value {
    serde_json::from_slice(&OpenAiChat.encode_answer(answer, &context(request))).unwrap()
}

fn answer(parts: Vec<Part>) -> ChatAnswer {
    let finish = Some(Finish::new(FinishReason::Stop, "end_turn"));
    let (id, model) = (Some("msg_1".into()), Some("claude".into()));
    ChatAnswer { id, model, parts, finish, ..ChatAnswer::default() }
}

fn seal(data: &str) -> Seal {
    Seal { dialect: "anthropic".into(), provider: "claude".into(), data: data.into() }
}

#[test]
fn an_answer_is_a_completion_with_one_choice() {
    let usage = Usage { input_tokens: 9, output_tokens: 5, ..Usage::default() };
    let answer = ChatAnswer { usage: Some(usage), ..answer(vec![Part::text("Hi"), Part::text("!")]) };
    let expected = json!({
        "id": "chatcmpl-0123456789abcdefghijklmn",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "asked/for",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": "Hi!", "refusal": null },
            "logprobs": null,
            "finish_reason": "stop",
            "native_finish_reason": "end_turn",
        }],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 5,
            "total_tokens": 14,
            "prompt_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 0 },
        },
    });
    assert_eq!(write(&answer, request()), expected);
}

#[test]
fn all_parts_have_their_fields() {
    let call = |id: &str, kind, arguments: &str, seal| {
        let [id, arguments] = [id, arguments].map(str::to_owned);
        Part::ToolCall(ToolCall { id, name: "f".into(), arguments, kind, seal })
    };
    let token = Logprob { token: "t".into(), logprob: -0.25, ..Logprob::default() };
    let source = Annotation { url: Some("https://u".into()), span: Some((0, 2)), ..Annotation::default() };
    let text = Text { text: "text".into(), annotations: vec![source], logprobs: vec![token], seal: Some(seal("T")) };
    let written = write(
        &answer(vec![
            Part::Reasoning { text: "one".into(), seal: Some(seal("1")) },
            Part::Reasoning { text: String::new(), seal: Some(seal("2")) },
            Part::Text(text),
            call("a", ToolKind::Function, "", Some(seal("A"))),
            call("b", ToolKind::Custom, "ls", None),
        ]),
        request(),
    );
    let choice = &written["choices"][0];
    let expected = json!({
        "role": "assistant",
        "content": "text",
        "refusal": null,
        "reasoning_content": "one",
        "reasoning_details": [
            { "type": "reasoning.text", "text": "one", "signature": seal("1").token(), "index": 0 },
            { "type": "reasoning.encrypted", "data": seal("2").token(), "index": 1 },
            { "type": "reasoning.encrypted", "data": seal("T").token(), "id": "content", "index": 2 },
            { "type": "reasoning.encrypted", "data": seal("A").token(), "id": "a", "index": 3 },
        ],
        "tool_calls": [
            { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{}" } },
            { "id": "b", "type": "custom", "custom": { "name": "f", "input": "ls" } },
        ],
        "annotations": [{
            "type": "url_citation",
            "url_citation": { "start_index": 0, "end_index": 2, "url": "https://u", "title": "" },
        }],
    });
    assert_eq!(choice["message"], expected);
    let logprobs = json!([{ "token": "t", "logprob": -0.25, "bytes": null, "top_logprobs": [] }]);
    assert_eq!(choice["logprobs"], json!({ "content": logprobs, "refusal": null }));
}

#[test]
fn content_is_null_only_where_something_else_is_said() {
    let content = |parts| write(&answer(parts), request())["choices"][0]["message"]["content"].clone();
    assert_eq!(content(vec![]), "");
    assert_eq!(content(vec![Part::ToolCall(ToolCall::default())]), Value::Null);
    assert_eq!(content(vec![Part::Refusal("no".into())]), Value::Null);
}

#[test]
fn thoughts_that_are_not_wanted_are_not_told() {
    let reasoning = Reasoning { visible: Some(false), ..Reasoning::default() };
    let thought = Part::Reasoning { text: "one".into(), seal: Some(seal("1")) };
    let written = write(&answer(vec![thought]), ChatRequest { reasoning, ..request() });
    assert_eq!(written["choices"][0]["message"], json!({ "role": "assistant", "content": "", "refusal": null }));
}

#[test]
fn why_a_model_refused_is_told_where_it_said_nothing() {
    let mut answer = answer(vec![]);
    let why = Some("Not that.".into());
    answer.finish = Some(Finish { explanation: why, ..Finish::new(FinishReason::Refusal, "refusal") });
    let choice = &write(&answer, request())["choices"][0];
    assert_eq!(
        (&choice["message"]["refusal"], &choice["finish_reason"]),
        (&json!("Not that."), &json!("content_filter"))
    );
}
