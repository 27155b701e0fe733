//! How requests are written, but for what has been said and how much to think.

use serde_json::{Value, json};

use super::{encode_for, lost};
use crate::canonical::{ChatRequest, Message, OutputFormat, Role, Tool, ToolChoice, ToolInput, Weight};
use crate::dialect::{Anthropic, Translate};

const MODEL: &str = "claude-sonnet-4-5";

fn hello() -> ChatRequest {
    ChatRequest { messages: vec![Message::text(Role::User, "Hi")], ..ChatRequest::default() }
}

fn function(name: &str, schema: Option<Value>, strict: Option<bool>) -> Tool {
    Tool { name: name.into(), description: None, input: ToolInput::Json { schema, strict } }
}

#[test]
fn the_smallest_request_says_what_anthropic_demands() {
    let (body, losses) = encode_for(MODEL, &hello());
    let expected = json!({
        "model": MODEL,
        "max_tokens": 32_000,
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": "Hi" }] }],
    });
    assert_eq!((body, losses), (expected, vec![]));
    assert_eq!(Anthropic.path(MODEL, true), "/messages");
}

#[test]
fn what_both_know_is_said() {
    let request = ChatRequest {
        stream: true,
        max_output_tokens: Some(7),
        temperature: Some(0.3),
        top_k: Some(5),
        stop: vec!["END".into(), String::new()],
        user: Some("u".into()),
        presence_penalty: Some(0.0),
        ..hello()
    };
    let (body, losses) = encode_for(MODEL, &request);
    assert_eq!((&body["stream"], &body["max_tokens"], &body["top_k"]), (&json!(true), &json!(7), &json!(5)));
    assert_eq!((&body["temperature"], &body["stop_sequences"]), (&json!(0.3), &json!(["END"])));
    assert_eq!((&body["metadata"], losses), (&json!({ "user_id": "u" }), vec![]));
}

#[test]
fn what_anthropic_has_no_word_for_is_lost() {
    let request = ChatRequest {
        seed: Some(1),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(-0.5),
        logprobs: Some(0),
        verbosity: Some("low".into()),
        stop: vec!["\n".into()],
        user: Some("u".repeat(257)),
        ..hello()
    };
    let (body, losses) = encode_for(MODEL, &request);
    let expected = [
        ("stop_sequences", Weight::Meaning),
        ("metadata.user_id", Weight::Hint),
        ("seed", Weight::Meaning),
        ("presence_penalty", Weight::Meaning),
        ("frequency_penalty", Weight::Meaning),
        ("logprobs", Weight::Meaning),
        ("verbosity", Weight::Hint),
    ];
    assert_eq!(lost(&losses), expected);
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
}

#[test]
fn a_temperature_is_clamped_and_stands_alone() {
    let request = ChatRequest { temperature: Some(1.7), top_p: Some(0.5), ..hello() };
    let (body, losses) = encode_for(MODEL, &request);
    assert_eq!((&body["temperature"], body.get("top_p")), (&json!(1.0), None));
    assert_eq!(lost(&losses), [("temperature", Weight::Hint), ("top_p", Weight::Hint)]);
    // Elder models and others take both; one that is 1 says nothing.
    let (body, losses) =
        encode_for("claude-3-5-haiku-latest", &ChatRequest { temperature: Some(0.5), ..request.clone() });
    assert_eq!((&body["top_p"], losses), (&json!(0.5), vec![]));
    let (body, losses) = encode_for(MODEL, &ChatRequest { top_p: Some(1.0), temperature: Some(0.5), ..hello() });
    assert_eq!((body.get("top_p"), losses), (None, vec![]));
}

#[test]
fn new_models_are_not_told_how_to_sample() {
    let request = ChatRequest { temperature: Some(0.2), top_p: Some(0.5), top_k: Some(5), ..hello() };
    let (body, losses) = encode_for("claude-opus-4-7", &request);
    assert_eq!(lost(&losses), [("temperature", Weight::Hint), ("top_p", Weight::Hint), ("top_k", Weight::Hint)]);
    assert_eq!(body.as_object().unwrap().len(), 3);
    let (_, losses) = encode_for("claude-opus-4-7", &ChatRequest { temperature: Some(1.0), ..hello() });
    assert_eq!(losses, []);
}

#[test]
fn tools_are_written_with_the_schema_of_their_input() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
    let described = Tool { description: Some("Does g.".into()), ..function("g", Some(schema.clone()), Some(true)) };
    let request = ChatRequest { tools: vec![function("f", None, Some(false)), described], ..hello() };
    let (body, losses) = encode_for(MODEL, &request);
    let closed =
        json!({ "type": "object", "properties": { "a": { "type": "string" } }, "additionalProperties": false });
    let expected = json!([
        { "name": "f", "input_schema": { "type": "object", "properties": {} } },
        { "name": "g", "description": "Does g.", "input_schema": closed, "strict": true },
    ]);
    assert_eq!((&body["tools"], body.get("tool_choice"), losses), (&expected, None, vec![]));
    let (body, losses) = encode_for("claude-sonnet-4-0", &request);
    assert_eq!((&body["tools"][1]["input_schema"], body["tools"][1].get("strict")), (&schema, None));
    assert_eq!(lost(&losses), [("tools", Weight::Hint)]);
}

#[test]
fn a_tool_that_takes_text_takes_an_object_with_one() {
    let grammar = json!({ "type": "grammar", "syntax": "lark", "definition": "start: \"x\"" });
    let text =
        |format| Tool { name: "patch".into(), description: Some("Patches.".into()), input: ToolInput::Text { format } };
    let (body, losses) = encode_for(MODEL, &ChatRequest { tools: vec![text(None), text(Some(grammar))], ..hello() });
    let schema = json!({ "type": "object", "properties": { "input": { "type": "string" } }, "required": ["input"] });
    assert_eq!(body["tools"][0], json!({ "name": "patch", "description": "Patches.", "input_schema": schema }));
    assert_eq!(body["tools"][1]["description"], "Patches.\n\n`input` must match this lark:\n\nstart: \"x\"");
    assert_eq!(lost(&losses), [("tools", Weight::Hint), ("tools", Weight::Hint)]);
}

#[test]
fn every_choice_of_tools_is_written() {
    let tools = vec![function("f", None, None), function("g", None, None)];
    let choice = |tool_choice, parallel_tool_calls| {
        let request = ChatRequest { tools: tools.clone(), tool_choice, parallel_tool_calls, ..hello() };
        encode_for(MODEL, &request).0
    };
    for (tool_choice, parallel, expected) in [
        (None, Some(true), json!(null)),
        (None, Some(false), json!({ "type": "auto", "disable_parallel_tool_use": true })),
        (Some(ToolChoice::Auto), None, json!({ "type": "auto" })),
        (Some(ToolChoice::None), Some(false), json!({ "type": "none" })),
        (Some(ToolChoice::Required), None, json!({ "type": "any" })),
        (
            Some(ToolChoice::Tool("f".into())),
            Some(false),
            json!({ "type": "tool", "name": "f", "disable_parallel_tool_use": true }),
        ),
    ] {
        assert_eq!(choice(tool_choice, parallel)["tool_choice"], expected);
    }
    let allowed = |required| Some(ToolChoice::Allowed { required, names: vec!["g".into()] });
    let body = choice(allowed(true), None);
    assert_eq!((body["tools"].as_array().unwrap().len(), &body["tools"][0]["name"]), (1, &json!("g")));
    assert_eq!(body["tool_choice"], json!({ "type": "any" }));
    assert_eq!(choice(allowed(false), None)["tool_choice"], json!({ "type": "auto" }));
}

#[test]
fn without_tools_there_is_nothing_to_choose() {
    let none = ChatRequest { tool_choice: Some(ToolChoice::Auto), parallel_tool_calls: Some(false), ..hello() };
    let (body, losses) = encode_for(MODEL, &none);
    assert_eq!((body.get("tool_choice"), losses), (None, vec![]));
    let (_, losses) = encode_for(MODEL, &ChatRequest { tool_choice: Some(ToolChoice::Required), ..hello() });
    assert_eq!(lost(&losses), [("tool_choice", Weight::Meaning)]);
}

#[test]
fn a_schema_holds_models_that_can_be_held_to_one() {
    let schema = json!({ "type": "object", "properties": {} });
    let output = OutputFormat::Schema { name: Some("n".into()), description: None, schema, strict: Some(true) };
    let request = ChatRequest { output, ..hello() };
    let (body, losses) = encode_for(MODEL, &request);
    let closed = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    assert_eq!(body["output_config"], json!({ "format": { "type": "json_schema", "schema": closed } }));
    assert_eq!(losses, []);
    let (body, losses) = encode_for("claude-3-7-sonnet-latest", &request);
    assert_eq!((body.get("output_config"), lost(&losses)), (None, vec![("output_config.format", Weight::Meaning)]));
}

#[test]
fn json_without_a_schema_is_asked_for_in_words() {
    let messages = vec![Message::text(Role::System, "Be kind."), Message::text(Role::User, "Hi")];
    let (body, losses) = encode_for(MODEL, &ChatRequest { output: OutputFormat::Json, messages, ..hello() });
    let system = body["system"].as_str().unwrap();
    assert!(system.starts_with("Be kind.\n\nAnswer with one JSON object"), "{system}");
    assert_eq!(lost(&losses), [("output_config.format", Weight::Hint)]);
}
