use serde_json::{Value, json};

use super::super::OpenAiResponses;
use super::support::{decode, foreign_seal, own_seal, recording, request};
use crate::canonical::{
    ChatRequest, Effort, Field, Loss, Losses, Media, Message, OutputFormat, Part, Reasoning, Role, Source, Text, Tool,
    ToolCall, ToolChoice, ToolInput, ToolKind, ToolResult, Weight,
};
use crate::dialect::{Quirks, Recipient, Translate};

/// What `request` is to the provider `cloud`, and what it loses.
fn write(request: &ChatRequest) -> (Value, Vec<(String, Weight)>) {
    let param = |field: Field| OpenAiResponses.param(field);
    let mut losses = Losses::new(&param);
    let to = Recipient { model: "gpt", provider: "cloud", quirks: &Quirks::NONE };
    let body = OpenAiResponses.encode_request(request, &to, &mut losses);
    let lost = losses.into_list().into_iter().map(|Loss { param, weight, .. }| (param, weight));
    (serde_json::from_slice(&body).unwrap(), lost.collect())
}

fn says(role: Role, parts: Vec<Part>) -> ChatRequest {
    ChatRequest { messages: vec![Message { role, parts }], ..ChatRequest::default() }
}

fn call(id: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "f".into(), arguments: "{\"a\":1}".into(), ..ToolCall::default() }
}

#[test]
fn a_small_request_is_small() {
    let request =
        ChatRequest { messages: vec![Message::text(Role::User, "Hi")], stream: true, ..ChatRequest::default() };
    let input = json!([{ "type": "message", "role": "user", "content": "Hi" }]);
    let expected = json!({ "model": "gpt", "input": input, "stream": true, "store": false });
    assert_eq!(write(&request), (expected, vec![]));
}

#[test]
fn a_recorded_request_is_the_same_again_in_what_matters() {
    let recorded: Value = serde_json::from_str(recording!("text-after-tool.request.json")).unwrap();
    let (body, lost) = write(&request(recording!("text-after-tool.request.json")));
    assert!(lost.is_empty());
    assert_eq!(body["tools"][0]["parameters"], recorded["tools"][0]["parameters"]);
    for (told, item) in body["input"].as_array().unwrap().iter().zip(recorded["input"].as_array().unwrap()) {
        for field in ["role", "content", "call_id", "name", "arguments", "output"] {
            assert_eq!(told.get(field), item.get(field), "{item}");
        }
    }
}

#[test]
fn leading_instructions_are_instructions_and_later_ones_stay_where_they_are() {
    let messages = vec![
        Message::text(Role::System, "a"),
        Message::text(Role::Developer, "b"),
        Message::text(Role::User, "Hi"),
        Message::text(Role::System, "c"),
    ];
    let mut request = ChatRequest { messages, ..ChatRequest::default() };
    let (body, _) = write(&request);
    assert_eq!(body["instructions"], "a\n\nb");
    assert_eq!(body["input"][1], json!({ "type": "message", "role": "system", "content": "c" }));
    // Where OpenAI looks for the word.
    request.output = OutputFormat::Json;
    let (body, _) = write(&request);
    assert_eq!((body.get("instructions"), &body["input"][0]["role"]), (None, &json!("system")));
    assert_eq!(body["text"], json!({ "format": { "type": "json_object" } }));
}

#[test]
fn every_setting_is_told() {
    let tool = |name: &str, input| Tool { name: name.into(), description: None, input };
    let schema = json!({ "type": "object" });
    let request = ChatRequest {
        tools: vec![
            tool("f", ToolInput::Json { schema: Some(schema.clone()), strict: None }),
            tool(
                "g",
                ToolInput::Text {
                    format: Some(json!({ "type": "grammar", "grammar": { "syntax": "regex", "definition": "x" } })),
                },
            ),
        ],
        tool_choice: Some(ToolChoice::Tool("g".into())),
        parallel_tool_calls: Some(false),
        max_output_tokens: Some(100),
        temperature: Some(0.5),
        top_p: Some(0.25),
        logprobs: Some(3),
        output: OutputFormat::Schema { name: None, description: None, schema: schema.clone(), strict: Some(true) },
        reasoning: Reasoning { effort: Some(Effort::High), visible: Some(true), ..Reasoning::default() },
        verbosity: Some("low".into()),
        user: Some("u".into()),
        ..ChatRequest::default()
    };
    let expected = json!({
        "model": "gpt",
        "input": [],
        "tools": [
            { "type": "function", "name": "f", "parameters": schema, "strict": false },
            { "type": "custom", "name": "g", "format": { "type": "grammar", "syntax": "regex", "definition": "x" } },
        ],
        "tool_choice": { "type": "custom", "name": "g" },
        "parallel_tool_calls": false,
        "max_output_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.25,
        "text": { "format": { "type": "json_schema", "name": "response", "schema": schema, "strict": true }, "verbosity": "low" },
        "top_logprobs": 3,
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
        "reasoning": { "effort": "high", "summary": "auto" },
        "safety_identifier": "u",
        "stream": false,
        "store": false,
    });
    assert_eq!(write(&request), (expected, vec![]));
}

#[test]
fn what_has_no_word_is_lost_and_told() {
    let request = ChatRequest {
        top_k: Some(1),
        seed: Some(1),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(0.0),
        stop: vec!["x".into()],
        max_output_tokens: Some(1),
        logprobs: Some(50),
        reasoning: Reasoning { budget_tokens: Some(5000), ..Reasoning::default() },
        ..ChatRequest::default()
    };
    let (body, lost) = write(&request);
    let expected = [
        ("max_output_tokens", Weight::Hint),
        ("top_logprobs", Weight::Hint),
        ("reasoning", Weight::Hint),
        ("top_k", Weight::Meaning),
        ("seed", Weight::Meaning),
        ("stop", Weight::Meaning),
        ("presence_penalty", Weight::Meaning),
    ];
    assert_eq!(lost, expected.map(|(param, weight)| (param.to_owned(), weight)));
    assert_eq!((&body["max_output_tokens"], &body["top_logprobs"]), (&json!(16), &json!(20)));
    assert_eq!(body["reasoning"], json!({ "effort": "high" }));
}

#[test]
fn own_thoughts_stand_before_what_they_led_to_and_those_of_others_nowhere() {
    let thoughts = |text: &str, seal| Part::Reasoning { text: text.into(), seal };
    let sealed = ToolCall { seal: Some(own_seal("rs_3\nz")), ..call("c2") };
    let parts = vec![
        thoughts("s", Some(own_seal("rs_1\nx"))),
        Part::text("a"),
        thoughts("foreign", Some(foreign_seal())),
        thoughts("unsealed", None),
        thoughts("raw", Some(own_seal("rs_2\n"))),
        Part::ToolCall(call("c1")),
        Part::ToolCall(sealed),
        thoughts("led to nothing", Some(own_seal("rs_4\nw"))),
    ];
    let (body, lost) = write(&says(Role::Assistant, parts));
    let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{\"a\":1}" });
    let expected = json!([
        { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "s" }], "encrypted_content": "x" },
        { "type": "message", "role": "assistant", "content": "a" },
        { "type": "reasoning", "id": "rs_2", "summary": [], "content": [{ "type": "reasoning_text", "text": "raw" }] },
        call("c1"),
        { "type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "z" },
        call("c2"),
    ]);
    assert_eq!(body["input"], expected);
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert!(lost.is_empty());
}

#[test]
fn a_recorded_answer_goes_back_as_it_came() {
    let stream = recording!("reasoning-encrypted-content.sse");
    let (answer, _) = decode(stream);
    let output = super::support::last_response(stream)["output"].take();
    let (body, _) = write(&says(Role::Assistant, answer.parts));
    assert_eq!(body["input"].as_array().unwrap().len(), output.as_array().unwrap().len());
    for (told, item) in body["input"].as_array().unwrap().iter().zip(output.as_array().unwrap()) {
        for field in ["type", "summary", "encrypted_content", "call_id", "name", "arguments"] {
            let (told, item) = (told.get(field), item.get(field));
            // The provider encrypts the same thoughts anew for its last event.
            assert!(field == "encrypted_content" && told.is_some() == item.is_some() || told == item, "{field}");
        }
    }
}

#[test]
fn results_are_items_and_may_hold_pictures() {
    let image = Part::Image(Media::from_url("https://i"));
    let result = |call_id: &str, parts| ToolResult { call_id: call_id.into(), parts, ..ToolResult::default() };
    let failed = ToolResult { is_error: true, ..result("c2", vec![Part::text("boom")]) };
    let custom = ToolResult { kind: ToolKind::Custom, ..result("c3", vec![]) };
    let parts = vec![
        Part::ToolResult(result("c1", vec![Part::text("t"), image.clone()])),
        Part::ToolResult(failed),
        Part::ToolResult(custom),
        Part::text("and?"),
    ];
    let image = json!({ "type": "input_image", "image_url": "https://i", "detail": "auto" });
    let expected = json!([
        { "type": "function_call_output", "call_id": "c1", "output": [{ "type": "input_text", "text": "t" }, image] },
        { "type": "function_call_output", "call_id": "c2", "output": "Error: boom" },
        { "type": "custom_tool_call_output", "call_id": "c3", "output": "" },
        { "type": "message", "role": "user", "content": "and?" },
    ]);
    assert_eq!(write(&says(Role::User, parts)).0["input"], expected);
}

#[test]
fn a_result_without_a_name_finds_its_call_and_a_long_name_is_the_same_in_both() {
    let long = "x".repeat(65);
    let of_tool = |name: &str, call_id: &str| {
        let (name, call_id) = (Some(name.to_owned()), call_id.to_owned());
        Part::ToolResult(ToolResult { name, call_id, ..ToolResult::default() })
    };
    let named = |name: &str, id: &str| Part::ToolCall(ToolCall { name: name.into(), ..call(id) });
    let messages = vec![
        Message { role: Role::Assistant, parts: vec![named("f", ""), named("g", ""), named("h", &long)] },
        Message { role: Role::User, parts: vec![of_tool("g", ""), of_tool("f", ""), of_tool("h", &long)] },
    ];
    let (body, _) = write(&ChatRequest { messages, ..ChatRequest::default() });
    let id = |index: usize| body["input"][index]["call_id"].as_str().unwrap();
    assert_eq!([id(3), id(4), id(5)], [id(1), id(0), id(2)]);
    assert_ne!(id(0), id(1));
    assert_eq!(id(2).len(), "call_".len() + 24);
}

#[test]
fn documents_are_told_and_what_another_provider_keeps_is_lost() {
    let file = |source, media_type: Option<&str>| {
        Part::File(Media { source, media_type: media_type.map(str::to_owned), name: None, detail: None })
    };
    let parts = vec![
        file(Source::Data("AA==".into()), Some("text/plain")),
        file(Source::Url("https://a/b.pdf".into()), None),
        file(Source::Id("file_1".into()), None),
        Part::Audio(Media::from_data("AA==", "audio/wav")),
    ];
    let (body, lost) = write(&says(Role::User, parts));
    let content = json!([
        { "type": "input_file", "filename": "document.txt", "file_data": "data:text/plain;base64,AA==" },
        { "type": "input_file", "file_url": "https://a/b.pdf" },
    ]);
    assert_eq!(body["input"], json!([{ "type": "message", "role": "user", "content": content }]));
    assert_eq!(lost, vec![("input".to_owned(), Weight::Meaning); 2]);
}

#[test]
fn a_picture_that_the_model_drew_is_lost() {
    let parts = vec![Part::text("Here:"), Part::Image(Media::from_data("AA==", "image/png"))];
    let (body, lost) = write(&says(Role::Assistant, parts));
    assert_eq!(body["input"], json!([{ "type": "message", "role": "assistant", "content": "Here:" }]));
    assert_eq!(lost, [("input".to_owned(), Weight::Meaning)]);
}

#[test]
fn a_refusal_and_texts_of_one_turn_are_one_message() {
    let text = |text: &str| Part::Text(Text { text: text.into(), seal: Some(foreign_seal()), ..Text::default() });
    let foreign = Part::Reasoning { text: "hm".into(), seal: Some(foreign_seal()) };
    let parts = vec![text("a"), foreign, text("b"), Part::Refusal("no".into())];
    let (body, _) = write(&says(Role::Assistant, parts));
    let content = json!([
        { "type": "output_text", "text": "a" },
        { "type": "output_text", "text": "b" },
        { "type": "refusal", "refusal": "no" },
    ]);
    assert_eq!(body["input"], json!([{ "type": "message", "role": "assistant", "content": content }]));
}
