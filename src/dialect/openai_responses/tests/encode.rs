use serde_json::{Value, json};

use super::super::OpenAiResponses;
use super::support::{context, events, foreign_seal, request};
use crate::canonical::{Annotation, ChatAnswer, Finish, FinishReason, Logprob, Part, Text, ToolCall, ToolKind, Usage};
use crate::dialect::{Delta, Encoder, Translate};
use crate::error::Error;

const REQUEST: &str = r#"{"model":"m","instructions":"Be brief.","input":"Hi","max_output_tokens":99,"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true}],"reasoning":{"effort":"low","summary":"auto"}}"#;

/// The stream of an answer that says `parts` in one piece each and ends for `reason`.
fn stream(parts: &[Part], reason: FinishReason) -> String {
    let mut encoder = OpenAiResponses.encoder(&context(request(REQUEST)));
    let mut out = Vec::new();
    encoder.start(&ChatAnswer::default(), &mut out);
    for part in parts {
        tell(&mut *encoder, part, &mut out);
    }
    encoder.finish(&answer(parts, reason), &mut out);
    String::from_utf8(out).unwrap()
}

fn answer(parts: &[Part], reason: FinishReason) -> ChatAnswer {
    let usage = Usage {
        input_tokens: 10,
        output_tokens: 7,
        cached_input_tokens: 4,
        cache_write_input_tokens: 2,
        reasoning_output_tokens: 3,
    };
    let finish = Some(Finish::new(reason, "native"));
    ChatAnswer { parts: parts.to_vec(), finish, usage: Some(usage), ..ChatAnswer::default() }
}

fn tell(encoder: &mut dyn Encoder, part: &Part, out: &mut Vec<u8>) {
    let empty = match part {
        Part::Text(_) => Part::text(""),
        Part::Refusal(_) => Part::Refusal(String::new()),
        Part::ToolCall(call) => Part::ToolCall(ToolCall { arguments: String::new(), seal: None, ..call.clone() }),
        _ => Part::Reasoning { text: String::new(), seal: None },
    };
    encoder.open(&empty, out);
    match part {
        Part::Text(text) => encoder.delta(Delta::Text { text: &text.text, logprobs: &text.logprobs }, out),
        Part::Refusal(text) => encoder.delta(Delta::Refusal(text), out),
        Part::ToolCall(call) if !call.arguments.is_empty() => encoder.delta(Delta::Arguments(&call.arguments), out),
        Part::Reasoning { text, .. } if !text.is_empty() => encoder.delta(Delta::Reasoning(text), out),
        _ => {}
    }
    encoder.close(part, out);
}

fn call(arguments: &str) -> ToolCall {
    ToolCall { id: "call_1".into(), name: "f".into(), arguments: arguments.into(), ..ToolCall::default() }
}

/// The names of the events of `stream`, without `response.`
fn names(stream: &str) -> Vec<String> {
    let names = stream.lines().filter_map(|line| line.strip_prefix("event: "));
    names.map(|name| name.trim_start_matches("response.").to_owned()).collect()
}

#[test]
fn a_text_is_told_with_all_that_opens_and_closes_it() {
    let stream = stream(&[Part::text("é\n")], FinishReason::Stop);
    let begin = stream.find("event: response.output_item.added").unwrap();
    let end = stream.find("event: response.completed").unwrap();
    let expected = r#"event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_ID_0","type":"message","status":"in_progress","role":"assistant","content":[]}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":3,"item_id":"msg_ID_0","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_ID_0","output_index":0,"content_index":0,"delta":"é\n","logprobs":[]}

event: response.output_text.done
data: {"type":"response.output_text.done","sequence_number":5,"item_id":"msg_ID_0","output_index":0,"content_index":0,"text":"é\n","logprobs":[]}

event: response.content_part.done
data: {"type":"response.content_part.done","sequence_number":6,"item_id":"msg_ID_0","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":"é\n"}}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"msg_ID_0","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"é\n"}]}}

"#;
    assert_eq!(&stream[begin..end], expected);
    assert!(stream.ends_with("}\n\ndata: [DONE]\n\n"));
}

#[test]
fn a_response_repeats_the_settings_of_its_request() {
    let stream = stream(&[Part::text("a")], FinishReason::Stop);
    let created = &events(&stream)[0]["response"];
    let expected = json!({
        "id": "resp_ID",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "in_progress",
        "background": false,
        "completed_at": null,
        "error": null,
        "incomplete_details": null,
        "instructions": "Be brief.",
        "max_output_tokens": 99,
        "max_tool_calls": null,
        "metadata": {},
        "model": "m",
        "parallel_tool_calls": true,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "previous_response_id": null,
        "prompt_cache_key": null,
        "reasoning": { "effort": "low", "summary": "auto" },
        "safety_identifier": null,
        "service_tier": "default",
        "store": false,
        "temperature": 1.0,
        "text": { "format": { "type": "text" }, "verbosity": "medium" },
        "tool_choice": "auto",
        "tools": [{ "type": "function", "name": "f", "parameters": { "type": "object" }, "strict": true }],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": null,
        "output": [],
        "usage": null,
    });
    assert_eq!(*created, expected);
    let usage = json!({
        "input_tokens": 10,
        "input_tokens_details": { "cached_tokens": 4, "cache_write_tokens": 2 },
        "output_tokens": 7,
        "output_tokens_details": { "reasoning_tokens": 3 },
        "total_tokens": 17,
    });
    let completed = events(&stream).pop().unwrap();
    assert_eq!(completed["response"]["usage"], usage);
    assert_eq!(completed["response"]["completed_at"], 1_700_000_003);
}

#[test]
fn thoughts_texts_and_calls_are_items_in_their_order() {
    let seal = Some(foreign_seal());
    let parts = [
        Part::Reasoning { text: "hm".into(), seal: seal.clone() },
        Part::text("a"),
        Part::Refusal("no".into()),
        Part::ToolCall(call("")),
        Part::Reasoning { text: String::new(), seal },
        Part::ToolCall(ToolCall { kind: ToolKind::Custom, ..call("ls") }),
    ];
    let stream = stream(&parts, FinishReason::ToolCalls);
    let expected = "created in_progress \
        output_item.added reasoning_summary_part.added reasoning_summary_text.delta reasoning_summary_text.done \
        reasoning_summary_part.done output_item.done \
        output_item.added content_part.added output_text.delta output_text.done content_part.done \
        content_part.added refusal.delta refusal.done content_part.done output_item.done \
        output_item.added function_call_arguments.delta function_call_arguments.done output_item.done \
        output_item.added output_item.done \
        output_item.added custom_tool_call_input.delta custom_tool_call_input.done output_item.done completed";
    assert_eq!(names(&stream).join(" "), expected);
    let token = "sg1.Z2VtaW5pCmdvb2dsZQp0aG91Z2h0";
    let text = json!({ "type": "output_text", "annotations": [], "logprobs": [], "text": "a" });
    let output = json!([
        { "id": "rs_ID_0", "type": "reasoning", "status": "completed", "summary": [{ "type": "summary_text", "text": "hm" }], "encrypted_content": token },
        { "id": "msg_ID_1", "type": "message", "status": "completed", "role": "assistant", "content": [text, { "type": "refusal", "refusal": "no" }] },
        { "id": "fc_ID_2", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "f", "arguments": "{}" },
        { "id": "rs_ID_3", "type": "reasoning", "status": "completed", "summary": [], "encrypted_content": token },
        { "id": "ctc_ID_4", "type": "custom_tool_call", "status": "completed", "call_id": "call_1", "name": "f", "input": "ls" },
    ]);
    let told = events(&stream);
    assert_eq!(told.last().unwrap()["response"]["output"], output);
    let done = told.iter().filter(|event| event["type"] == "response.output_item.done");
    assert_eq!(Value::from_iter(done.map(|event| event["item"].clone())), output);
    // Numbered without a gap, and each named as its data is.
    for (number, (event, name)) in told.iter().zip(names(&stream)).enumerate() {
        assert_eq!(event["sequence_number"], number);
        assert_eq!(event["type"], format!("response.{name}"));
    }
    // An answer that does not stream is the same.
    let whole = OpenAiResponses.encode_answer(&answer(&parts, FinishReason::ToolCalls), &context(request(REQUEST)));
    assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), told.last().unwrap()["response"]);
}

#[test]
fn the_seal_of_a_call_or_of_a_text_follows_it_and_comes_back() {
    let sealed = ToolCall { seal: Some(foreign_seal()), ..call("{}") };
    let text = Text { text: "a".into(), seal: Some(foreign_seal()), ..Text::default() };
    let parts = [Part::Text(text), Part::text("b"), Part::ToolCall(sealed), Part::ToolCall(call("{}"))];
    let output = events(&stream(&parts, FinishReason::ToolCalls)).pop().unwrap()["response"]["output"].take();
    let kinds: Vec<&str> = output.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "reasoning", "message", "function_call", "reasoning", "function_call"]);
    assert_eq!(output[1]["encrypted_content"], "sg1.Z2VtaW5pCmdvb2dsZQp0aG91Z2h0.text");
    assert_eq!(output[4]["encrypted_content"], "sg1.Z2VtaW5pCmdvb2dsZQp0aG91Z2h0.call.call_1");
    let back = request(&json!({ "model": "m", "input": output }).to_string());
    assert_eq!(back.messages.len(), 1);
    assert_eq!(back.messages[0].parts, parts);
}

#[test]
fn an_answer_that_was_cut_off_ends_in_an_incomplete_item() {
    for (reason, why) in [(FinishReason::Length, "max_output_tokens"), (FinishReason::Refusal, "content_filter")] {
        let stream = stream(&[Part::text("a"), Part::ToolCall(call("{\"a\":"))], reason);
        let event = events(&stream).pop().unwrap();
        assert_eq!(event["type"], "response.incomplete");
        let response = &event["response"];
        assert_eq!((&response["status"], &response["completed_at"]), (&json!("incomplete"), &Value::Null));
        assert_eq!(response["incomplete_details"], json!({ "reason": why }));
        assert_eq!(response["output"][0]["status"], "completed");
        assert_eq!(response["output"][1]["status"], "incomplete");
        assert!(stream.ends_with("data: [DONE]\n\n"));
    }
}

#[test]
fn a_call_that_went_wrong_is_a_response_that_failed() {
    let event = events(&stream(&[], FinishReason::MalformedToolCall)).pop().unwrap();
    assert_eq!((&event["type"], &event["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!(event["response"]["error"]["code"], "server_error");
}

#[test]
fn a_refusal_without_a_word_is_told_in_the_words_of_its_provider() {
    let finish = Finish { explanation: Some("Too risky.".into()), ..Finish::new(FinishReason::Refusal, "refusal") };
    let refused = ChatAnswer { finish: Some(finish), ..ChatAnswer::default() };
    let body = OpenAiResponses.encode_answer(&refused, &context(request(REQUEST)));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["output"][0]["content"], json!([{ "type": "refusal", "refusal": "Too risky." }]));
    assert_eq!(body["status"], "incomplete");
    let mut encoder = OpenAiResponses.encoder(&context(request(REQUEST)));
    let mut out = Vec::new();
    encoder.start(&ChatAnswer::default(), &mut out);
    encoder.finish(&refused, &mut out);
    let told = events(&String::from_utf8(out).unwrap());
    let delta = told.iter().find(|event| event["type"] == "response.refusal.delta").unwrap();
    assert_eq!(delta["delta"], "Too risky.");
}

#[test]
fn what_is_known_of_a_text_is_told_with_it() {
    let page =
        Annotation { url: Some("https://a".into()), title: Some("A".into()), cited_text: None, span: Some((0, 1)) };
    let document = Annotation { title: Some("D".into()), ..Annotation::default() };
    let other = Logprob { token: "x".into(), logprob: -2.0, ..Logprob::default() };
    let logprob = Logprob { token: "é".into(), logprob: -0.25, bytes: None, top: vec![other] };
    let text =
        Text { text: "éé".into(), annotations: vec![page, document], logprobs: vec![logprob], ..Text::default() };
    let told = events(&stream(&[Part::Text(text)], FinishReason::Stop));
    let page = json!({ "type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 1 });
    let document = json!({ "type": "file_citation", "file_id": "", "filename": "D", "index": 2 });
    let added = told.iter().filter(|event| event["type"] == "response.output_text.annotation.added");
    assert_eq!(Value::from_iter(added.map(|event| event["annotation"].clone())), json!([page, document]));
    let part = &told.last().unwrap()["response"]["output"][0]["content"][0];
    assert_eq!(part["annotations"], json!([page, document]));
    let other = json!({ "token": "x", "bytes": [120], "logprob": -2.0 });
    let logprobs = json!([{ "token": "é", "bytes": [195, 169], "logprob": -0.25, "top_logprobs": [other] }]);
    assert_eq!(part["logprobs"], logprobs);
    let delta = told.iter().find(|event| event["type"] == "response.output_text.delta").unwrap();
    assert_eq!(delta["logprobs"], logprobs);
}

#[test]
fn an_answer_that_breaks_off_tells_why_and_no_end() {
    let mut encoder = OpenAiResponses.encoder(&context(request(REQUEST)));
    let mut out = Vec::new();
    encoder.start(&ChatAnswer::default(), &mut out);
    tell(&mut *encoder, &Part::ToolCall(call("{}")), &mut out);
    encoder.open(&Part::text(""), &mut out);
    encoder.delta(Delta::Text { text: "a", logprobs: &[] }, &mut out);
    encoder.fail(&Error::UpstreamTruncated { provider: "p".into() }, &mut out);
    let stream = String::from_utf8(out).unwrap();
    let told = events(&stream);
    let [.., error, failed] = &told[..] else { panic!("{stream}") };
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("upstream_truncated")));
    assert_eq!(error["error"]["message"], error["message"]);
    assert_eq!(failed["sequence_number"].as_u64(), error["sequence_number"].as_u64().map(|number| number + 1));
    assert_eq!((&failed["type"], &failed["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    let message = "The stream of upstream \"p\" ended before the answer was finished.";
    assert_eq!(failed["response"]["error"], json!({ "code": "server_error", "message": message }));
    assert_eq!(failed["response"]["output"].as_array().unwrap().len(), 1);
    assert!(!stream.contains("[DONE]") && !stream.contains("response.completed"));
}
