//! What upstreams are asked.

use serde_json::{Value, json};

use super::super::Ollama;
use crate::canonical::{
    ChatRequest, Effort, Field, Losses, Media, Message, OutputFormat, Part, Reasoning, Role, Source, Tool, ToolCall,
    ToolChoice, ToolInput, ToolKind, ToolResult, Weight,
};
use crate::dialect::{Quirks, Recipient, Translate};

/// What an upstream is asked, and what is lost, as names and whether they are hints.
fn encode(request: &ChatRequest) -> (Value, Vec<(String, bool)>) {
    let name = |field: Field| match field {
        Field::Messages => "messages",
        Field::Tools => "tools",
        Field::ToolChoice => "tool_choice",
        _ => "other",
    };
    let mut losses = Losses::new(&name);
    let to = Recipient { model: "theirs", provider: "p", quirks: &Quirks::NONE };
    let body = Ollama.encode_request(request, &to, &mut losses);
    let losses = losses.into_list().into_iter().map(|loss| (loss.param, loss.weight == Weight::Hint)).collect();
    (serde_json::from_slice(&body).unwrap(), losses)
}

fn messages(list: Vec<Message>) -> (Value, Vec<(String, bool)>) {
    let (body, losses) = encode(&ChatRequest { messages: list, ..ChatRequest::default() });
    (body["messages"].clone(), losses)
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "weather".into(), arguments: arguments.into(), ..ToolCall::default() }
}

#[test]
fn a_small_request_is_small() {
    let request = ChatRequest { messages: vec![Message::text(Role::User, "Hi")], ..ChatRequest::default() };
    let expected = json!({ "model": "theirs", "messages": [{ "role": "user", "content": "Hi" }], "stream": false });
    assert_eq!(encode(&request), (expected, vec![]));
    assert_eq!(Ollama.path("theirs", true), "/api/chat");
}

#[test]
fn everything_ollama_knows_is_said_in_its_words() {
    let request = ChatRequest {
        stream: true,
        max_output_tokens: Some(100),
        temperature: Some(1.5),
        top_p: Some(0.5),
        top_k: Some(40),
        seed: Some(7),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(-0.5),
        stop: vec!["END".into()],
        logprobs: Some(2),
        output: OutputFormat::Json,
        reasoning: Reasoning { effort: Some(Effort::Low), ..Reasoning::default() },
        tools: vec![Tool {
            name: "now".into(),
            description: None,
            input: ToolInput::Json { schema: None, strict: None },
        }],
        tool_choice: Some(ToolChoice::Auto),
        ..ChatRequest::default()
    };
    let expected = json!({
        "model": "theirs",
        "messages": [],
        "stream": true,
        "tools": [{ "type": "function", "function": { "name": "now", "parameters": { "type": "object", "properties": {} } } }],
        "format": "json",
        "think": "low",
        "options": {
            "num_predict": 100, "temperature": 1.5, "top_p": 0.5, "top_k": 40, "seed": 7, "presence_penalty": 0.5,
            "frequency_penalty": -0.5, "stop": ["END"],
        },
        "logprobs": true,
        "top_logprobs": 2,
    });
    assert_eq!(encode(&request), (expected, vec![]));
}

#[test]
fn a_conversation_with_tools_is_told_with_their_names() {
    let result = ToolResult { call_id: "call_1".into(), parts: vec![Part::text("sunny")], ..ToolResult::default() };
    let failed = ToolResult { call_id: "gone".into(), name: Some("b".into()), is_error: true, ..result.clone() };
    let thoughts = Part::Reasoning { text: "Hm.".into(), seal: None };
    let (told, losses) = messages(vec![
        Message::text(Role::Developer, "Be brief."),
        Message {
            role: Role::Assistant,
            parts: vec![
                thoughts,
                Part::text("So"),
                Part::text("on"),
                Part::ToolCall(call("call_1", "{\"b\":1.0,\n\"a\":2}")),
            ],
        },
        Message {
            role: Role::User,
            parts: vec![Part::ToolResult(result), Part::ToolResult(failed), Part::text("And?"), Part::text("Now?")],
        },
    ]);
    let arguments = json!({ "b": 1.0, "a": 2 });
    let expected = json!([
        { "role": "system", "content": "Be brief." },
        {
            "role": "assistant", "content": "Soon", "thinking": "Hm.",
            "tool_calls": [{ "id": "call_1", "function": { "index": 0, "name": "weather", "arguments": arguments } }],
        },
        { "role": "tool", "content": "sunny", "tool_name": "weather", "tool_call_id": "call_1" },
        { "role": "tool", "content": "Error: sunny", "tool_name": "b", "tool_call_id": "gone" },
        { "role": "user", "content": "And?\n\nNow?" },
    ]);
    assert_eq!((told, losses), (expected, vec![]));
}

#[test]
fn pictures_keep_their_place_among_the_texts() {
    let image = |data: &str| Part::Image(Media::from_data(data, "image/png"));
    let parts = vec![image("AAAA"), image("BBBB"), Part::text("one"), image("CCCC"), Part::text("two")];
    let (told, losses) = messages(vec![Message { role: Role::User, parts }]);
    let expected = json!([
        { "role": "user", "content": "one", "images": ["AAAA", "BBBB"] },
        { "role": "user", "content": "two", "images": ["CCCC"] },
    ]);
    assert_eq!((told, losses), (expected, vec![]));
}

#[test]
fn what_ollama_takes_no_part_of_is_a_loss() {
    let media = |source| Media { source, media_type: None, name: None, detail: None };
    for part in [
        Part::Image(Media::from_url("https://example.com/a.png")),
        Part::Image(media(Source::Id("file-1".into()))),
        Part::File(Media::from_data("AAAA", "application/pdf")),
        Part::Audio(Media::from_data("AAAA", "audio/wav")),
    ] {
        let (told, losses) = messages(vec![Message { role: Role::User, parts: vec![part, Part::text("Hi")] }]);
        assert_eq!((told, losses), (json!([{ "role": "user", "content": "Hi" }]), vec![("messages".into(), false)]));
    }
}

#[test]
fn arguments_that_are_no_object_become_one() {
    let custom = ToolCall { kind: ToolKind::Custom, ..call("c", "SELECT 1") };
    for (call, input, lost) in
        [(custom, "SELECT 1", vec![]), (call("c", "{\"a\":"), "{\"a\":", vec![("messages".into(), true)])]
    {
        let (told, losses) = messages(vec![Message { role: Role::Assistant, parts: vec![Part::ToolCall(call)] }]);
        assert_eq!(told[0]["tool_calls"][0]["function"]["arguments"], json!({ "input": input }));
        assert_eq!(losses, lost);
    }
}

#[test]
fn a_tool_choice_is_made_by_the_tools_that_are_told() {
    let tool = |name: &str| Tool {
        name: name.into(),
        description: None,
        input: ToolInput::Json { schema: None, strict: None },
    };
    let offered = |choice: ToolChoice| {
        let tools = vec![tool("a"), tool("b")];
        let (body, losses) = encode(&ChatRequest { tools, tool_choice: Some(choice), ..ChatRequest::default() });
        let names = body["tools"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|tool| tool["function"]["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), losses)
    };
    let lost = |hint: bool| vec![("tool_choice".to_owned(), hint)];
    let allowed = |required| ToolChoice::Allowed { required, names: vec!["b".into()] };
    assert_eq!(offered(ToolChoice::Auto), (vec!["a".into(), "b".into()], vec![]));
    assert_eq!(offered(ToolChoice::None), (vec![], vec![]));
    assert_eq!(offered(ToolChoice::Required), (vec!["a".into(), "b".into()], lost(false)));
    assert_eq!(offered(ToolChoice::Tool("a".into())).1, lost(false));
    assert_eq!(offered(allowed(false)), (vec!["b".into()], lost(true)));
    assert_eq!(offered(allowed(true)), (vec!["b".into()], lost(false)));
}

#[test]
fn tools_that_take_a_text_are_a_loss_and_strictness_is_a_hint() {
    let tool = |input| ChatRequest {
        tools: vec![Tool { name: "a".into(), description: None, input }],
        ..ChatRequest::default()
    };
    assert_eq!(encode(&tool(ToolInput::Text { format: None })).1, [("tools".to_owned(), false)]);
    let strict = ToolInput::Json { schema: Some(json!({ "type": "object" })), strict: Some(true) };
    assert_eq!(encode(&tool(strict)).1, [("tools".to_owned(), true)]);
}

#[test]
fn how_hard_to_think_is_a_switch_or_a_level() {
    let think = |reasoning: Reasoning| {
        let (body, losses) = encode(&ChatRequest { reasoning, ..ChatRequest::default() });
        (body.get("think").cloned(), losses.len())
    };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    assert_eq!(think(Reasoning::default()), (None, 0));
    assert_eq!(think(Reasoning { visible: Some(true), ..Reasoning::default() }), (None, 0));
    assert_eq!(think(effort(Effort::None)), (Some(json!(false)), 0));
    assert_eq!(think(effort(Effort::Minimal)), (Some(json!("low")), 0));
    assert_eq!(think(effort(Effort::XHigh)), (Some(json!("high")), 0));
    assert_eq!(think(effort(Effort::Max)), (Some(json!("max")), 0));
    assert_eq!(
        think(Reasoning { enabled: Some(true), visible: Some(false), ..Reasoning::default() }),
        (Some(json!(true)), 1)
    );
    assert_eq!(think(Reasoning { budget_tokens: Some(4096), ..Reasoning::default() }), (Some(json!(true)), 1));
    assert_eq!(think(Reasoning { budget_tokens: Some(0), ..Reasoning::default() }), (Some(json!(false)), 0));
}

#[test]
fn what_is_comfort_is_a_hint() {
    let request = ChatRequest {
        parallel_tool_calls: Some(false),
        user: Some("u".into()),
        verbosity: Some("low".into()),
        logprobs: Some(30),
        output: OutputFormat::Schema {
            name: Some("n".into()),
            description: Some("d".into()),
            schema: json!({}),
            strict: Some(true),
        },
        ..ChatRequest::default()
    };
    let (body, losses) = encode(&request);
    assert!(losses.len() == 5 && losses.iter().all(|(_, is_hint)| *is_hint), "{losses:?}");
    assert_eq!((&body["top_logprobs"], &body["format"]), (&json!(20), &json!({})));
}
