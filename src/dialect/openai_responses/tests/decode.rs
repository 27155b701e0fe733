use serde_json::{Value, json};

use super::support::{STREAMS, decode, decode_answer, events, last_response, own_seal, recording};
use crate::canonical::{ChatAnswer, FinishReason, Part, ToolCall, ToolKind};

/// Texts, thoughts and calls of the response object that a stream ends with, read without the decoder.
fn said(response: &Value) -> (String, String, Vec<(String, String, String)>) {
    let (mut text, mut thoughts, mut calls) = (String::new(), Vec::new(), Vec::new());
    let str_of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for item in response["output"].as_array().unwrap() {
        match item["type"].as_str().unwrap() {
            "message" => item["content"].as_array().unwrap().iter().for_each(|part| text += &str_of(&part["text"])),
            "reasoning" => {
                let parts = [&item["content"], &item["summary"]].into_iter().filter_map(Value::as_array).flatten();
                thoughts.extend(parts.map(|part| str_of(&part["text"])));
            }
            "function_call" => {
                calls.push((str_of(&item["call_id"]), str_of(&item["name"]), str_of(&item["arguments"])));
            }
            _ => {}
        }
    }
    (text, thoughts.join("\n\n"), calls)
}

fn thoughts(answer: &ChatAnswer) -> String {
    let thoughts = answer.parts.iter().filter_map(|part| match part {
        Part::Reasoning { text, .. } if !text.is_empty() => Some(&**text),
        _ => None,
    });
    thoughts.collect::<Vec<_>>().join("\n\n")
}

fn calls(answer: &ChatAnswer) -> Vec<(String, String, String)> {
    let calls = answer.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some((call.id.clone(), call.name.clone(), call.arguments.clone())),
        _ => None,
    });
    calls.collect()
}

#[test]
fn every_recorded_stream_says_what_its_response_says() {
    for (name, stream) in STREAMS {
        let (answer, _) = decode(stream);
        let response = last_response(stream);
        let expected = said(&response);
        assert_eq!((answer.text(), thoughts(&answer), calls(&answer)), expected, "{name}");
        assert_eq!(answer.id.as_deref(), events(stream)[0]["response"]["id"].as_str(), "{name}");
        assert_eq!(answer.model.as_deref(), response["model"].as_str(), "{name}");
        let reason = if expected.2.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
        assert_eq!(answer.finish.unwrap().reason, reason, "{name}");
        assert_eq!(answer.usage.unwrap().output_tokens, response["usage"]["output_tokens"], "{name}");
    }
}

#[test]
fn an_answer_says_what_its_stream_says_but_for_names_that_gateways_change() {
    for (name, stream) in STREAMS.iter().filter(|(name, _)| *name != "copilot-item-id-rotation") {
        let response = last_response(stream);
        let ((streamed, kinds), (answer, _)) = (decode(stream), decode_answer(&response));
        assert_eq!(answer.text(), streamed.text(), "{name}");
        assert_eq!(calls(&answer), calls(&streamed), "{name}");
        assert_eq!(answer.parts.len(), streamed.parts.len(), "{name}");
        let last_alone = format!("data: {}\n\n", json!({ "type": "response.completed", "response": response }));
        assert_eq!(decode(&last_alone), (answer, kinds), "{name}");
    }
}

#[test]
fn a_response_that_is_empty_at_its_end_was_told_before() {
    for (name, stream) in STREAMS {
        let mut told = events(stream);
        let whole = decode(stream);
        told.last_mut().unwrap()["response"]["output"] = json!([]);
        let told: String = told.iter().map(|event| format!("data: {event}\n\n")).collect();
        assert_eq!(decode(&told), whole, "{name}");
    }
}

#[test]
fn thoughts_that_are_not_told_are_sealed_as_they_are_when_done() {
    let stream = recording!("gpt5nano-tool-noargs.sse");
    let done = events(stream).into_iter().find(|event| event["type"] == "response.output_item.done").unwrap();
    let data =
        format!("{}\n{}", done["item"]["id"].as_str().unwrap(), done["item"]["encrypted_content"].as_str().unwrap());
    assert!(data.starts_with("rs_0216a3dd84164ded016a85bf96281c8191ab15df9d8d514902\ngAAAAABqhb-X06AYPKlUm"));
    let (answer, unmapped) = decode(stream);
    assert_eq!(answer.parts[0], Part::Reasoning { text: String::new(), seal: Some(own_seal(&data)) });
    let call = ToolCall {
        id: "call_gAlMKYUezxsrjOsVqKjhG5Me".into(),
        name: "best_language_to_learn".into(),
        arguments: "{}".into(),
        ..ToolCall::default()
    };
    assert_eq!(answer.parts[1..], [Part::ToolCall(call)]);
    assert!(unmapped.is_empty());
}

#[test]
fn thoughts_that_are_told_as_they_are_are_sealed_by_their_name() {
    let (answer, _) = decode(recording!("deepseek-function-tool.sse"));
    let Part::Reasoning { text, seal: Some(seal) } = &answer.parts[0] else { panic!("{answer:?}") };
    assert!(!text.is_empty() && seal.data.ends_with('\n'), "{seal:?}");
}

#[test]
fn pages_and_files_are_told_and_tools_of_the_provider_by_their_kind() {
    let annotations = |stream| {
        let (answer, unmapped) = decode(stream);
        let annotations = answer.parts.into_iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.annotations),
            _ => None,
        });
        (annotations.flatten().collect::<Vec<_>>(), unmapped)
    };
    let (pages, kinds) = annotations(recording!("web-search-annotations-2.sse"));
    assert_eq!((pages.len(), kinds), (1, vec!["web_search_call".to_owned()]));
    assert!(pages[0].url.as_deref().unwrap().starts_with("http") && pages[0].span.is_some());
    let (files, kinds) = annotations(recording!("file-search.sse"));
    assert_eq!((files.len(), kinds), (1, vec!["file_search_call".to_owned()]));
    assert!(files[0].url.is_none() && files[0].title.is_some());
    assert_eq!(decode(recording!("compaction-item.sse")).1, ["compaction"]);
    assert_eq!(decode(recording!("client-tool-search.sse")).1, ["tool_search_call"]);
}

/// A stream of `events`, which ends with `end`.
fn stream(events: &[&str], end: &str) -> String {
    events.iter().chain([&end]).map(|event| format!("data: {event}\n\n")).collect()
}

const COMPLETED: &str = r#"{"type":"response.completed","response":{"status":"completed","output":[]}}"#;

#[test]
fn the_parts_of_a_summary_are_one_piece_of_thought_and_the_same_words_are_told_once() {
    let summary = |index, text| {
        format!(
            r#"{{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":{index},"delta":"{text}"}}"#
        )
    };
    let raw = r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"again"}"#;
    let done = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","encrypted_content":"e","summary":[{"type":"summary_text","text":"one"},{"type":"summary_text","text":"two"}]}}"#;
    let told = stream(&[&summary(0, "on"), &summary(0, "e"), &summary(1, "two"), raw, done], COMPLETED);
    let expected = [Part::Reasoning { text: "one\n\ntwo".into(), seal: Some(own_seal("rs\ne")) }];
    assert_eq!(decode(&told).0.parts, expected);
    // All at once.
    assert_eq!(decode(&stream(&[done], COMPLETED)).0.parts, expected);
}

#[test]
fn a_call_whose_arguments_come_only_when_it_is_done_has_them_once() {
    let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#;
    let done = r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":1}"}"#;
    let item = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}}"#;
    let custom = r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"custom_tool_call","call_id":"d","name":"g","input":"ls"}}"#;
    let call = ToolCall { id: "c".into(), name: "f".into(), arguments: r#"{"a":1}"#.into(), ..ToolCall::default() };
    for events in [&[added, done, item, custom][..], &[added, item, custom], &[item, custom]] {
        let (answer, _) = decode(&stream(events, COMPLETED));
        assert_eq!(answer.parts[0], Part::ToolCall(call.clone()));
        let Part::ToolCall(custom) = &answer.parts[1] else { panic!("{answer:?}") };
        assert_eq!((custom.kind, &*custom.arguments), (ToolKind::Custom, "ls"));
    }
}

#[test]
fn a_refusal_and_probabilities_are_read() {
    let text = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"I","logprobs":[{"token":"I","logprob":-0.5,"bytes":[73],"top_logprobs":[{"token":"No","logprob":-1.5}]}]}"#;
    let refusal = r#"{"type":"response.refusal.delta","output_index":0,"content_index":1,"delta":"can't"}"#;
    let (answer, _) = decode(&stream(&[text, refusal], COMPLETED));
    let Part::Text(text) = &answer.parts[0] else { panic!("{answer:?}") };
    assert_eq!((text.logprobs[0].logprob, &*text.logprobs[0].top[0].token), (-0.5, "No"));
    assert_eq!(text.logprobs[0].bytes.as_deref(), Some(&b"I"[..]));
    assert_eq!(answer.parts[1..], [Part::Refusal("can't".into())]);
}

#[test]
fn a_response_that_was_cut_off_says_why() {
    let end = |reason| {
        let response = json!({ "status": "incomplete", "incomplete_details": { "reason": reason }, "output": [] });
        let finish = decode_answer(&response).0.finish.unwrap();
        (finish.reason, finish.native.unwrap().into_owned())
    };
    assert_eq!(end("max_output_tokens"), (FinishReason::Length, "max_output_tokens".to_owned()));
    assert_eq!(end("content_filter"), (FinishReason::Refusal, "content_filter".to_owned()));
    assert_eq!(end("steered").0, FinishReason::Other);
}
