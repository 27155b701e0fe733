//! What is written for clients.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Gemini, context, objects, recordings};
use crate::canonical::{
    Annotation, ChatAnswer, ChatEvent, Finish, FinishReason, Logprob, Part, Seal, Text, ToolCall, ToolKind, Usage,
};
use crate::dialect::{AnswerContext, Dialect, Sequencer, Transcoder, Translate};
use crate::error::Error;

/// What is written when `events` are told, in the order they come.
fn written(context: &AnswerContext, events: Vec<ChatEvent<'_>>) -> Vec<u8> {
    let mut sequencer = Sequencer::new(Gemini.encoder(context), "anthropic", "claude".into(), "answer".into());
    let mut out = Vec::new();
    events.into_iter().for_each(|event| sequencer.take(event, &mut out));
    sequencer.finish(&mut out);
    out
}

fn text(text: &str) -> ChatEvent<'_> {
    ChatEvent::Text { text: text.into(), logprobs: Vec::new() }
}

fn finish(reason: FinishReason) -> ChatEvent<'static> {
    ChatEvent::Finish(Finish::new(reason, "word"))
}

fn call(arguments: &'static str) -> [ChatEvent<'static>; 3] {
    [
        ChatEvent::ToolCall { key: 0, id: Some("c1".into()), name: "f".into(), kind: ToolKind::Function },
        ChatEvent::Arguments { key: 0, fragment: arguments.into() },
        ChatEvent::Boundary,
    ]
}

#[test]
fn a_stream_is_written_as_gemini_writes_one() {
    let usage = Usage {
        input_tokens: 10,
        output_tokens: 7,
        cached_input_tokens: 4,
        reasoning_output_tokens: 2,
        ..Usage::default()
    };
    let events = vec![text("Hi \"you\"\n"), text("!"), finish(FinishReason::Stop), ChatEvent::Usage(usage)];
    let expected = concat!(
        r#"data: {"candidates":[{"content":{"parts":[{"text":"Hi \"you\"\n"}],"role":"model"},"index":0}],"modelVersion":"mine","responseId":"AAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        "\r\n\r\n",
        r#"data: {"candidates":[{"content":{"parts":[{"text":"!"}],"role":"model"},"index":0}],"modelVersion":"mine","responseId":"AAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        "\r\n\r\n",
        r#"data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":17,"cachedContentTokenCount":4,"thoughtsTokenCount":2},"modelVersion":"mine","responseId":"AAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        "\r\n\r\n",
    );
    assert_eq!(String::from_utf8(written(&context("{}"), events)).unwrap(), expected);
}

#[test]
fn a_call_is_written_whole() {
    let events = [call("{\"a\":\n1.0}").as_slice(), &[finish(FinishReason::Stop)]].concat();
    let chunks = objects(&written(&context("{}"), events));
    let expected = json!([{ "functionCall": { "id": "c1", "name": "f", "args": { "a": 1.0 } } }]);
    assert_eq!(chunks[0]["candidates"][0]["content"]["parts"], expected);
    assert_eq!((chunks.len(), &chunks[1]["candidates"][0]["finishReason"]), (2, &json!("STOP")));
}

#[test]
fn a_call_that_was_cut_off_is_left_out_and_never_looks_like_an_end() {
    let end = |reason| {
        let events = [call(r#"{"a":"#).as_slice(), &[finish(reason)]].concat();
        let chunks = objects(&written(&context("{}"), events));
        assert_eq!(chunks.len(), 1);
        (chunks[0]["candidates"][0]["finishReason"].clone(), chunks[0]["candidates"][0]["finishMessage"].clone())
    };
    assert_eq!(end(FinishReason::Length), (json!("MAX_TOKENS"), Value::Null));
    assert_eq!(end(FinishReason::ToolCalls), (json!("MALFORMED_FUNCTION_CALL"), json!(r#"{"a":"#)));
}

#[test]
fn thoughts_are_told_to_whom_asked_for_them_and_marks_to_all() {
    let events = || vec![ChatEvent::Reasoning("hm".into()), ChatEvent::Seal("EqQB".into()), text("yes")];
    let parts = |config: &str| -> Vec<Value> {
        let chunks = objects(&written(&context(config), events()));
        chunks.iter().map(|chunk| chunk["candidates"][0]["content"]["parts"][0].clone()).collect()
    };
    // The token of the seal, in base64.
    let token = "c2cxLllXNTBhSEp2Y0dsakNtTnNZWFZrWlFwRmNWRkM=";
    let mark = json!({ "text": "", "thought": true, "thoughtSignature": token });
    let shown = parts(r#"{"thinkingConfig":{"includeThoughts":true}}"#);
    assert_eq!(
        shown,
        [json!({ "text": "hm", "thought": true }), mark.clone(), json!({ "text": "yes" }), json!({ "text": "" })]
    );
    assert_eq!(parts("{}"), [mark, json!({ "text": "yes" }), json!({ "text": "" })]);
}

#[test]
fn a_mark_on_a_call_is_in_its_part() {
    let [begin, arguments, end] = call("{}");
    let chunks = objects(&written(&context("{}"), vec![begin, arguments, ChatEvent::Seal("EqQB".into()), end]));
    let part = &chunks[0]["candidates"][0]["content"]["parts"][0];
    assert_eq!((&part["functionCall"]["name"], part["thoughtSignature"].is_string()), (&json!("f"), true));
}

#[test]
fn a_refusal_is_text_and_ends_as_one() {
    let events = vec![ChatEvent::Refusal("I can't.".into()), finish(FinishReason::Stop)];
    let chunks = objects(&written(&context("{}"), events));
    assert_eq!(chunks[0]["candidates"][0]["content"]["parts"][0]["text"], "I can't.");
    assert_eq!(chunks[1]["candidates"][0]["finishReason"], "SAFETY");
}

#[test]
fn sources_are_told_at_the_end_with_their_places_in_bytes() {
    let annotation =
        Annotation { url: Some("u".into()), title: Some("t".into()), cited_text: None, span: Some((4, 6)) };
    let chunks = objects(&written(&context("{}"), vec![text("Où? Là."), ChatEvent::Annotation(annotation)]));
    let expected = json!({
        "groundingChunks": [{ "web": { "uri": "u", "title": "t" } }],
        "groundingSupports": [{ "segment": { "startIndex": 5, "endIndex": 8, "text": "Là" }, "groundingChunkIndices": [0] }],
    });
    assert_eq!(chunks[1]["candidates"][0]["groundingMetadata"], expected);
}

#[test]
fn probabilities_are_told_beside_their_text() {
    let top = Logprob { token: "b".into(), logprob: -2.0, ..Logprob::default() };
    let logprobs = vec![Logprob { token: "a".into(), logprob: -0.5, bytes: None, top: vec![top] }];
    let chunks = objects(&written(&context("{}"), vec![ChatEvent::Text { text: "a".into(), logprobs }]));
    let expected = json!({
        "chosenCandidates": [{ "token": "a", "logProbability": -0.5 }],
        "topCandidates": [{ "candidates": [{ "token": "b", "logProbability": -2.0 }] }],
    });
    assert_eq!(chunks[0]["candidates"][0]["logprobsResult"], expected);
}

#[test]
fn a_failure_is_an_error_and_no_end() {
    let mut sequencer = Sequencer::new(Gemini.encoder(&context("{}")), "anthropic", "claude".into(), "answer".into());
    let mut out = Vec::new();
    sequencer.take(text("Hi"), &mut out);
    sequencer.fail(&Error::UpstreamTruncated { provider: "p".into() }, &mut out);
    sequencer.finish(&mut out);
    let chunks = objects(&out);
    let message = "The stream of upstream \"p\" ended before the answer was finished.";
    assert_eq!(chunks[1], json!({ "error": { "code": 502, "message": message, "status": "INTERNAL", "details": [] } }));
    assert!(chunks.len() == 2 && !String::from_utf8(out).unwrap().contains("finishReason"));
}

#[test]
fn a_whole_answer_is_one_chunk() {
    let seal = Seal { dialect: "anthropic".into(), provider: "claude".into(), data: "EqQB".into() };
    let call = ToolCall { id: "c1".into(), name: "f".into(), arguments: String::new(), ..ToolCall::default() };
    let broken = ToolCall { arguments: "{".into(), ..call.clone() };
    let answer = ChatAnswer {
        parts: vec![
            Part::Reasoning { text: "hm".into(), seal: None },
            Part::ToolCall(broken),
            Part::Text(Text { text: "yes".into(), seal: Some(seal), ..Text::default() }),
            Part::ToolCall(call),
        ],
        finish: Some(Finish::new(FinishReason::Length, "length").into_owned()),
        usage: Some(Usage { input_tokens: 1, output_tokens: 2, ..Usage::default() }),
        ..ChatAnswer::default()
    };
    let told: Value = serde_json::from_slice(&Gemini.encode_answer(&answer, &context("{}"))).unwrap();
    let expected = json!({
        "candidates": [{
            "content": {
                "parts": [
                    { "text": "yes", "thoughtSignature": "c2cxLllXNTBhSEp2Y0dsakNtTnNZWFZrWlFwRmNWRkM=" },
                    { "functionCall": { "id": "c1", "name": "f", "args": {} } },
                ],
                "role": "model",
            },
            "finishReason": "MAX_TOKENS",
            "index": 0,
        }],
        "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3 },
        "modelVersion": "mine",
        "responseId": "AAAAAAAAAAAAAAAAAAAAAAAA",
    });
    assert_eq!(told, expected);
    let nothing: Value = serde_json::from_slice(&Gemini.encode_answer(&ChatAnswer::default(), &context("{}"))).unwrap();
    assert_eq!(nothing["candidates"][0]["content"]["parts"], json!([{ "text": "" }]));
}

#[test]
fn a_keep_alive_is_a_chunk_that_says_nothing() {
    let chunks = objects(Gemini.keep_alive());
    assert_eq!(
        chunks,
        [json!({ "candidates": [{ "content": { "parts": [{ "text": "" }], "role": "model" }, "index": 0 }] })]
    );
}

#[test]
fn every_recorded_stream_is_translated_the_same_however_it_arrives() {
    for (name, stream) in recordings(".sse") {
        let translated = |runs: &[&str]| {
            let mut transcoder = Transcoder::new(&Gemini, "google", &Gemini, &context("{}"));
            let mut out: Vec<u8> = Vec::new();
            runs.iter().for_each(|run| out.extend(transcoder.push(run.as_bytes(), Duration::ZERO)));
            out.extend(transcoder.finish(Duration::ZERO));
            out
        };
        let whole = translated(&[stream]);
        assert_eq!(whole, translated(&stream.split_inclusive("\r\n\r\n").collect::<Vec<_>>()), "{name}");
        let chunks = objects(&whole);
        let ends = chunks.iter().filter(|chunk| chunk["candidates"][0]["finishReason"].is_string()).count();
        assert_eq!((ends, &chunks[chunks.len() - 1]["candidates"][0]["finishReason"]), (1, &json!("STOP")), "{name}");
    }
}
