use serde_json::{Value, json};

use super::super::OpenAiResponses;
use super::support::{foreign_seal, own_seal, recording, request};
use crate::canonical::{
    ChatRequest, Effort, Media, Message, OutputFormat, Part, Role, Source, Tool, ToolCall, ToolChoice, ToolInput,
    ToolKind, ToolResult, Weight,
};
use crate::dialect::{Shape, Translate};

fn read(body: &Value) -> ChatRequest {
    request(&body.to_string())
}

/// What `body`, with a model and an input, says that has no place.
fn unmapped(mut body: Value) -> Vec<(String, Weight)> {
    body["model"] = json!("m");
    body.as_object_mut().unwrap().entry("input").or_insert(json!("Hi"));
    read(&body).unmapped.into_iter().map(|unmapped| (unmapped.param, unmapped.weight)).collect()
}

fn call(id: &str, name: &str) -> Part {
    let (id, name, arguments) = (id.to_owned(), name.to_owned(), "{}".to_owned());
    Part::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
}

fn result(call_id: &str, text: &str) -> ToolResult {
    ToolResult { call_id: call_id.to_owned(), parts: vec![Part::text(text)], ..ToolResult::default() }
}

#[test]
fn a_recorded_request_is_read() {
    let read = request(recording!("gpt5nano-tool-noargs.request.json"));
    assert_eq!((&*read.model, read.stream), ("gpt-5-nano", true));
    let expected = [
        Message::text(Role::System, "You must use tools whenever possible."),
        Message::text(Role::User, "What's the best language to learn?"),
    ];
    assert_eq!(read.messages, expected);
    let Tool { name, input: ToolInput::Json { schema: Some(schema), strict }, .. } = &read.tools[0] else {
        panic!("{read:?}")
    };
    assert_eq!((&**name, *strict, &schema["type"]), ("best_language_to_learn", Some(false), &json!("object")));
    assert!(read.unmapped.is_empty(), "{:?}", read.unmapped);
}

#[test]
fn what_the_model_said_in_one_turn_is_one_message_again() {
    // Two calls in two turns; the thoughts between them are sealed by someone this proxy does not know.
    let read = request(recording!("bedrock-mantle-reasoning-text.request.json"));
    let id = "resp_yqqp3b5eoaaatwfitarja6yi42umok5glfymrqxbh4wwznmisz2q:call_0";
    let second = "resp_3irkem3mb4qjb6cw3bfrozqwtev62iuhg5ygpmhx2j775j2hft5q:call_1";
    let expected = [
        Message { role: Role::Assistant, parts: vec![call(id, "first_tool")] },
        Message { role: Role::User, parts: vec![Part::ToolResult(result(id, "first result"))] },
        Message { role: Role::Assistant, parts: vec![call(second, "second_tool")] },
        Message { role: Role::User, parts: vec![Part::ToolResult(result(second, "second result"))] },
    ];
    assert_eq!(read.messages[2..], expected);
    assert_eq!(read.tool_choice, Some(ToolChoice::Auto));
    assert!(read.unmapped.is_empty(), "{:?}", read.unmapped);
}

#[test]
fn every_recorded_request_is_read_and_only_tools_of_openai_are_missed() {
    let missed = |body| request(body).unmapped.into_iter().map(|unmapped| unmapped.param).collect::<Vec<_>>();
    for body in [
        recording!("azure-text.request.json"),
        recording!("deepseek-function-tool.request.json"),
        recording!("function-call.request.json"),
        recording!("gpt54-long-text.request.json"),
        recording!("llm-cli-basic.request.json"),
        recording!("llm-cli-tool-use.request.json"),
        recording!("openrouter-image-prompt.request.json"),
        recording!("openrouter-tool-calls.request.json"),
        recording!("text-after-tool.request.json"),
    ] {
        assert!(missed(body).is_empty(), "{body}");
    }
    assert_eq!(missed(recording!("background-stream.request.json")), ["background"]);
    assert_eq!(missed(recording!("file-search.request.json")), ["tools[0].type"]);
    assert_eq!(missed(recording!("web-search.request.json"))[0], "tools[0].type");
    assert_eq!(missed(recording!("compaction-item.request.json")), ["context_management"]);
}

#[test]
fn every_kind_of_item_has_its_place() {
    let token = own_seal("rs_1\ne").token();
    let body = json!({ "model": "m", "input": [
        { "role": "developer", "content": "d" },
        { "role": "user", "content": [
            { "type": "input_text", "text": "t" },
            { "type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "high" },
            { "type": "input_image", "file_id": "file_1", "detail": "auto" },
            { "type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA==" },
            { "type": "input_file", "file_url": "https://a/b.pdf" },
            { "type": "input_audio", "input_audio": { "data": "AA==", "format": "mp3" } },
        ] },
        { "type": "reasoning", "id": "rs_x", "summary": [{ "type": "summary_text", "text": "a" }, { "type": "summary_text", "text": "b" }], "encrypted_content": token },
        { "type": "message", "role": "assistant", "id": "msg", "status": "completed", "phase": "commentary", "content": [
            { "type": "output_text", "text": "o", "annotations": [{}], "logprobs": [] },
            { "type": "refusal", "refusal": "r" },
        ] },
        { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "id": "fc", "status": "completed" },
        { "type": "custom_tool_call", "call_id": "d", "name": "g", "input": "ls" },
        { "type": "function_call_output", "call_id": "c", "output": [{ "type": "input_image", "image_url": "https://i" }] },
        { "type": "custom_tool_call_output", "call_id": "d", "output": "out" },
    ] });
    let read = read(&body);
    let image = Media { detail: Some("high".into()), ..Media::from_data("AA==", "image/png") };
    let kept = |source| Media { source, media_type: None, name: None, detail: None };
    let file = Media { name: Some("a.pdf".into()), ..Media::from_data("AA==", "application/pdf") };
    let custom =
        ToolCall { id: "d".into(), name: "g".into(), arguments: "ls".into(), kind: ToolKind::Custom, seal: None };
    let expected = [
        Message::text(Role::Developer, "d"),
        Message {
            role: Role::User,
            parts: vec![
                Part::text("t"),
                Part::Image(image),
                Part::Image(kept(Source::Id("file_1".into()))),
                Part::File(file),
                Part::File(kept(Source::Url("https://a/b.pdf".into()))),
                Part::Audio(Media::from_data("AA==", "audio/mpeg")),
            ],
        },
        Message {
            role: Role::Assistant,
            parts: vec![
                Part::Reasoning { text: "a\n\nb".into(), seal: Some(own_seal("rs_1\ne")) },
                Part::text("o"),
                Part::Refusal("r".into()),
                call("c", "f"),
                Part::ToolCall(custom),
            ],
        },
        Message {
            role: Role::User,
            parts: vec![
                Part::ToolResult(ToolResult {
                    parts: vec![Part::Image(kept(Source::Url("https://i".into())))],
                    ..result("c", "")
                }),
                Part::ToolResult(ToolResult { kind: ToolKind::Custom, ..result("d", "out") }),
            ],
        },
    ];
    assert_eq!(read.messages, expected);
    assert_eq!(read.unmapped.len(), 1);
    assert_eq!((&*read.unmapped[0].param, read.unmapped[0].weight), ("input[].phase", Weight::Hint));
}

#[test]
fn a_seal_comes_back_to_the_call_it_was_on_and_not_to_another_of_its_name() {
    let token = format!("{}.call.c", foreign_seal().token());
    let call = json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" });
    let output = json!({ "type": "function_call_output", "call_id": "c", "output": "x" });
    let carrier = json!({ "type": "reasoning", "summary": [], "encrypted_content": token });
    let read = read(&json!({ "model": "m", "input": [call, output, call, output, carrier] }));
    let seals: Vec<bool> = read
        .messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.seal == Some(foreign_seal())),
            _ => None,
        })
        .collect();
    assert_eq!(seals, [false, true]);
    assert_eq!(read.messages.len(), 4);
}

#[test]
fn every_setting_has_its_place() {
    let read = read(&json!({
        "model": "m", "input": "Hi", "stream": true, "max_output_tokens": 5, "temperature": 0.5, "top_p": 0.9,
        "top_logprobs": 2, "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
        "parallel_tool_calls": false, "safety_identifier": "s", "user": "u", "store": false,
        "service_tier": "auto", "truncation": "disabled", "background": false, "previous_response_id": null,
        "text": { "format": { "type": "json_schema", "name": "n", "schema": {"type":"object"}, "strict": true }, "verbosity": "low" },
        "reasoning": { "effort": "xhigh", "summary": "auto", "mode": "standard", "context": "auto" },
        "tools": [
            { "type": "function", "name": "f", "description": "d", "parameters": null },
            { "type": "custom", "name": "g", "format": { "type": "grammar", "syntax": "lark", "definition": "x" } },
            { "type": "custom", "name": "h", "format": { "type": "text" } },
        ],
        "tool_choice": { "type": "allowed_tools", "mode": "required", "tools": [{ "type": "function", "name": "f" }] },
    }));
    assert!(read.unmapped.is_empty(), "{:?}", read.unmapped);
    assert_eq!((read.stream, read.max_output_tokens, read.logprobs), (true, Some(5), Some(2)));
    assert_eq!((read.temperature, read.top_p, read.parallel_tool_calls), (Some(0.5), Some(0.9), Some(false)));
    assert_eq!((read.user.as_deref(), read.verbosity.as_deref()), (Some("s"), Some("low")));
    assert_eq!((read.reasoning.effort, read.reasoning.visible), (Some(Effort::XHigh), Some(true)));
    let OutputFormat::Schema { name, strict, .. } = &read.output else { panic!("{read:?}") };
    assert_eq!((name.as_deref(), *strict), (Some("n"), Some(true)));
    assert_eq!(read.tools[0].input, ToolInput::Json { schema: None, strict: None });
    let grammar = json!({ "type": "grammar", "grammar": { "syntax": "lark", "definition": "x" } });
    assert_eq!(read.tools[1].input, ToolInput::Text { format: Some(grammar) });
    assert_eq!(read.tools[2].input, ToolInput::Text { format: None });
    assert_eq!(read.tool_choice, Some(ToolChoice::Allowed { required: true, names: vec!["f".into()] }));
}

#[test]
fn what_needs_a_store_or_a_tool_of_openai_matters_and_what_saves_money_does_not() {
    use Weight::{Hint, Meaning};
    for (field, value, weight) in [
        ("previous_response_id", json!("resp_1"), Meaning),
        ("conversation", json!("conv"), Meaning),
        ("prompt", json!({ "id": "p" }), Meaning),
        ("background", json!(true), Meaning),
        ("not_known_yet", json!(1), Meaning),
        ("store", json!(true), Hint),
        ("metadata", json!({ "a": "b" }), Hint),
        ("truncation", json!("auto"), Hint),
        ("service_tier", json!("flex"), Hint),
        ("prompt_cache_key", json!("k"), Hint),
        ("stream_options", json!({ "include_obfuscation": false }), Hint),
    ] {
        assert_eq!(unmapped(json!({ field: value })), [(field.to_owned(), weight)]);
    }
    let nested = |body, param: &str, weight| assert_eq!(unmapped(body), [(param.to_owned(), weight)]);
    nested(json!({ "input": [{ "type": "item_reference", "id": "msg_1" }] }), "input[0]", Meaning);
    nested(json!({ "input": [{ "type": "compaction", "encrypted_content": "e" }] }), "input[0].type", Meaning);
    nested(json!({ "tools": [{ "type": "web_search" }] }), "tools[0].type", Meaning);
    nested(json!({ "tool_choice": { "type": "file_search" } }), "tool_choice.type", Meaning);
    nested(json!({ "reasoning": { "mode": "pro" } }), "reasoning.mode", Meaning);
    nested(json!({ "reasoning": { "summary": "detailed" } }), "reasoning.summary", Hint);
    nested(json!({ "include": ["web_search_call.action.sources"] }), "include[0]", Hint);
    assert!(unmapped(json!({ "metadata": {}, "store": false, "prompt": null })).is_empty());
}

#[test]
fn a_malformed_request_is_refused_with_the_field_that_is_wrong() {
    let refused = |body: Value| {
        let refusal = OpenAiResponses.decode_request(Shape::Chat, body.to_string().as_bytes()).unwrap_err();
        (refusal.param.unwrap_or_default(), refusal.message)
    };
    for (body, param, path) in [
        (json!({ "model": "m" }), "input", "`input`"),
        (json!({ "input": 7 }), "input", "`input`"),
        (json!({ "input": [7] }), "input", "`input[0]`"),
        (json!({ "input": [{ "role": "judge", "content": "" }] }), "input", "`input[0].role`"),
        (json!({ "input": [{ "role": "user" }] }), "input", "`input[0].content`"),
        (
            json!({ "input": [{ "role": "user", "content": [{ "type": "input_text" }] }] }),
            "input",
            "`input[0].content[0].text`",
        ),
        (
            json!({ "input": [{ "role": "user", "content": [{ "type": "input_image" }] }] }),
            "input",
            "`input[0].content[0].image_url`",
        ),
        (
            json!({ "input": [{ "type": "function_call", "name": "f", "arguments": "" }] }),
            "input",
            "`input[0].call_id`",
        ),
        (json!({ "input": "", "tools": [{ "type": "function" }] }), "tools", "`tools[0].name`"),
        (json!({ "input": "", "tool_choice": "any" }), "tool_choice", "`tool_choice`"),
        (json!({ "input": "", "temperature": "hot" }), "temperature", "`temperature`"),
        (json!({ "input": "", "max_output_tokens": -1 }), "max_output_tokens", "`max_output_tokens`"),
        (json!({ "input": "", "reasoning": { "effort": "much" } }), "reasoning", "`reasoning.effort`"),
        (json!({ "input": "", "text": { "format": { "type": "json_schema" } } }), "text", "`text.format.schema`"),
        (json!({ "input": "", "include": [1] }), "include", "`include[0]`"),
    ] {
        let (told, message) = refused(body);
        assert_eq!(told, param);
        assert!(message.starts_with(&format!("{path} must be ")), "{message}");
    }
}
