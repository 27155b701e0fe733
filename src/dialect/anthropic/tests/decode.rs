//! What recorded streams say, and answers.

use serde_json::{Value, json};

use super::{read, read_answer, recording, seal};
use crate::canonical::{Annotation, ChatAnswer, FinishReason, Part, ToolCall, Usage};
use crate::dialect::{Anthropic, Translate};
use crate::framing::Framing;

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), ..ToolCall::default() })
}

fn reason(answer: &ChatAnswer) -> FinishReason {
    answer.finish.as_ref().unwrap().reason
}

#[test]
fn a_text_is_told_with_who_said_it_why_it_ended_and_what_it_cost() {
    let (answer, unmapped) = read(recording!("text-haiku.sse"));
    assert_eq!(answer.id.as_deref(), Some("msg_011CeCGmCzjcUtmtEmMdEiM2"));
    assert_eq!(answer.model.as_deref(), Some("claude-haiku-4-5-20251001"));
    assert_eq!(answer.parts, [Part::text("1\n2\n3")]);
    let finish = answer.finish.unwrap();
    assert_eq!((finish.reason, finish.native.as_deref()), (FinishReason::Stop, Some("end_turn")));
    assert_eq!(answer.usage, Some(Usage { input_tokens: 15, output_tokens: 9, ..Usage::default() }));
    assert!(unmapped.is_empty());
}

/// What the events of every recording say, put together without the decoder.
#[test]
fn every_recorded_word_is_told() {
    for stream in [
        recording!("advisor-tool.sse"),
        recording!("compaction-cache-usage.sse"),
        recording!("document-citations.sse"),
        recording!("fallback-stream-fixture.sse"),
        recording!("image-input.sse"),
        recording!("json-output-format.sse"),
        recording!("mcp-tool.sse"),
        recording!("pause-turn.sse"),
        recording!("programmatic-tool-calling-emoji.sse"),
        recording!("redacted-thinking.sse"),
        recording!("sdk-incomplete-partial-json-max-tokens.sse"),
        recording!("text-after-tool-emoji.sse"),
        recording!("text-editor-code-execution.sse"),
        recording!("thinking-adaptive-opus46.sse"),
        recording!("thinking-then-tool.sse"),
        recording!("tool-use.sse"),
        recording!("url-image-long-text.sse"),
        recording!("web-search-citations.sse"),
    ] {
        let events: Vec<Value> = Framing::EventStream
            .events(stream.as_bytes())
            .map(|event| serde_json::from_slice(event.data.as_deref().unwrap()).unwrap())
            .collect();
        let all = |name: &str| -> String { events.iter().filter_map(|event| event["delta"][name].as_str()).collect() };
        let (answer, _) = read(stream);
        let thoughts: String = answer
            .parts
            .iter()
            .filter_map(|part| if let Part::Reasoning { text, .. } = part { Some(&**text) } else { None })
            .collect();
        assert_eq!(answer.text(), all("text"));
        assert_eq!(thoughts, all("thinking"));
        let cited = answer
            .parts
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.annotations.len()) } else { None });
        assert_eq!(cited.sum::<usize>(), events.iter().filter(|event| event["delta"]["citation"].is_object()).count());
    }
}

#[test]
fn a_call_is_told_with_its_arguments_as_they_come() {
    let (answer, _) = read(recording!("tool-use.sse"));
    let arguments = r#"{"latitude": "52.5200", "longitude": "13.4050"}"#;
    assert_eq!(answer.parts, [call("toolu_01MKSN7NHsBVKr7Jvw5pqCQq", "weather", arguments)]);
    assert_eq!(reason(&answer), FinishReason::ToolCalls);
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let (answer, _) = read(recording!("two-parallel-tools.sse"));
    let name = "pelican_name_generator";
    let expected =
        [call("toolu_01LtHJmixrs9NcWQkK8hu8hj", name, "{}"), call("toolu_01N8a4jWyf116qKTMqKKmjyt", name, "{}")];
    assert_eq!(answer.parts, expected);
}

#[test]
fn thoughts_come_with_their_signature_before_the_call_they_led_to() {
    let (answer, _) = read(recording!("thinking-then-tool.sse"));
    let [Part::Reasoning { text, seal: Some(mark) }, Part::ToolCall(call)] = &*answer.parts else {
        panic!("{:?}", answer.parts)
    };
    assert!(text.starts_with("The user wants me to:\n1"));
    assert!(mark.data.starts_with("EoQDCm0IDhgCKkCDzGs2kL2PgnDC") && mark.dialect == "anthropic");
    assert_eq!((&*call.name, &*call.arguments), ("fixed_version", "{}"));
    assert_eq!(answer.usage.unwrap().reasoning_output_tokens, 53);
}

#[test]
fn thoughts_between_texts_keep_their_place() {
    let (answer, _) = read(recording!("thinking-adaptive-opus46.sse"));
    let [Part::Text(before), Part::Reasoning { text, seal: Some(_) }, Part::Text(_)] = &*answer.parts else {
        panic!("{:?}", answer.parts)
    };
    assert_eq!(before.text, "\n\n");
    assert!(text.starts_with("Brief"));
}

#[test]
fn redacted_thoughts_are_marks_that_say_what_they_are() {
    let (answer, unmapped) = read(recording!("redacted-thinking.sse"));
    let marks: Vec<&str> = answer
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Reasoning { text, seal: Some(seal) } if text.is_empty() => Some(&*seal.data),
            _ => None,
        })
        .collect();
    assert!(marks.len() == 2 && marks[0].starts_with("redacted:EqkECkYIBxgC"), "{marks:?}");
    assert!(marks[1].starts_with("redacted:EtgBCkYIBxgC") && unmapped.is_empty());
    assert!(answer.text().starts_with("I notice that you've sent what"));
}

#[test]
fn thoughts_that_are_not_shown_are_a_mark_alone() {
    let (answer, unmapped) = read(recording!("advisor-tool.sse"));
    assert!(matches!(&answer.parts[0], Part::Reasoning { text, seal: Some(_) } if text.is_empty()));
    assert_eq!(unmapped, ["server_tool_use", "advisor_tool_result"]);
    // The advisor's words are not the model's, and its tokens are its own.
    assert!(!answer.text().contains("Ship it"));
    assert_eq!(answer.usage.unwrap().reasoning_output_tokens, 47);
}

#[test]
fn facts_come_with_the_text_they_are_for() {
    let (answer, _) = read(recording!("document-citations.sse"));
    let [Part::Text(text)] = &*answer.parts else { panic!("{:?}", answer.parts) };
    let fact = Annotation {
        url: None,
        title: Some("facts.txt".to_owned()),
        cited_text: Some("The Ruby programming language was created by Yukihiro Matsumoto in 1993. ".to_owned()),
        span: None,
    };
    assert_eq!(
        (&*text.text, &text.annotations),
        ("The Ruby programming language was created by Yukihiro Matsumoto in 1993.", &vec![fact])
    );
}

#[test]
fn what_providers_tools_do_is_noted_and_what_the_model_says_of_it_is_told() {
    let (answer, unmapped) = read(recording!("web-search-citations.sse"));
    assert_eq!(unmapped, ["server_tool_use", "web_search_tool_result"]);
    let urls = answer.parts.iter().filter_map(|part| match part {
        Part::Text(text) => text.annotations.first()?.url.as_deref(),
        _ => None,
    });
    assert!(urls.into_iter().any(|url| url == "https://www.weather2travel.com/california/san-francisco/september/"));
    assert_eq!(reason(&answer), FinishReason::Stop);
    assert_eq!(read(recording!("mcp-tool.sse")).1, ["mcp_tool_use", "mcp_tool_result"]);
    assert_eq!(read(recording!("compaction-cache-usage.sse")).1, ["compaction"]);
    assert!(read(recording!("text-editor-code-execution.sse")).1.contains(&"server_tool_use".to_owned()));
    assert_eq!(reason(&read(recording!("pause-turn.sse")).0), FinishReason::Pause);
}

#[test]
fn a_generation_in_several_rounds_costs_all_of_them() {
    let usage = read(recording!("compaction-cache-usage.sse")).0.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (55_377, 55_096, 91));
}

#[test]
fn a_client_hears_which_of_its_texts_ended_the_answer() {
    let (answer, _) = read(recording!("stop-sequence-prefill.sse"));
    let finish = answer.finish.unwrap();
    assert_eq!((finish.reason, finish.stop_sequence.as_deref()), (FinishReason::StopSequence, Some("```")));
}

#[test]
fn a_refusal_says_why() {
    let (answer, _) = read(recording!("refusal-stop-details.sse"));
    let finish = answer.finish.unwrap();
    assert!(answer.parts.is_empty());
    assert_eq!(finish.reason, FinishReason::Refusal);
    assert!(finish.explanation.unwrap().starts_with("This request triggered restrictions on violative cyber content"));
    let (answer, _) = read(recording!("toolrefusal-fixture.sse"));
    assert_eq!((reason(&answer), answer.parts.len()), (FinishReason::Refusal, 1));
}

#[test]
fn arguments_that_are_cut_off_are_passed_as_they_are() {
    let (answer, _) = read(recording!("sdk-incomplete-partial-json-max-tokens.sse"));
    let Part::ToolCall(call) = &answer.parts[1] else { panic!("{:?}", answer.parts) };
    assert!(call.arguments.starts_with("{\"filename\": \"taxes.txt\", \"lines_of_text\": ["));
    assert!(call.arguments.ends_with("\n\"Filing taxes") && call.json_arguments().is_none());
    assert_eq!(reason(&answer), FinishReason::Length);
}

#[test]
fn a_message_that_is_announced_twice_is_one() {
    let (answer, unmapped) = read(recording!("duplicate-message-start.sse"));
    assert_eq!(answer.parts, [Part::text("Hello, World!")]);
    assert_eq!(answer.usage, Some(Usage { input_tokens: 17, output_tokens: 227, ..Usage::default() }));
    assert!(unmapped.is_empty());
}

#[test]
fn a_message_that_begins_in_the_middle_of_another_is_told_behind_it_and_noted() {
    let (answer, unmapped) = read(recording!("spliced-message-start.sse"));
    let names: Vec<&str> = answer
        .parts
        .iter()
        .filter_map(|part| if let Part::ToolCall(call) = part { Some(&*call.id) } else { None })
        .collect();
    assert_eq!(names, ["toolu_first", "toolu_second"]);
    assert_eq!(answer.parts.last().unwrap(), &call("toolu_second", "test-tool", r#"{"value":"Sparkle Day"}"#));
    assert_eq!(unmapped, ["second message_start"]);
}

fn frame(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

#[test]
fn a_message_that_is_whole_when_it_begins_is_told() {
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [
            { "type": "text", "text": "Both." },
            { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "b": 1.50, "a": [] } },
            { "type": "tool_use", "id": "toolu_2", "name": "g", "input": {} },
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": { "input_tokens": 3, "output_tokens": 4 },
    });
    let stream =
        [frame(&json!({ "type": "message_start", "message": message })), frame(&json!({ "type": "message_stop" }))];
    let (answer, _) = read(&stream.concat());
    let expected = [Part::text("Both."), call("toolu_1", "f", r#"{"b":1.5,"a":[]}"#), call("toolu_2", "g", "{}")];
    assert_eq!(answer.parts, expected);
    assert_eq!((reason(&answer), answer.usage.unwrap().output_tokens), (FinishReason::ToolCalls, 4));
    // Told the same way when it does not stream.
    assert_eq!(read_answer(&message).0, answer);
}

#[test]
fn an_answer_that_did_not_stream_says_the_same_as_one_that_did() {
    let message = json!({
        "id": "msg_2", "type": "message", "role": "assistant", "model": "m",
        "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "sig+/=" },
            { "type": "redacted_thinking", "data": "secret" },
            { "type": "text", "text": "See", "citations": null },
            { "type": "text", "text": "there", "citations": [
                { "type": "web_search_result_location", "url": "https://a.b", "title": null, "cited_text": "c", "encrypted_index": "e" },
                { "type": "search_result_location", "source": "https://c.d", "title": "t", "cited_text": "x", "search_result_index": 0 },
                { "type": "search_result_location", "source": "shelf 3", "cited_text": "y" },
            ] },
            { "type": "server_tool_use", "id": "s", "name": "web_search", "input": { "query": "q" } },
            { "type": "web_search_tool_result", "tool_use_id": "s", "content": [{ "type": "web_search_result" }] },
        ],
        "stop_reason": "stop_sequence", "stop_sequence": "END",
        "usage": { "input_tokens": 5, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 2 },
    });
    let (answer, unmapped) = read_answer(&message);
    let urls: Vec<Option<&str>> = match &answer.parts[3] {
        Part::Text(text) => text.annotations.iter().map(|fact| fact.url.as_deref()).collect(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        answer.parts[..2],
        [
            Part::Reasoning { text: "Hm.".into(), seal: Some(seal("sig+/=")) },
            Part::Reasoning { text: String::new(), seal: Some(seal("redacted:secret")) },
        ]
    );
    assert_eq!(urls, [Some("https://a.b"), Some("https://c.d"), None]);
    assert_eq!(answer.finish.unwrap().stop_sequence.as_deref(), Some("END"));
    assert_eq!(answer.usage.unwrap().input_tokens, 115);
    assert_eq!(unmapped, ["server_tool_use", "web_search_tool_result"]);
}

#[test]
fn what_is_no_answer_is_none() {
    for body in [&b"{"[..], b"[]", b"{}", br#"{"type":"error","error":{"type":"api_error","message":"no"}}"#] {
        assert!(Anthropic.decode_answer(body, &mut |event| panic!("{event:?}")).is_err());
    }
}

#[test]
fn the_last_reason_counts_and_null_is_none() {
    let delta = |reason: Value, tokens: u64| {
        frame(
            &json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": { "output_tokens": tokens } }),
        )
    };
    let stream = [delta(json!("end_turn"), 3), delta(json!("max_tokens"), 5), delta(Value::Null, 7)].concat();
    let (answer, _) = read(&stream);
    assert_eq!((reason(&answer), answer.usage.unwrap().output_tokens), (FinishReason::Length, 7));
    for (word, expected) in [
        ("model_context_window_exceeded", FinishReason::ContextFull),
        ("compaction", FinishReason::Other),
        ("not known yet", FinishReason::Other),
    ] {
        assert_eq!(reason(&read(&delta(json!(word), 1)).0), expected);
    }
}

#[test]
fn a_call_keeps_the_input_it_began_with_if_no_other_comes() {
    let start = frame(&json!({ "type": "content_block_start", "index": 0, "content_block":
        { "type": "tool_use", "id": "t", "name": "f", "input": { "a": 1 } } }));
    let delta = frame(&json!({ "type": "content_block_delta", "index": 0, "delta":
        { "type": "input_json_delta", "partial_json": "{\"b\":2}" } }));
    let stop = frame(&json!({ "type": "content_block_stop", "index": 0 }));
    assert_eq!(read(&[&*start, &stop].concat()).0.parts, [call("t", "f", r#"{"a":1}"#)]);
    assert_eq!(read(&[&*start, &delta, &stop].concat()).0.parts, [call("t", "f", r#"{"b":2}"#)]);
    // Without an end of the block, too.
    assert_eq!(read(&start).0.parts, [call("t", "f", r#"{"a":1}"#)]);
}

#[test]
fn errors_garbage_and_pings_are_passed_over_and_what_is_new_is_noted() {
    let stream = concat!(
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}\n\n",
        "data: <html>\n\n",
        "event: new\ndata: {\"type\":\"new\"}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"new_delta\",\"text\":\"b\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":7}}\n\n",
    );
    let (answer, unmapped) = read(stream);
    assert_eq!(answer.parts, [Part::text("a")]);
    assert_eq!(unmapped, ["new_delta", "event of an unknown shape"]);
}
