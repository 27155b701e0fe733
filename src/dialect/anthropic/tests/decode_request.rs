//! What clients ask.

use serde_json::{Value, json};

use super::{decode_request, recording, request_with, seal};
use crate::canonical::{
    Annotation, ChatRequest, Effort, Media, Message, On, OutputFormat, Part, Reasoning, Role, Source, Text, Tool,
    ToolCall, ToolChoice, ToolInput, ToolResult, Unmapped, Weight,
};
use crate::dialect::{Anthropic, Malformed, Shape, Translate};

fn recorded(request: &str) -> ChatRequest {
    Anthropic.decode_request(Shape::Chat, request.as_bytes()).unwrap()
}

fn malformed(request: &Value) -> Malformed {
    Anthropic.decode_request(Shape::Chat, request.to_string().as_bytes()).unwrap_err()
}

/// What is noted of a request with these fields.
fn noted(more: &Value) -> Vec<(String, Weight)> {
    let note = |unmapped: Unmapped| (unmapped.param, unmapped.weight);
    decode_request(&request_with(more)).unmapped.into_iter().map(note).collect()
}

/// The parts of a user's message with this content, and what is noted.
fn said(content: &Value) -> (Vec<Part>, Vec<Unmapped>) {
    let messages = json!([{ "role": "user", "content": content }]);
    let request = decode_request(&request_with(&json!({ "messages": messages })));
    (request.messages.into_iter().next().map(|message| message.parts).unwrap_or_default(), request.unmapped)
}

#[test]
fn recorded_requests_are_understood() {
    let request = recorded(recording!("thinking-then-tool.request.json"));
    let tool = Tool {
        name: "fixed_version".into(),
        description: Some("Return a fixed test version string".into()),
        input: ToolInput::Json { schema: Some(json!({ "properties": {}, "type": "object" })), strict: None },
    };
    let expected = ChatRequest {
        model: "claude-haiku-4-5-20251001".into(),
        stream: true,
        include_usage: true,
        messages: vec![Message::text(
            Role::User,
            "Use the fixed_version tool. Then tell me the version and make one short joke about it. Think about it first.",
        )],
        tools: vec![tool],
        max_output_tokens: Some(64_000),
        temperature: Some(1.0),
        reasoning: Reasoning { budget_tokens: Some(1024), visible: Some(true), ..Reasoning::default() },
        ..ChatRequest::default()
    };
    assert_eq!(request, expected);

    let request = recorded(recording!("text-after-tool-emoji.request.json"));
    let id = "toolu_01EcJNDtgucTvxugUxuGcJmF";
    let call = ToolCall {
        id: id.into(),
        name: "best_language_to_learn".into(),
        arguments: "{}".into(),
        ..ToolCall::default()
    };
    let result = ToolResult { call_id: id.into(), parts: vec![Part::text("Ruby")], ..ToolResult::default() };
    assert_eq!(request.messages[2], Message { role: Role::Assistant, parts: vec![Part::ToolCall(call)] });
    assert_eq!(request.messages[3], Message { role: Role::User, parts: vec![Part::ToolResult(result)] });
    assert_eq!(request.unmapped, []);

    let request = recorded(recording!("schema-output-config.request.json"));
    assert!(matches!(request.output, OutputFormat::Schema { schema, .. } if schema["title"] == "Dog"));
    let request = recorded(recording!("stop-sequence-prefill.request.json"));
    assert_eq!((request.stop, request.messages[1].role), (vec!["```".to_owned()], Role::Assistant));
    let request = recorded(recording!("thinking-adaptive-opus46.request.json"));
    assert_eq!(request.reasoning, Reasoning { enabled: Some(true), visible: Some(true), ..Reasoning::default() });
}

#[test]
fn what_only_anthropic_has_is_noted() {
    let note = |recording: &str| recorded(recording).unmapped;
    let unmapped = |param: &str| Unmapped { param: param.into(), weight: Weight::Meaning };
    assert_eq!(note(recording!("web-search-citations.request.json")), [unmapped("tools[0].type")]);
    assert_eq!(note(recording!("mcp-tool.request.json")), [unmapped("mcp_servers")]);
    assert_eq!(note(recording!("document-citations.request.json")), [unmapped("citations")]);
    assert_eq!(note(recording!("text-editor-code-execution.request.json")), [unmapped("tools[0].type")]);
}

#[test]
fn instructions_are_a_message_at_the_beginning_and_wherever_else_they_stand() {
    let messages = json!([
        { "role": "user", "content": [
            { "type": "text", "text": "Hi" },
            { "type": "mid_conv_system", "content": [{ "type": "text", "text": "Be brief." }] },
        ] },
        { "role": "assistant", "content": "Yes?" },
        { "role": "system", "content": "Be kind." },
        { "role": "user", "content": "Go" },
    ]);
    let system = json!([{ "type": "text", "text": "One.", "cache_control": { "type": "ephemeral" } }, { "type": "text", "text": "Two." }]);
    let request = decode_request(&request_with(&json!({ "system": system, "messages": messages })));
    let expected = [
        Message { role: Role::System, parts: vec![Part::text("One."), Part::text("Two.")] },
        Message::text(Role::User, "Hi"),
        Message::text(Role::System, "Be brief."),
        Message::text(Role::Assistant, "Yes?"),
        Message::text(Role::System, "Be kind."),
        Message::text(Role::User, "Go"),
    ];
    assert_eq!(request.messages, expected);
    assert_eq!(request.unmapped, [Unmapped { param: "cache_control".into(), weight: Weight::Hint }]);
    let plain = decode_request(&request_with(&json!({ "system": "One." })));
    assert_eq!(plain.messages[0], Message::text(Role::System, "One."));
}

#[test]
fn pictures_and_documents_are_read_from_every_source() {
    let (parts, unmapped) = said(&json!([
        { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBO" } },
        { "type": "image", "source": { "type": "url", "url": "https://a.b/c.png" } },
        { "type": "image", "source": { "type": "file", "file_id": "file_1" } },
        { "type": "document", "source": { "type": "base64", "media_type": "application/pdf", "data": "JVBE" }, "title": "T" },
        { "type": "document", "source": { "type": "url", "url": "https://a.b/c.pdf" }, "context": "Read it." },
        { "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "words" }, "title": "U" },
        { "type": "document", "source": { "type": "content", "content": [{ "type": "text", "text": "more" }] } },
        { "type": "search_result", "source": "https://d.e", "title": "V", "content": [{ "type": "text", "text": "found" }] },
    ]));
    let media = |source: Source, media_type: Option<&str>, name: Option<&str>| Media {
        source,
        media_type: media_type.map(str::to_owned),
        name: name.map(str::to_owned),
        detail: None,
    };
    let expected = [
        Part::Image(media(Source::Data("iVBO".into()), Some("image/png"), None)),
        Part::Image(media(Source::Url("https://a.b/c.png".into()), None, None)),
        Part::Image(media(Source::Id("file_1".into()), None, None)),
        Part::File(media(Source::Data("JVBE".into()), Some("application/pdf"), Some("T"))),
        Part::text("Read it."),
        Part::File(media(Source::Url("https://a.b/c.pdf".into()), Some("application/pdf"), None)),
        Part::text("U"),
        Part::text("words"),
        Part::text("more"),
        Part::text("V (https://d.e)"),
        Part::text("found"),
    ];
    assert_eq!(parts, expected);
    assert_eq!(unmapped, []);
}

#[test]
fn thoughts_come_back_with_our_marks_and_without_any_other() {
    let ours = seal("sig");
    let nobodys = "sg1.Cgo";
    let messages = json!([
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "content": [
            { "type": "thinking", "thinking": "a", "signature": ours.token() },
            { "type": "thinking", "thinking": "b", "signature": nobodys },
            { "type": "redacted_thinking", "data": ours.token() },
        ] },
        { "role": "assistant", "content": [
            { "type": "thinking", "thinking": "c", "signature": "EqQBCgIYAhIkYTg" },
            { "type": "redacted_thinking", "data": "EqkECkYIBxgC" },
        ] },
    ]);
    let request = decode_request(&request_with(&json!({ "messages": messages })));
    let thoughts = |text: &str, seal| Part::Reasoning { text: text.into(), seal };
    assert_eq!(
        request.messages[1].parts,
        [thoughts("a", Some(ours.clone())), thoughts("b", None), thoughts("", Some(ours))]
    );
    assert_eq!(request.messages[2].parts, [thoughts("c", None)]);
    let hint = |param: &str| Unmapped { param: param.into(), weight: Weight::Hint };
    assert_eq!(request.unmapped, [hint("signature"), hint("redacted_thinking")]);
}

#[test]
fn a_mark_on_a_call_comes_back_to_it_from_wherever_it_stands() {
    let ours = seal("x");
    let mark = json!({ "type": "redacted_thinking", "data": ours.token_on(&On::Call("c".into())) });
    let call = json!({ "type": "tool_use", "id": "c", "name": "f", "input": {} });
    for content in [[&mark, &call], [&call, &mark]] {
        let body = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "assistant", "content": content }] });
        let request = Anthropic.decode_request(Shape::Chat, body.to_string().as_bytes()).unwrap();
        let [Part::ToolCall(call)] = &*request.messages[0].parts else { panic!("{request:?}") };
        assert_eq!((call.seal.as_ref(), &*request.unmapped), (Some(&ours), &[][..]));
    }
}

#[test]
fn calls_and_results_are_read_in_every_form() {
    let messages = json!([
        { "role": "assistant", "content": [
            { "type": "text", "text": "See", "citations": [{ "type": "web_search_result_location", "url": "https://a.b", "cited_text": "x", "title": "A" }] },
            { "type": "tool_use", "id": "t1", "name": "f", "input": { "b": 1, "a": 2 }, "caller": { "type": "direct" } },
            { "type": "tool_use", "id": "t2", "name": "g" },
            { "type": "server_tool_use", "id": "s", "name": "web_search", "input": {} },
        ] },
        { "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "t1", "content": "text", "is_error": true },
            { "type": "tool_result", "tool_use_id": "t2", "content": [
                { "type": "text", "text": "" },
                { "type": "image", "source": { "type": "url", "url": "https://a.b" } },
            ] },
            { "type": "tool_result", "tool_use_id": "t3" },
        ] },
    ]);
    let request = decode_request(&request_with(&json!({ "messages": messages })));
    let fact = Annotation {
        url: Some("https://a.b".into()),
        title: Some("A".into()),
        cited_text: Some("x".into()),
        span: None,
    };
    let call = |id: &str, name: &str, arguments: &str| {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
            ..ToolCall::default()
        })
    };
    let text = Part::Text(Text { text: "See".into(), annotations: vec![fact], ..Text::default() });
    assert_eq!(request.messages[0].parts, [text, call("t1", "f", r#"{"b":1,"a":2}"#), call("t2", "g", "{}")]);
    let result = |id: &str, parts: Vec<Part>, is_error: bool| {
        Part::ToolResult(ToolResult { call_id: id.into(), parts, is_error, ..ToolResult::default() })
    };
    let picture = Part::Image(Media::from_url("https://a.b"));
    let expected =
        [result("t1", vec![Part::text("text")], true), result("t2", vec![picture], false), result("t3", vec![], false)];
    assert_eq!(request.messages[1].parts, expected);
    let note = Unmapped { param: "messages[0].content[3].type: server_tool_use".into(), weight: Weight::Meaning };
    assert_eq!(request.unmapped, [note]);
}

#[test]
fn every_choice_of_tools_is_read() {
    for (choice, expected, parallel) in [
        (json!({ "type": "auto" }), ToolChoice::Auto, None),
        (json!({ "type": "none" }), ToolChoice::None, None),
        (json!({ "type": "any", "disable_parallel_tool_use": true }), ToolChoice::Required, Some(false)),
        (
            json!({ "type": "tool", "name": "f", "disable_parallel_tool_use": false }),
            ToolChoice::Tool("f".into()),
            None,
        ),
    ] {
        let request = decode_request(&request_with(&json!({ "tool_choice": choice })));
        assert_eq!((request.tool_choice, request.parallel_tool_calls), (Some(expected), parallel));
    }
}

#[test]
fn a_tool_may_be_strict_and_what_concerns_its_transport_is_a_hint() {
    let tools = json!([
        { "type": "custom", "name": "f", "input_schema": { "type": "object" }, "strict": true, "eager_input_streaming": true, "defer_loading": false },
        { "name": "g", "input_schema": {}, "allowed_callers": ["direct"], "cache_control": { "type": "ephemeral" } },
        { "name": "h", "input_schema": {}, "allowed_callers": ["code_execution_20250825"] },
    ]);
    let request = decode_request(&request_with(&json!({ "tools": tools })));
    assert_eq!(request.tools.len(), 3);
    assert!(matches!(request.tools[0].input, ToolInput::Json { strict: Some(true), .. }));
    let notes = noted(&json!({ "tools": tools }));
    let expected = [
        ("eager_input_streaming", Weight::Hint),
        ("cache_control", Weight::Hint),
        ("tools[2].allowed_callers", Weight::Meaning),
    ];
    assert_eq!(notes, expected.map(|(param, weight)| (param.to_owned(), weight)));
}

#[test]
fn thinking_is_read_in_every_form() {
    let reasoning = |more: Value| decode_request(&request_with(&more)).reasoning;
    let unset = Reasoning::default();
    assert_eq!(reasoning(json!({})), unset);
    assert_eq!(
        reasoning(json!({ "thinking": { "type": "disabled" } })),
        Reasoning { enabled: Some(false), ..unset.clone() }
    );
    let hidden = json!({ "thinking": { "type": "enabled", "budget_tokens": 2048, "display": "omitted" } });
    assert_eq!(reasoning(hidden), Reasoning { budget_tokens: Some(2048), visible: Some(false), ..unset.clone() });
    let adaptive =
        json!({ "thinking": { "type": "adaptive", "display": "summarized" }, "output_config": { "effort": "xhigh" } });
    let expected = Reasoning { effort: Some(Effort::XHigh), enabled: Some(true), visible: Some(true), ..unset };
    assert_eq!(reasoning(adaptive), expected);
}

#[test]
fn a_schema_is_read_from_its_place_of_today_and_of_yesterday() {
    let schema = json!({ "type": "object" });
    let format = json!({ "type": "json_schema", "schema": schema });
    let expected = OutputFormat::Schema { name: None, description: None, schema, strict: None };
    for more in [json!({ "output_format": format }), json!({ "output_config": { "format": format } })] {
        assert_eq!(decode_request(&request_with(&more)).output, expected);
    }
}

#[test]
fn plain_fields_are_taken_as_they_are() {
    let more = json!({ "temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop_sequences": ["a", "b"], "metadata": { "user_id": "u" }, "service_tier": "auto" });
    let request = decode_request(&request_with(&more));
    assert_eq!((request.temperature, request.top_p, request.top_k), (Some(0.5), Some(0.9), Some(40)));
    assert_eq!(
        (request.stop, request.user.as_deref(), request.stream),
        (vec!["a".to_owned(), "b".to_owned()], Some("u"), false)
    );
    assert_eq!((request.max_output_tokens, request.unmapped), (Some(9), vec![]));
}

#[test]
fn everything_else_is_noted_by_its_weight_and_what_says_nothing_is_not() {
    let more = json!({
        "service_tier": "standard_only", "metadata": { "user_id": "u", "x": 1 }, "context_management": { "edits": [{}] },
        "cache_control": { "type": "ephemeral" }, "container": "c", "mcp_servers": [], "inference_geo": null, "new": 1,
        "speed": "fast", "output_config": { "task_budget": { "total": 1 } }, "stream": false,
    });
    let expected = [
        ("output_config.task_budget", Weight::Meaning),
        ("metadata", Weight::Hint),
        ("service_tier", Weight::Hint),
        ("context_management", Weight::Hint),
        ("cache_control", Weight::Hint),
        ("container", Weight::Meaning),
        ("new", Weight::Meaning),
        ("speed", Weight::Hint),
    ];
    assert_eq!(noted(&more), expected.map(|(param, weight)| (param.to_owned(), weight)));
}

#[test]
fn what_is_wrong_is_named() {
    let without_limit = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] });
    assert_eq!(malformed(&without_limit).param, Some("max_tokens"));
    for (more, param, beginning) in [
        (json!({ "messages": null }), "messages", "`messages` must be a list of at least one message."),
        (json!({ "messages": [7] }), "messages", "`messages[0]` must be an object."),
        (json!({ "messages": [{ "role": "tool", "content": "" }] }), "messages", "`messages[0].role` must be"),
        (
            json!({ "messages": [{ "role": "user" }] }),
            "messages",
            "`messages[0].content` must be a string or a list of objects.",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": [{ "text": "x" }] }] }),
            "messages",
            "`messages[0].content[0].type` must be a string.",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": [{ "type": "tool_use", "id": "a", "name": "f", "input": "x" }] }] }),
            "messages",
            "`messages[0].content[0].input` must be an object.",
        ),
        (json!({ "system": 7 }), "system", "`system` must be a string or a list of objects."),
        (json!({ "tools": [{ "name": "f" }] }), "tools", "`tools[0].input_schema` must be an object."),
        (json!({ "tool_choice": { "type": "all" } }), "tool_choice", "`tool_choice.type` must be"),
        (
            json!({ "thinking": { "type": "enabled" } }),
            "thinking",
            "`thinking.budget_tokens` must be a number of tokens.",
        ),
        (json!({ "max_tokens": -1 }), "max_tokens", "`max_tokens` must be a whole number"),
        (json!({ "temperature": "hot" }), "temperature", "`temperature` must be a number."),
        (json!({ "stop_sequences": [1] }), "stop_sequences", "`stop_sequences[0]` must be a string."),
        (json!({ "output_config": { "effort": "huge" } }), "output_config", "`output_config.effort` must be"),
        (json!({ "stream": "yes" }), "stream", "`stream` must be true or false."),
    ] {
        let malformed = malformed(&request_with(&more));
        assert_eq!(malformed.param, Some(param), "{malformed:?}");
        assert!(malformed.message.starts_with(beginning), "{malformed:?}");
    }
    assert_eq!(Anthropic.decode_request(Shape::Chat, b"[]").unwrap_err().param, None);
}
