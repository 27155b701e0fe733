//! Requests of clients, as they are read.

use serde_json::json;

use super::*;
use crate::canonical::{
    Effort, Field, Media, Message, OutputFormat, Reasoning, Role, Seal, Source, Tool, ToolCall, ToolChoice, ToolInput,
    ToolKind, ToolResult, Unmapped, Weight,
};
use crate::dialect::Malformed;

fn read(body: &Value) -> ChatRequest {
    try_read(body).unwrap()
}

fn try_read(body: &Value) -> Result<ChatRequest, Malformed> {
    OpenAiChat.decode_request(Shape::Chat, body.to_string().as_bytes())
}

/// A request with `field` beside a message.
fn with(field: &str, value: Value) -> Value {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] });
    body[field] = value;
    body
}

fn messages(list: &Value) -> Vec<Message> {
    let request = read(&json!({ "model": "m", "messages": list }));
    assert_eq!(request.unmapped, []);
    request.messages
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

fn unmapped(body: &Value) -> Vec<(String, Weight)> {
    read(body).unmapped.into_iter().map(|Unmapped { param, weight }| (param, weight)).collect()
}

#[test]
fn every_setting_is_read() {
    let request = read(&json!({
        "model": "m", "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "Hi" }],
        "parallel_tool_calls": false, "max_completion_tokens": 10, "max_tokens": 11, "temperature": 0.5, "top_p": 1,
        "top_k": 40, "seed": -3, "presence_penalty": 0.1, "frequency_penalty": -0.1, "stop": ["a", "b"],
        "logprobs": true, "top_logprobs": 5, "reasoning_effort": "xhigh", "verbosity": "low", "user": "u",
        "safety_identifier": null, "response_format": { "type": "json_object" }, "n": 1, "modalities": ["text"],
        "logit_bias": {}, "store": false, "metadata": null, "audio": null,
    }));
    let expected = ChatRequest {
        model: "m".into(),
        stream: true,
        include_usage: true,
        messages: vec![Message::text(Role::User, "Hi")],
        parallel_tool_calls: Some(false),
        max_output_tokens: Some(10),
        temperature: Some(0.5),
        top_p: Some(1.0),
        top_k: Some(40),
        seed: Some(-3),
        presence_penalty: Some(0.1),
        frequency_penalty: Some(-0.1),
        stop: vec!["a".into(), "b".into()],
        logprobs: Some(5),
        output: OutputFormat::Json,
        reasoning: Reasoning { effort: Some(Effort::XHigh), ..Reasoning::default() },
        verbosity: Some("low".into()),
        user: Some("u".into()),
        ..ChatRequest::default()
    };
    assert_eq!(request, expected);
    let request = read(&with("stop", json!("x")));
    assert_eq!((request.stop, request.stream, request.include_usage), (vec!["x".to_owned()], false, false));
    assert_eq!(read(&with("max_tokens", json!(7))).max_output_tokens, Some(7));
    assert_eq!(read(&with("logprobs", json!(true))).logprobs, Some(0));
}

#[test]
fn content_is_a_string_or_parts() {
    let parts = messages(&json!([
        { "role": "developer", "content": "Be brief." },
        { "role": "system", "content": [{ "type": "text", "text": "Be kind." }] },
        { "role": "user", "content": [
            { "type": "text", "text": "Look" },
            { "type": "image_url", "image_url": { "url": "https://i/p.png", "detail": "low" } },
            { "type": "image_url", "image_url": { "url": "data:image/gif;base64,R0lG" } },
            { "type": "image_url", "image_url": "https://i/q.png" },
            { "type": "input_audio", "input_audio": { "data": "AAAA", "format": "mp3" } },
            { "type": "file", "file": { "file_id": "file-1" } },
            { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE" } },
            { "type": "file", "file": { "filename": "b.PDF", "file_data": "JVBE" } },
        ] },
    ]));
    let pdf = |name: &str| Media { name: Some(name.into()), ..Media::from_data("JVBE", "application/pdf") };
    let uploaded = Media { source: Source::Id("file-1".into()), media_type: None, name: None, detail: None };
    assert_eq!(
        parts,
        [
            Message::text(Role::Developer, "Be brief."),
            Message::text(Role::System, "Be kind."),
            message(
                Role::User,
                vec![
                    Part::text("Look"),
                    Part::Image(Media { detail: Some("low".into()), ..Media::from_url("https://i/p.png") }),
                    Part::Image(Media::from_data("R0lG", "image/gif")),
                    Part::Image(Media::from_url("https://i/q.png")),
                    Part::Audio(Media::from_data("AAAA", "audio/mpeg")),
                    Part::File(uploaded),
                    Part::File(pdf("a.pdf")),
                    Part::File(pdf("b.PDF")),
                ]
            ),
        ]
    );
}

#[test]
fn calls_and_their_results_are_read() {
    let read = messages(&json!([
        { "role": "assistant", "content": null, "refusal": null, "audio": null, "annotations": [], "tool_calls": [
            { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1}" } },
            { "id": "b", "type": "custom", "custom": { "name": "sh", "input": "ls" } },
        ] },
        { "role": "tool", "tool_call_id": "a", "content": "one" },
        { "role": "tool", "tool_call_id": "b", "content": [{ "type": "text", "text": "two" }] },
        { "role": "assistant", "content": [{ "type": "refusal", "refusal": "No." }] },
        { "role": "assistant", "refusal": "Never." },
    ]));
    let call = |id: &str, name: &str, arguments: &str, kind| {
        let [id, name, arguments] = [id, name, arguments].map(str::to_owned);
        Part::ToolCall(ToolCall { id, name, arguments, kind, seal: None })
    };
    let result = |call_id: &str, name: &str, text: &str, kind| {
        let parts = vec![Part::text(text)];
        Part::ToolResult(ToolResult { call_id: call_id.into(), name: Some(name.into()), kind, parts, is_error: false })
    };
    let (function, custom) = (ToolKind::Function, ToolKind::Custom);
    assert_eq!(
        read,
        [
            message(Role::Assistant, vec![call("a", "f", "{\"x\":1}", function), call("b", "sh", "ls", custom)]),
            message(Role::User, vec![result("a", "f", "one", function)]),
            message(Role::User, vec![result("b", "sh", "two", custom)]),
            message(Role::Assistant, vec![Part::Refusal("No.".into())]),
            message(Role::Assistant, vec![Part::Refusal("Never.".into())]),
        ]
    );
}

#[test]
fn elder_functions_are_tools() {
    let request = read(&json!({
        "model": "m", "functions": [{ "name": "f" }], "function_call": { "name": "f" },
        "messages": [
            { "role": "assistant", "content": null, "function_call": { "name": "f", "arguments": "{}" } },
            { "role": "function", "name": "f", "content": "1" },
        ],
    }));
    let input = ToolInput::Json { schema: None, strict: None };
    assert_eq!(request.tools, [Tool { name: "f".into(), description: None, input }]);
    assert_eq!(request.tool_choice, Some(ToolChoice::Tool("f".into())));
    let (Part::ToolCall(call), Part::ToolResult(result)) =
        (&request.messages[0].parts[0], &request.messages[1].parts[0])
    else {
        panic!("{:?}", request.messages)
    };
    assert!(!call.id.is_empty());
    assert_eq!((&call.id, result.name.as_deref()), (&result.call_id, Some("f")));
    assert_eq!(request.unmapped, [Unmapped { param: "functions".into(), weight: Weight::Hint }]);
}

#[test]
fn thoughts_come_back_with_our_marks_and_with_no_others() {
    let seal = |data: &str| Seal { dialect: "anthropic".into(), provider: "claude".into(), data: data.into() };
    let read = messages(&json!([{
        "role": "assistant", "content": "Hi", "reasoning_content": "one two", "reasoning_details": [
            { "type": "reasoning.text", "text": "one", "index": 0 },
            { "type": "reasoning.text", "text": " two", "index": 0 },
            { "type": "reasoning.text", "signature": seal("1").token(), "index": 0 },
            { "type": "reasoning.encrypted", "data": seal("2").token(), "index": 1 },
            { "type": "reasoning.text", "text": "three", "signature": "EqQBCgIYAhIkYTg", "index": 2 },
            { "type": "reasoning.encrypted", "data": "someone else's", "index": 3 },
            { "type": "reasoning.encrypted", "data": seal("T").token(), "id": "content", "index": 4 },
            { "type": "reasoning.encrypted", "data": seal("C").token(), "id": "c", "index": 5 },
        ],
        "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }],
    }]));
    let thought = |text: &str, seal| Part::Reasoning { text: text.into(), seal };
    let [one, two, three, Part::Text(text), Part::ToolCall(call)] = &*read[0].parts else { panic!("{read:?}") };
    assert_eq!(
        [one, two, three],
        [&thought("one two", Some(seal("1"))), &thought("", Some(seal("2"))), &thought("three", None),]
    );
    assert_eq!((&*text.text, &text.seal, &call.seal), ("Hi", &Some(seal("T")), &Some(seal("C"))));
}

#[test]
fn plain_thoughts_are_thoughts() {
    for field in ["reasoning_content", "reasoning"] {
        let mut body = json!([{ "role": "assistant", "content": "Hi" }]);
        body[0][field] = "Hm".into();
        assert_eq!(messages(&body)[0].parts[0], Part::Reasoning { text: "Hm".into(), seal: None });
    }
}

#[test]
fn tools_are_functions_or_take_text() {
    let request = read(&with(
        "tools",
        json!([
            { "type": "function", "function": {
                "name": "f", "description": "d", "parameters": { "type": "object" }, "strict": true } },
            { "type": "custom", "custom": { "name": "sh", "format": { "type": "text" } } },
            { "type": "custom", "custom": { "name": "re", "format": {
                "type": "grammar", "grammar": { "syntax": "regex", "definition": "a+" } } } },
            { "type": "web_search" },
        ]),
    ));
    let tool = |name: &str, description: Option<&str>, input| Tool {
        name: name.into(),
        description: description.map(str::to_owned),
        input,
    };
    let grammar = json!({ "type": "grammar", "grammar": { "syntax": "regex", "definition": "a+" } });
    let schema = Some(json!({ "type": "object" }));
    assert_eq!(
        request.tools,
        [
            tool("f", Some("d"), ToolInput::Json { schema, strict: Some(true) }),
            tool("sh", None, ToolInput::Text { format: None }),
            tool("re", None, ToolInput::Text { format: Some(grammar) }),
        ]
    );
    assert_eq!(request.unmapped, [Unmapped { param: "tools[3].type".into(), weight: Weight::Meaning }]);
}

#[test]
fn every_choice_of_tools_is_read() {
    let choice = |value| read(&with("tool_choice", value)).tool_choice.unwrap();
    assert_eq!(choice(json!("auto")), ToolChoice::Auto);
    assert_eq!(choice(json!("none")), ToolChoice::None);
    assert_eq!(choice(json!("required")), ToolChoice::Required);
    assert_eq!(choice(json!({ "type": "function", "function": { "name": "f" } })), ToolChoice::Tool("f".into()));
    assert_eq!(choice(json!({ "type": "custom", "custom": { "name": "f" } })), ToolChoice::Tool("f".into()));
    let tools = json!([{ "type": "function", "function": { "name": "f" } }, { "type": "custom", "name": "g" }]);
    let allowed = json!({ "type": "allowed_tools", "allowed_tools": { "mode": "required", "tools": tools } });
    let expected = ToolChoice::Allowed { required: true, names: vec!["f".into(), "g".into()] };
    assert_eq!(choice(allowed), expected);
}

#[test]
fn a_schema_is_read_with_all_that_belongs_to_it() {
    let schema = json!({ "name": "n", "description": "d", "schema": { "type": "object" }, "strict": true });
    let output = read(&with("response_format", json!({ "type": "json_schema", "json_schema": schema }))).output;
    let expected = OutputFormat::Schema {
        name: Some("n".into()),
        description: Some("d".into()),
        schema: json!({ "type": "object" }),
        strict: Some(true),
    };
    assert_eq!(output, expected);
    assert_eq!(read(&with("response_format", json!({ "type": "text" }))).output, OutputFormat::Text);
}

#[test]
fn thinking_is_asked_for_in_many_ways() {
    let reasoning = |field, value| read(&with(field, value)).reasoning;
    let none = Reasoning::default();
    let object = json!({ "effort": "low", "max_tokens": 2000, "enabled": true, "exclude": true });
    let expected =
        Reasoning { effort: Some(Effort::Low), budget_tokens: Some(2000), enabled: Some(true), visible: Some(false) };
    assert_eq!(reasoning("reasoning", object), expected);
    let off = Reasoning { enabled: Some(false), ..none.clone() };
    assert_eq!(reasoning("thinking", json!({ "type": "disabled" })), off);
    assert_eq!(reasoning("enable_thinking", json!(false)), off);
    assert_eq!(reasoning("chat_template_kwargs", json!({ "enable_thinking": false })), off);
    assert_eq!(reasoning("include_reasoning", json!(true)), Reasoning { visible: Some(true), ..none.clone() });
    assert_eq!(reasoning("reasoning_effort", json!("default")), none);
}

#[test]
fn what_has_no_place_is_named_with_its_weight() {
    let (meaning, hint) = (Weight::Meaning, Weight::Hint);
    for (field, value, weight) in [
        ("n", json!(2), meaning),
        ("logit_bias", json!({ "50256": -100 }), meaning),
        ("modalities", json!(["text", "audio"]), meaning),
        ("audio", json!({ "voice": "alloy" }), meaning),
        ("web_search_options", json!({ "search_context_size": "low" }), meaning),
        ("min_p", json!(0.1), meaning),
        ("prediction", json!({ "type": "content", "content": "x" }), hint),
        ("metadata", json!({ "a": "b" }), hint),
        ("store", json!(true), hint),
        ("service_tier", json!("auto"), hint),
        ("prompt_cache_key", json!("k"), hint),
    ] {
        assert_eq!(unmapped(&with(field, value)), [(field.to_owned(), weight)]);
    }
    let told = unmapped(&json!({
        "model": "m", "stream_options": { "include_usage": true, "include_obfuscation": true },
        "response_format": { "type": "grammar" },
        "messages": [
            { "role": "user", "name": "Ann", "content": [
                { "type": "text", "text": "Hi", "cache_control": { "type": "ephemeral" } },
                { "type": "video_url", "video_url": {} },
            ] },
            { "role": "assistant", "name": "Bob", "content": "", "audio": { "id": "audio_1" } },
        ],
    }));
    let expected = [
        ("stream_options.include_obfuscation", hint),
        ("messages[0].content[0].cache_control", hint),
        ("messages[0].content[1]", meaning),
        ("messages[0].name", meaning),
        ("messages[1].name", hint),
        ("messages[1].audio", meaning),
        ("response_format.type", meaning),
    ];
    assert_eq!(told, expected.map(|(param, weight)| (param.to_owned(), weight)));
}

#[test]
fn what_is_malformed_is_refused_with_what_to_do() {
    let refused = |body: &Value| {
        let Malformed { message, param } = try_read(body).unwrap_err();
        (message, param.unwrap())
    };
    assert_eq!(refused(&json!({ "model": "m" })), ("`messages` must be a list of messages.".into(), "messages"));
    let (message, param) = refused(&json!({ "model": "m", "prompt": "Once" }));
    assert_eq!(param, "prompt");
    assert!(message.contains("Legacy completions are not translated") && message.contains("/v1/chat/completions"));
    assert_eq!(refused(&with("temperature", json!("hot"))), ("`temperature` must be a number.".into(), "temperature"));
    assert_eq!(refused(&with("stop", json!([1]))).1, "stop");
    assert_eq!(refused(&with("tool_choice", json!("maybe"))).1, "tool_choice");
    assert_eq!(refused(&with("top_logprobs", json!(2))).1, "top_logprobs");
    assert_eq!(refused(&with("reasoning_effort", json!("lots"))).1, "reasoning_effort");
    let tools = json!([{ "type": "function", "function": { "description": "?" } }]);
    let name = "`tools[0].function.name` must be a non-empty string.";
    assert_eq!(refused(&with("tools", tools)), (name.into(), "tools"));
    let list = json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": {} }] }] });
    let url = "`messages[0].content[0].image_url.url` must be a string.";
    assert_eq!(refused(&list), (url.into(), "messages"));
    for messages in [
        json!("Hi"),
        json!(["Hi"]),
        json!([{ "role": "bot", "content": "Hi" }]),
        json!([{ "role": "user", "content": 7 }]),
        json!([{ "role": "tool", "content": "1" }]),
        json!([{ "role": "assistant", "tool_calls": [{ "id": "a" }] }]),
    ] {
        assert_eq!(refused(&json!({ "model": "m", "messages": messages })).1, "messages", "{messages}");
    }
    assert_eq!(OpenAiChat.decode_request(Shape::Chat, b"[]").unwrap_err().param, None);
}

#[test]
fn recorded_requests_are_read() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openai-chat")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".request.json") {
            let request = OpenAiChat.decode_request(Shape::Chat, &std::fs::read(&path).unwrap());
            let request = request.unwrap_or_else(|malformed| panic!("{name}: {malformed:?}"));
            assert!(!request.model.is_empty() && !request.messages.is_empty(), "{name}");
            let known = ["moderation", "web_search_options", "thinking.clear_thinking", "tools[0].type"];
            let is_new = |param: &str| !known.contains(&param) && !param.ends_with(".cache_control");
            let new: Vec<_> = request.unmapped.iter().filter(|told| is_new(&told.param)).collect();
            assert!(new.is_empty(), "{name}: {new:?}");
        }
    }
}

#[test]
fn every_field_has_its_name() {
    assert_eq!(OpenAiChat.param(Field::MaxOutputTokens), "max_completion_tokens");
    assert_eq!(OpenAiChat.param(Field::Output), "response_format");
    assert_eq!(OpenAiChat.path("any", true), "/chat/completions");
}
