//! What clients are told, line by line.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::Ollama;
use super::{lines, usage};
use crate::canonical::{Annotation, ChatEvent, ChatRequest, Finish, FinishReason, Logprob, ToolKind};
use crate::dialect::{AnswerContext, Sequencer, Shape, Translate};
use crate::error::Error;

/// A stream of which one event comes every 100 ms.
struct Stream {
    sequencer: Sequencer,
    elapsed: Duration,
    out: Vec<u8>,
}

impl Stream {
    fn new(shape: Shape) -> Self {
        let context = AnswerContext {
            id: "a".repeat(24),
            created: 1_700_000_000,
            created_nanos: 1,
            request: Arc::new(ChatRequest { model: "my \"model\"".into(), ..ChatRequest::default() }),
            shape,
            elapsed: Duration::ZERO,
        };
        let sequencer = Sequencer::new(Ollama.encoder(&context), "openai-chat", "p".into(), context.id);
        Self { sequencer, elapsed: Duration::ZERO, out: Vec::new() }
    }

    fn take(mut self, event: ChatEvent<'_>) -> Self {
        self.elapsed += Duration::from_millis(100);
        self.sequencer.tick(self.elapsed);
        self.sequencer.take(event, &mut self.out);
        self.sequencer.start(&mut self.out);
        self
    }

    fn text(self, text: &str) -> Self {
        self.take(ChatEvent::Text { text: text.into(), logprobs: Vec::new() })
    }

    fn call(self, key: u32, arguments: &[&str]) -> Self {
        let call = ChatEvent::ToolCall {
            key,
            id: Some(format!("call_{key}").into()),
            name: "f".into(),
            kind: ToolKind::Function,
        };
        arguments.iter().fold(self.take(call), |stream, fragment| {
            stream.take(ChatEvent::Arguments { key, fragment: (*fragment).into() })
        })
    }

    fn end(self, reason: FinishReason) -> Vec<Value> {
        let mut stream = self.take(ChatEvent::Finish(Finish::new(reason, "word")));
        stream.elapsed += Duration::from_millis(100);
        stream.sequencer.tick(stream.elapsed);
        stream.sequencer.finish(&mut stream.out);
        lines(&stream.out)
    }
}

fn start() -> ChatEvent<'static> {
    ChatEvent::Start { id: Some("x".into()), model: Some("theirs".into()), created: None }
}

#[test]
fn a_stream_is_written_as_ollama_writes_it() {
    let told = Stream::new(Shape::Chat)
        .take(start())
        .take(ChatEvent::Reasoning("Hm".into()))
        .text("Hi\n")
        .take(ChatEvent::Usage(usage(3, 4).unwrap()))
        .end(FinishReason::Length);
    let line = |created_at: &str, message: Value| json!({ "model": "my \"model\"", "created_at": created_at, "message": message, "done": false });
    let mut end = line("2023-11-14T22:13:20.600000001Z", json!({ "role": "assistant", "content": "" }));
    let last = json!({
        "done": true, "done_reason": "length", "total_duration": 600_000_000, "load_duration": 100_000_000,
        "prompt_eval_count": 3, "prompt_eval_duration": 100_000_000, "eval_count": 4, "eval_duration": 400_000_000,
    });
    end.as_object_mut().unwrap().extend(last.as_object().unwrap().clone());
    let expected = [
        line("2023-11-14T22:13:20.200000001Z", json!({ "role": "assistant", "content": "", "thinking": "Hm" })),
        line("2023-11-14T22:13:20.300000001Z", json!({ "role": "assistant", "content": "Hi\n" })),
        end,
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_line_is_spelt_byte_for_byte() {
    let stream = Stream::new(Shape::Chat).text("é\n<");
    let expected = "{\"model\":\"my \\\"model\\\"\",\"created_at\":\"2023-11-14T22:13:20.100000001Z\",\
                    \"message\":{\"role\":\"assistant\",\"content\":\"é\\n<\"},\"done\":false}\n";
    assert_eq!(str::from_utf8(&stream.out).unwrap(), expected);
}

#[test]
fn a_completion_says_it_at_the_top() {
    let told = Stream::new(Shape::Completion)
        .take(ChatEvent::Reasoning("Hm".into()))
        .text("Hi")
        .call(0, &["{}"])
        .end(FinishReason::Stop);
    assert_eq!((&told[0]["response"], &told[0]["thinking"]), (&json!(""), &json!("Hm")));
    assert_eq!((&told[1]["response"], &told[1]["done"]), (&json!("Hi"), &json!(false)));
    assert_eq!(told[2]["tool_calls"][0]["function"]["name"], "f");
    assert_eq!((&told[3]["context"], &told[3]["done"], &told[3]["response"]), (&json!([]), &json!(true), &json!("")));
    assert!(told.iter().all(|line| line.get("message").is_none()));
}

#[test]
fn a_call_is_told_when_it_is_whole_and_on_one_line() {
    let stream = Stream::new(Shape::Chat).call(0, &["{\n  \"a\":", " 1.50\n}"]);
    assert!(stream.out.is_empty());
    let stream = stream.call(1, &["{\"b\":\"\\n\"}"]);
    let told = stream.end(FinishReason::Stop);
    let call = |index: usize, arguments: Value| json!([{ "id": format!("call_{index}"), "function": { "index": index, "name": "f", "arguments": arguments } }]);
    assert_eq!(
        told[0]["message"],
        json!({ "role": "assistant", "content": "", "tool_calls": call(0, json!({ "a": 1.5 })) })
    );
    assert_eq!(told[1]["message"]["tool_calls"], call(1, json!({ "b": "\n" })));
    assert_eq!((told.len(), &told[2]["done_reason"]), (3, &json!("stop")));
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let told = Stream::new(Shape::Chat).call(0, &[]).end(FinishReason::ToolCalls);
    assert_eq!(told[0]["message"]["tool_calls"][0]["function"]["arguments"], json!({}));
}

#[test]
fn a_call_that_was_cut_off_is_not_told_and_one_that_is_broken_is_text() {
    let cut = Stream::new(Shape::Chat).text("a").call(0, &["{\"a\":"]).end(FinishReason::Length);
    assert_eq!((cut.len(), &cut[1]["message"]["content"], &cut[1]["done_reason"]), (2, &json!(""), &json!("length")));
    let broken = Stream::new(Shape::Chat).call(0, &["{\"a\":"]).end(FinishReason::Stop);
    assert_eq!((broken.len(), &broken[0]["message"]["content"]), (1, &json!("f({\"a\":)")));
}

#[test]
fn refusals_are_text_and_what_has_no_place_is_not_told() {
    let told = Stream::new(Shape::Chat)
        .take(ChatEvent::Reasoning("Hm".into()))
        .take(ChatEvent::Seal("mark".into()))
        .text("a")
        .take(ChatEvent::Annotation(Annotation { url: Some("https://example.com".into()), ..Annotation::default() }))
        .take(ChatEvent::Refusal("No.".into()))
        .end(FinishReason::Refusal);
    let said: Vec<_> = told.iter().map(|line| line["message"]["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["", "a", "No.", ""]);
    assert_eq!(told[3]["done_reason"], "stop");
}

#[test]
fn probabilities_stand_beside_the_message() {
    let top = Logprob { token: "b".into(), logprob: -2.0, ..Logprob::default() };
    let logprob = Logprob { token: "a".into(), logprob: -1.0, bytes: Some(vec![97]), top: vec![top] };
    let told = Stream::new(Shape::Chat)
        .take(ChatEvent::Text { text: "a".into(), logprobs: vec![logprob] })
        .end(FinishReason::Stop);
    let expected =
        json!([{ "token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": [{ "token": "b", "logprob": -2.0 }] }]);
    assert_eq!(told[0]["logprobs"], expected);
    assert!(told[1].get("prompt_eval_count").is_none());
}

#[test]
fn a_stream_that_said_nothing_ends_all_the_same_and_no_duration_is_zero() {
    let told = Stream::new(Shape::Chat).end(FinishReason::Stop);
    assert_eq!((told.len(), &told[0]["done"]), (1, &json!(true)));
    for name in ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"] {
        assert!(told[0][name].as_u64().unwrap() > 0, "{name}");
    }
}

#[test]
fn a_stream_that_breaks_off_says_why_and_has_no_end() {
    let mut stream = Stream::new(Shape::Chat).text("a");
    stream.sequencer.fail(&Error::UpstreamTruncated { provider: "p".into() }, &mut stream.out);
    let told = lines(&stream.out);
    let expected = "The stream of upstream \"p\" ended before the answer was finished.";
    assert_eq!((told.len(), &told[1]), (2, &json!({ "error": expected })));
}
