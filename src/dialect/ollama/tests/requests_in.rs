//! What clients ask.

use serde_json::json;

use super::super::Ollama;
use super::fixture;
use crate::canonical::{
    ChatRequest, Effort, Message, OutputFormat, Part, Reasoning, Role, Source, ToolInput, ToolResult, Weight,
};
use crate::dialect::{Malformed, Shape, Translate};

fn chat(body: &serde_json::Value) -> ChatRequest {
    Ollama.decode_request(Shape::Chat, body.to_string().as_bytes()).unwrap()
}

fn completion(body: &serde_json::Value) -> ChatRequest {
    Ollama.decode_request(Shape::Completion, body.to_string().as_bytes()).unwrap()
}

fn malformed(body: &serde_json::Value) -> Malformed {
    Ollama.decode_request(Shape::Chat, body.to_string().as_bytes()).unwrap_err()
}

/// What has no place, as names and whether they are hints.
fn unmapped(request: &ChatRequest) -> Vec<(&str, bool)> {
    request.unmapped.iter().map(|one| (&*one.param, one.weight == Weight::Hint)).collect()
}

#[test]
fn the_recorded_requests_are_read_without_a_loss() {
    let request =
        Ollama.decode_request(Shape::Chat, fixture!("chat-text-llama3-async.request.json").as_bytes()).unwrap();
    let expected = ChatRequest {
        model: "llama3".into(),
        stream: true,
        include_usage: true,
        messages: vec![Message::text(Role::User, "Tell me a joke about OpenTelemetry")],
        ..ChatRequest::default()
    };
    assert_eq!(request, expected);
    let body = fixture!("generate-text-llama3-sync.request.json").as_bytes();
    assert_eq!(Ollama.decode_request(Shape::Completion, body).unwrap(), expected);
    let body = fixture!("stream-emoji.request.json").as_bytes();
    assert_eq!(Ollama.decode_request(Shape::Completion, body).unwrap().model, "gemma3:1b");
}

#[test]
fn a_call_without_an_id_and_its_result_get_one() {
    let body = fixture!("nonstream-tool-history.request.json").as_bytes();
    let request = Ollama.decode_request(Shape::Chat, body).unwrap();
    assert!(!request.stream && request.unmapped.is_empty());
    let [call, result] = &request.messages[..] else { panic!() };
    let [Part::ToolCall(call)] = &call.parts[..] else { panic!() };
    assert_eq!((&*call.name, &*call.arguments), ("get_current_weather", r#"{"location":"San Francisco"}"#));
    assert!(call.id.starts_with("call_"));
    let expected = ToolResult {
        call_id: call.id.clone(),
        name: Some("get_current_weather".into()),
        parts: vec![Part::text("The weather in San Francisco is 70 degrees and sunny.")],
        ..ToolResult::default()
    };
    assert_eq!((result.role, &result.parts[..]), (Role::User, &[Part::ToolResult(expected)][..]));
    assert_eq!(Ollama.decode_request(Shape::Chat, body).unwrap(), request);
}

#[test]
fn results_find_their_calls_by_id_by_name_and_by_order() {
    let call = |name: &str, id: serde_json::Value| json!({ "id": id, "function": { "name": name, "arguments": {} } });
    let calls = [call("a", "call_x".into()), call("b", json!(null)), call("b", json!(null)), call("c", json!(null))];
    let tool = |extra: serde_json::Value| {
        let mut message = json!({ "role": "tool", "content": "ok" });
        message.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        message
    };
    let request = chat(&json!({ "messages": [
        { "role": "assistant", "tool_calls": calls },
        tool(json!({ "tool_name": "c" })),
        tool(json!({ "name": "b" })),
        tool(json!({ "tool_call_id": "call_x" })),
        tool(json!({})),
        tool(json!({})),
    ]}));
    let ids: Vec<&str> = request.messages[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolCall(call) => &*call.id,
            _ => panic!(),
        })
        .collect();
    assert_ne!(ids[1], ids[2]);
    let answered: Vec<&str> = request.messages[1..]
        .iter()
        .map(|message| match &message.parts[..] {
            [Part::ToolResult(result)] => &*result.call_id,
            _ => panic!(),
        })
        .collect();
    assert_eq!(answered, [ids[3], ids[1], "call_x", ids[2], ""]);
    assert!(request.unmapped.is_empty(), "{:?}", request.unmapped);
}

#[test]
fn a_message_has_thoughts_pictures_and_text() {
    let request = chat(&json!({ "messages": [
        { "role": "System", "content": "Be brief." },
        { "role": "user", "content": "What is it?", "images": ["iVBORw0KGgoAAAANSUhEUg==", "data:image/png;base64,/9j/4AAQSkZJRg=="] },
        { "role": "assistant", "content": "A dot.", "thinking": "Hm.", "tool_calls": [] },
        { "role": "user", "content": "" },
    ]}));
    let [system, user, assistant] = &request.messages[..] else { panic!("{:?}", request.messages) };
    assert_eq!(*system, Message::text(Role::System, "Be brief."));
    let [Part::Image(png), Part::Image(jpeg), Part::Text(text)] = &user.parts[..] else { panic!() };
    assert_eq!(png.media_type.as_deref(), Some("image/png"));
    assert_eq!(
        (jpeg.media_type.as_deref(), &jpeg.source),
        (Some("image/jpeg"), &Source::Data("/9j/4AAQSkZJRg==".into()))
    );
    assert_eq!(text.text, "What is it?");
    let thoughts = Part::Reasoning { text: "Hm.".into(), seal: None };
    assert_eq!(assistant.parts, [thoughts, Part::text("A dot.")]);
}

#[test]
fn the_type_of_a_picture_is_seen_from_its_bytes() {
    let media_type = |image: &str| {
        let request = chat(&json!({ "messages": [{ "role": "user", "images": [image] }] }));
        match &request.messages[0].parts[0] {
            Part::Image(media) => media.media_type.clone(),
            _ => panic!(),
        }
    };
    assert_eq!(media_type("R0lGODlhAQABAIAAAA==").as_deref(), Some("image/gif"));
    assert_eq!(media_type("UklGRiQAAABXRUJQVlA4").as_deref(), Some("image/webp"));
    assert_eq!(media_type("AAAA"), None);
}

#[test]
fn options_are_read_in_ollamas_way_of_counting() {
    let request = chat(&json!({ "options": {
        "num_predict": 128.0, "temperature": 0, "top_p": 0.9, "top_k": 40, "seed": 42, "stop": ["a", ""],
        "presence_penalty": 0.5, "frequency_penalty": 0.25,
    }}));
    assert_eq!((request.max_output_tokens, request.temperature, request.top_p), (Some(128), Some(0.0), Some(0.9)));
    assert_eq!((request.top_k, request.seed, &request.stop[..]), (Some(40), Some(42), &["a".to_owned()][..]));
    assert_eq!((request.presence_penalty, request.frequency_penalty), (Some(0.5), Some(0.25)));
    for limit in [-1, -2, 0] {
        let request = chat(
            &json!({ "options": { "num_predict": limit, "seed": -1, "top_k": 0, "stop": "x", "presence_penalty": 0 } }),
        );
        assert_eq!((request.max_output_tokens, request.seed, request.top_k), (None, None, None));
        assert_eq!((&request.stop[..], request.presence_penalty), (&["x".to_owned()][..], None));
        assert!(request.unmapped.is_empty());
    }
}

#[test]
fn what_has_no_place_is_noted_with_its_weight() {
    let request = chat(&json!({
        "keep_alive": "5m", "truncate": false, "shift": true, "new": 1, "newer": {},
        "options": {
            "num_ctx": 8192, "min_p": 0.05, "typical_p": 1.0, "repeat_penalty": 1.2, "repeat_last_n": 64, "mirostat": 0,
            "mirostat_tau": 5.0, "use_mmap": true, "unheard_of": 3,
        },
        "messages": [{ "role": "user", "content": "hi", "name": "Ann", "tool_calls": [1] }],
        "tools": [{ "type": "browser" }],
    }));
    let expected = [
        ("messages[0].name", false),
        ("messages[0].tool_calls", false),
        ("tools[0].type", false),
        ("options.min_p", false),
        ("options.repeat_penalty", false),
        ("options.repeat_last_n", false),
        ("options.mirostat_tau", true),
        ("options.num_ctx", true),
        ("options.use_mmap", true),
        ("options.unheard_of", false),
        ("keep_alive", true),
        ("truncate", true),
        ("new", false),
    ];
    assert_eq!(unmapped(&request), expected);
}

#[test]
fn a_completion_has_its_own_fields() {
    let request = completion(&json!({
        "model": "m", "system": "Be brief.", "prompt": "Go on", "images": ["iVBORw0KGgo="], "suffix": "end", "raw": true,
        "template": "{{ .Prompt }}", "context": [1, 2], "stream": false,
    }));
    assert_eq!(request.messages[0], Message::text(Role::System, "Be brief."));
    assert!(matches!(&request.messages[1].parts[..], [Part::Image(_), Part::Text(text)] if text.text == "Go on"));
    assert_eq!(unmapped(&request), [("suffix", false), ("raw", false), ("template", false), ("context", false)]);
    assert!(!request.stream);
}

#[test]
fn the_form_of_an_answer_is_text_json_or_a_schema() {
    let output = |format: serde_json::Value| chat(&json!({ "format": format })).output;
    assert_eq!((output(json!("")), output(json!(null))), (OutputFormat::Text, OutputFormat::Text));
    assert_eq!((output(json!("json")), output(json!({}))), (OutputFormat::Json, OutputFormat::Json));
    let schema = json!({ "type": "object", "properties": { "b": {}, "a": {} } });
    let expected = OutputFormat::Schema { name: None, description: None, schema: schema.clone(), strict: None };
    assert_eq!(output(schema), expected);
    assert_eq!(malformed(&json!({ "format": "xml" })).param, Some("format"));
}

#[test]
fn thinking_is_switched_or_measured() {
    let think = |value: serde_json::Value| chat(&json!({ "think": value })).reasoning;
    assert!(think(json!(null)).is_unset());
    assert!(think(json!(false)).is_off());
    let on = Reasoning { enabled: Some(true), visible: Some(true), ..Reasoning::default() };
    assert_eq!(think(json!(true)), on);
    let high = Reasoning { effort: Some(Effort::High), visible: Some(true), ..Reasoning::default() };
    assert_eq!(think(json!("high")), high);
    assert_eq!(malformed(&json!({ "think": "very" })).param, Some("think"));
}

#[test]
fn tools_and_probabilities_are_read() {
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let function = json!({ "name": "weather", "description": "Tells it", "parameters": parameters });
    let request = chat(&json!({
        "tools": [{ "type": "function", "function": function }, { "function": { "name": "now" } }],
        "logprobs": true, "top_logprobs": 3,
    }));
    assert_eq!((&*request.tools[0].name, request.tools[0].description.as_deref()), ("weather", Some("Tells it")));
    assert_eq!(request.tools[0].input, ToolInput::Json { schema: Some(parameters), strict: None });
    assert_eq!(request.tools[1].input, ToolInput::Json { schema: None, strict: None });
    assert_eq!(request.logprobs, Some(3));
    assert_eq!(chat(&json!({ "logprobs": true })).logprobs, Some(0));
    assert_eq!(chat(&json!({ "top_logprobs": 3 })).logprobs, None);
    assert!(request.unmapped.is_empty());
}

#[test]
fn what_is_of_the_wrong_type_is_named() {
    let message = |body: serde_json::Value| {
        let Malformed { message, param } = malformed(&body);
        (message, param.unwrap())
    };
    assert_eq!(message(json!({ "stream": 1 })), ("`stream` must be true or false.".into(), "stream"));
    let options = json!({ "options": { "temperature": "hot" } });
    assert_eq!(message(options), ("`options.temperature` must be a number.".into(), "options"));
    let content = json!({ "messages": [{ "role": "user", "content": [] }] });
    assert_eq!(message(content), ("`messages[0].content` must be a string.".into(), "messages"));
    let url = json!({ "messages": [{ "role": "user", "images": ["https://example.com/a.png"] }] });
    assert_eq!(message(url).0, "`messages[0].images` must be a list of pictures in base64.");
    let role = json!({ "messages": [{ "role": "robot" }] });
    assert_eq!(message(role).0, "`messages[0].role` must be system, user, assistant or tool.");
    let arguments = json!({ "messages": [{ "role": "assistant", "tool_calls": [{ "function": { "name": "f", "arguments": 1 } }] }] });
    assert_eq!(message(arguments).0, "`messages[0].tool_calls[0].function.arguments` must be an object.");
    assert_eq!(message(json!({ "tools": [{}] })).0, "`tools[0].function` must be an object.");
    assert_eq!(message(json!({ "top_logprobs": 21 })).1, "top_logprobs");
    assert!(Ollama.decode_request(Shape::Chat, b"[]").is_err());
}
