//! Streams as they are written, byte by byte.

use serde_json::json;

use super::*;
use crate::canonical::{Annotation, ChatEvent, Finish, FinishReason, Logprob, Reasoning, Seal, ToolKind, Usage};

/// What a client is told of `events`.
fn write(request: ChatRequest, events: Vec<ChatEvent<'_>>) -> String {
    let encoder = OpenAiChat.encoder(&context(request));
    let mut sequencer = Sequencer::new(encoder, "anthropic", "claude".to_owned(), "x".to_owned());
    let mut out = Vec::new();
    sequencer.start(&mut out);
    events.into_iter().for_each(|event| sequencer.take(event, &mut out));
    sequencer.finish(&mut out);
    String::from_utf8(out).unwrap()
}

fn text(text: &str) -> ChatEvent<'_> {
    ChatEvent::Text { text: text.into(), logprobs: Vec::new() }
}

/// The deltas of a stream's chunks, but for the first and the last, which are always the same.
fn deltas(events: Vec<ChatEvent<'_>>) -> Vec<Value> {
    let mut chunks = chunks(&write(ChatRequest { include_usage: false, ..request() }, events));
    let last = chunks.pop().unwrap();
    assert_eq!(last["choices"][0]["delta"], json!({}));
    assert!(last["choices"][0]["finish_reason"].is_string());
    let first = chunks.remove(0);
    assert_eq!(first["choices"][0]["delta"], json!({ "role": "assistant", "content": "", "refusal": null }));
    chunks.iter_mut().map(|chunk| chunk["choices"][0]["delta"].take()).collect()
}

fn token(data: &str) -> String {
    Seal { dialect: "anthropic".into(), provider: "claude".into(), data: data.into() }.token()
}

const HEAD: &str = concat!(
    r#"data: {"id":"chatcmpl-0123456789abcdefghijklmn","object":"chat.completion.chunk","created":1700000000,"#,
    r#""model":"asked/for","choices":["#,
);

#[test]
fn a_stream_is_a_role_its_text_an_end_and_the_usage_if_it_is_wanted() {
    let usage = Usage {
        input_tokens: 9,
        output_tokens: 5,
        cached_input_tokens: 4,
        cache_write_input_tokens: 2,
        reasoning_output_tokens: 3,
    };
    let events = || {
        vec![
            text("Hi \"you\"\n"),
            ChatEvent::Usage(usage),
            ChatEvent::Finish(Finish::new(FinishReason::Stop, "end_turn")),
        ]
    };
    let choices = [
        r#"{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}"#,
        r#"{"index":0,"delta":{"content":"Hi \"you\"\n"},"finish_reason":null}"#,
        r#"{"index":0,"delta":{},"finish_reason":"stop","native_finish_reason":"end_turn"}"#,
    ];
    let without: String = choices.iter().map(|choice| format!("{HEAD}{choice}]}}\n\n")).collect();
    assert_eq!(write(ChatRequest { include_usage: false, ..request() }, events()), without + "data: [DONE]\n\n");
    let with: String = choices.iter().map(|choice| format!("{HEAD}{choice}],\"usage\":null}}\n\n")).collect();
    let told = concat!(
        r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"#,
        r#""prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"#,
        r#""completion_tokens_details":{"reasoning_tokens":3}}"#,
    );
    let with = format!("{with}{HEAD}],\"usage\":{told}}}\n\ndata: [DONE]\n\n");
    assert_eq!(write(request(), events()), with);
}

#[test]
fn usage_that_is_not_known_is_not_told() {
    let stream = write(request(), vec![text("a")]);
    assert!(chunks(&stream).iter().all(|chunk| chunk["usage"].is_null() && chunk["choices"][0].is_object()));
}

#[test]
fn thoughts_are_told_as_deepseek_and_as_openrouter_do() {
    let told = deltas(vec![
        ChatEvent::Reasoning("Hm".into()),
        ChatEvent::Reasoning("m".into()),
        ChatEvent::Seal("S".into()),
        ChatEvent::Reasoning("So".into()),
        ChatEvent::Boundary,
        ChatEvent::Seal("redacted".into()),
        text("Yes"),
    ]);
    let thought = |text: &str, index: u32| {
        let detail = json!({ "type": "reasoning.text", "text": text, "index": index });
        json!({ "reasoning_content": text, "reasoning_details": [detail] })
    };
    assert_eq!(
        told,
        [
            thought("Hm", 0),
            thought("m", 0),
            json!({ "reasoning_details": [{ "type": "reasoning.text", "signature": token("S"), "index": 0 }] }),
            thought("So", 1),
            json!({ "reasoning_details": [{ "type": "reasoning.encrypted", "data": token("redacted"), "index": 2 }] }),
            json!({ "content": "Yes" }),
        ]
    );
}

#[test]
fn thoughts_that_are_not_wanted_are_not_told() {
    let reasoning = Reasoning { visible: Some(false), ..Reasoning::default() };
    let events = vec![ChatEvent::Reasoning("Hm".into()), ChatEvent::Seal("S".into()), text("Yes")];
    let stream = write(ChatRequest { reasoning, ..request() }, events);
    assert!(!stream.contains("reasoning") && stream.contains("Yes"), "{stream}");
}

#[test]
fn marks_on_calls_and_texts_say_what_they_are_on() {
    let told = deltas(vec![
        text("a"),
        ChatEvent::Seal("T".into()),
        ChatEvent::ToolCall { key: 7, id: Some("c\"1".into()), name: "f".into(), kind: ToolKind::Function },
        ChatEvent::Arguments { key: 7, fragment: "{}".into() },
        ChatEvent::Seal("C".into()),
    ]);
    assert_eq!(
        told[1],
        json!({ "reasoning_details": [{ "type": "reasoning.encrypted", "data": token("T"), "id": "content", "index": 0 }] })
    );
    assert_eq!(
        told[4],
        json!({ "reasoning_details": [{ "type": "reasoning.encrypted", "data": token("C"), "id": "c\"1", "index": 1 }] })
    );
}

#[test]
fn calls_are_counted_from_nought_and_told_in_pieces() {
    let call = |key, id: &'static str, kind| ChatEvent::ToolCall { key, id: Some(id.into()), name: "f".into(), kind };
    let piece = |key, fragment: &'static str| ChatEvent::Arguments { key, fragment: fragment.into() };
    let stream = write(
        request(),
        vec![
            call(5, "a", ToolKind::Function),
            piece(5, "{\"x\":"),
            piece(5, "1}"),
            call(6, "b", ToolKind::Function),
            ChatEvent::Boundary,
            call(9, "c", ToolKind::Custom),
            piece(9, "ls"),
        ],
    );
    let calls: Vec<Value> =
        chunks(&stream).iter().map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].clone()).collect();
    assert_eq!(
        calls[1..8],
        [
            json!([{ "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "" } }]),
            json!([{ "index": 0, "function": { "arguments": "{\"x\":" } }]),
            json!([{ "index": 0, "function": { "arguments": "1}" } }]),
            json!([{ "index": 1, "id": "b", "type": "function", "function": { "name": "f", "arguments": "" } }]),
            json!([{ "index": 1, "function": { "arguments": "{}" } }]),
            json!([{ "index": 2, "id": "c", "type": "custom", "custom": { "name": "f", "input": "" } }]),
            json!([{ "index": 2, "custom": { "input": "ls" } }]),
        ]
    );
    assert!(stream.contains("\"finish_reason\":\"tool_calls\"}"), "{stream}");
}

#[test]
fn probabilities_stand_beside_their_text() {
    let other = Logprob { token: "Ho".into(), logprob: -1.5, ..Logprob::default() };
    let token = Logprob { token: "Hi".into(), logprob: -0.5, bytes: Some(vec![72, 105]), top: vec![other] };
    let stream = write(request(), vec![ChatEvent::Text { text: "Hi".into(), logprobs: vec![token] }]);
    let expected = concat!(
        r#"{"index":0,"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"#,
        r#""top_logprobs":[{"token":"Ho","logprob":-1.5,"bytes":null}]}],"refusal":null},"finish_reason":null}"#,
    );
    assert!(stream.contains(expected), "{stream}");
}

#[test]
fn sources_are_told_once_and_counted_over_all_texts() {
    let source = |span| Annotation { url: Some("https://u".into()), title: Some("T".into()), cited_text: None, span };
    let told = deltas(vec![
        text("Grüß"),
        ChatEvent::Boundary,
        text("Gott"),
        ChatEvent::Annotation(source(Some((1, 3)))),
        ChatEvent::Boundary,
        text("!"),
        ChatEvent::Annotation(Annotation { cited_text: Some("w".into()), ..source(None) }),
    ]);
    let citation = |mut citation: Value, start: u32, end: u32| {
        (citation["start_index"], citation["end_index"]) = (start.into(), end.into());
        json!({ "type": "url_citation", "url_citation": citation })
    };
    let (url, title) = ("https://u", "T");
    let all = [
        citation(json!({ "url": url, "title": title }), 5, 7),
        citation(json!({ "url": url, "title": title, "content": "w" }), 8, 9),
    ];
    assert_eq!(told.len(), 4);
    assert_eq!(told[3], json!({ "annotations": all }));
}

#[test]
fn reasons_to_stop_are_openais() {
    let word = |reason| {
        let stream = write(request(), vec![ChatEvent::Finish(Finish::new(reason, "native"))]);
        let last = chunks(&stream).pop().unwrap();
        assert_eq!(last["choices"][0]["native_finish_reason"], "native");
        last["choices"][0]["finish_reason"].as_str().unwrap().to_owned()
    };
    for reason in [FinishReason::Stop, FinishReason::StopSequence, FinishReason::Pause, FinishReason::Other] {
        assert_eq!(word(reason), "stop");
    }
    assert_eq!(word(FinishReason::MalformedToolCall), "stop");
    assert_eq!(word(FinishReason::Length), "length");
    assert_eq!(word(FinishReason::ContextFull), "length");
    assert_eq!(word(FinishReason::ToolCalls), "tool_calls");
    assert_eq!(word(FinishReason::Refusal), "content_filter");
}

#[test]
fn a_refusal_is_told_and_so_is_why_if_nothing_else_is() {
    let refused = || {
        let why = Some("It is not allowed.".into());
        ChatEvent::Finish(Finish { explanation: why, ..Finish::new(FinishReason::Refusal, "refusal") })
    };
    assert_eq!(deltas(vec![ChatEvent::Refusal("No.".into())]), [json!({ "refusal": "No." })]);
    assert_eq!(deltas(vec![refused()]), [json!({ "refusal": "It is not allowed." })]);
    assert_eq!(deltas(vec![text("Hm"), refused()]), [json!({ "content": "Hm" })]);
}

#[test]
fn a_failure_is_an_error_and_no_end() {
    let mut encoder = OpenAiChat.encoder(&context(request()));
    let mut out = Vec::new();
    encoder.start(&ChatAnswer::default(), &mut out);
    let before = out.len();
    encoder.fail(&Error::UpstreamTruncated { provider: "p".into() }, &mut out);
    let frame = std::str::from_utf8(&out[before..]).unwrap();
    assert!(frame.starts_with("data: {\"error\":{\"message\":") && frame.ends_with("}}\n\n"), "{frame}");
    assert!(!frame.contains("DONE") && !frame.contains("finish_reason"));
}
