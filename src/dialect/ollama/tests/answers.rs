//! Answers that do not stream, read and written.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::Ollama;
use super::{Heard, fixture, usage};
use crate::canonical::{ChatAnswer, ChatRequest, Finish, FinishReason, Logprob, Part, Text, ToolCall};
use crate::dialect::{AnswerContext, Shape, Translate};

fn hear(body: &str) -> Heard {
    let mut heard = Heard::default();
    Ollama.decode_answer(body.as_bytes(), &mut |event| heard.hear(event)).unwrap();
    heard
}

#[test]
fn every_recorded_answer_is_read() {
    let thinking = hear(fixture!("nonstream-thinking.json"));
    assert_eq!(thinking.text, "Got it! How can I help you with your test?");
    assert!(thinking.thoughts.starts_with("User just says \"Test prompt\"."));
    assert_eq!(thinking.usage, usage(69, 67));

    let calls = hear(fixture!("nonstream-tool-calls.json")).calls;
    let call = |name: &str, arguments: &str| (String::new(), name.to_owned(), arguments.to_owned());
    let search = call("search", r#"{"query":"time of Detroit Tigers game today"}"#);
    assert_eq!(calls, [search, call("weather", r#"{"city":"Detroit"}"#)]);

    let structured = hear(fixture!("nonstream-structured.json"));
    assert!(structured.text.starts_with("{ \"name\": \"Sarah Chen\""));
    assert_eq!(structured.model, "deepseek-r1:14b-qwen-distill-q8_0");
    assert_eq!(hear(fixture!("nonstream-tool-history.json")).usage, usage(44, 113));
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in ["<html>", "[]", "{}", "{\"models\":[]}"] {
        assert!(Ollama.decode_answer(body.as_bytes(), &mut |_| {}).is_err(), "{body}");
    }
}

fn encode(answer: &ChatAnswer, shape: Shape) -> Value {
    let context = AnswerContext {
        id: "a".repeat(24),
        created: 1_700_000_000,
        created_nanos: 0,
        request: Arc::new(ChatRequest { model: "mine".into(), ..ChatRequest::default() }),
        shape,
        elapsed: Duration::from_millis(1500),
    };
    serde_json::from_slice(&Ollama.encode_answer(answer, &context)).unwrap()
}

fn answer() -> ChatAnswer {
    let logprobs = vec![Logprob { token: "Hi".into(), logprob: -0.25, ..Logprob::default() }];
    let call =
        ToolCall { id: "call_1".into(), name: "f".into(), arguments: "{\"a\":\n1}".into(), ..ToolCall::default() };
    ChatAnswer {
        id: Some("upstream".into()),
        model: Some("theirs".into()),
        parts: vec![
            Part::Reasoning { text: "Hm.".into(), seal: None },
            Part::Text(Text { text: "Hi".into(), logprobs, ..Text::default() }),
            Part::Refusal(" no".into()),
            Part::ToolCall(call),
        ],
        finish: Some(Finish::new(FinishReason::ToolCalls, "tool_calls")),
        usage: usage(3, 4),
        ..ChatAnswer::default()
    }
}

#[test]
fn an_answer_is_written_as_ollama_writes_it() {
    let expected = json!({
        "model": "mine",
        "created_at": "2023-11-14T22:13:21.500000000Z",
        "message": {
            "role": "assistant",
            "content": "Hi no",
            "thinking": "Hm.",
            "tool_calls": [{ "id": "call_1", "function": { "index": 0, "name": "f", "arguments": { "a": 1 } } }],
        },
        "logprobs": [{ "token": "Hi", "logprob": -0.25 }],
        "done": true,
        "done_reason": "stop",
        "total_duration": 1_500_000_000,
        "load_duration": 1,
        "prompt_eval_count": 3,
        "prompt_eval_duration": 1,
        "eval_count": 4,
        "eval_duration": 1_500_000_000,
    });
    assert_eq!(encode(&answer(), Shape::Chat), expected);
}

#[test]
fn a_completion_is_answered_at_the_top() {
    let written = encode(&answer(), Shape::Completion);
    assert_eq!((&written["response"], &written["thinking"]), (&json!("Hi no"), &json!("Hm.")));
    assert_eq!(written["tool_calls"][0]["function"]["name"], "f");
    assert_eq!((&written["context"], &written["message"]), (&json!([]), &Value::Null));
}

#[test]
fn what_an_upstream_did_not_count_is_not_counted() {
    let written = encode(&ChatAnswer { usage: None, ..answer() }, Shape::Chat);
    assert!(written.get("prompt_eval_count").is_none() && written.get("eval_count").is_none());
}

#[test]
fn a_refusal_without_words_gives_its_reason() {
    let refusal = Finish { explanation: Some("Not that.".into()), ..Finish::new(FinishReason::Refusal, "refusal") };
    let silent = ChatAnswer { finish: Some(refusal), ..ChatAnswer::default() };
    let written = encode(&silent, Shape::Chat);
    assert_eq!((&written["message"]["content"], &written["done_reason"]), (&json!("Not that."), &json!("stop")));
}
