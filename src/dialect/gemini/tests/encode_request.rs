//! What is written to upstreams.

use serde_json::{Value, json};

use super::Gemini;
use crate::canonical::{
    ChatRequest, Effort, Field, Loss, Losses, Media, Message, OutputFormat, Part, Reasoning, Role, Seal, Source, Text,
    Tool, ToolCall, ToolChoice, ToolInput, ToolResult, Weight,
};
use crate::dialect::{Quirks, Recipient, Translate};

/// What `model` is asked, and what is lost.
fn written_to(model: &str, request: &ChatRequest) -> (Value, Vec<Loss>) {
    let name = |field: Field| -> &'static str { Gemini.param(field) };
    let mut losses = Losses::new(&name);
    let to = Recipient { model, provider: "google", quirks: &Quirks::NONE };
    let body = Gemini.encode_request(request, &to, &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses.into_list())
}

/// What Gemini 2.5 Flash is asked, if nothing is lost.
fn written(request: &ChatRequest) -> Value {
    let (body, losses) = written_to("gemini-2.5-flash", request);
    assert_eq!(losses, []);
    body
}

fn says(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

fn call(id: &str, arguments: &str, seal: Option<Seal>) -> Part {
    let (id, name, arguments) = (id.into(), format!("tool_{id}"), arguments.into());
    Part::ToolCall(ToolCall { id, name, arguments, seal, ..ToolCall::default() })
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult { call_id: id.into(), parts: vec![Part::text(text)], ..ToolResult::default() })
}

fn seal(provider: &str) -> Option<Seal> {
    Some(Seal { dialect: "gemini".into(), provider: provider.into(), data: "mark".into() })
}

#[test]
fn instructions_stand_apart_and_turns_alternate() {
    let (body, losses) = written_to(
        "gemini-2.5-flash",
        &says(vec![
            Message::text(Role::System, "one"),
            Message::text(Role::Developer, "two"),
            Message::text(Role::User, "a"),
            Message::text(Role::User, "b"),
            Message::text(Role::Assistant, "c"),
            Message::text(Role::System, "three"),
            message(Role::User, vec![]),
        ]),
    );
    let text = |text: &str| json!({ "text": text });
    let expected = json!({
        "systemInstruction": { "parts": [text("one\n\ntwo")] },
        "contents": [
            { "role": "user", "parts": [text("a"), text("b")] },
            { "role": "model", "parts": [text("c")] },
            { "role": "user", "parts": [text("<system>\nthree\n</system>")] },
        ],
    });
    assert_eq!(body, expected);
    assert_eq!((losses.len(), losses[0].weight), (1, Weight::Hint));
}

#[test]
fn results_are_one_turn_in_the_order_of_their_calls_with_the_names_of_their_tools() {
    let failed =
        ToolResult { call_id: "3".into(), parts: vec![Part::text("no")], is_error: true, ..ToolResult::default() };
    let body = written(&says(vec![
        Message::text(Role::User, "go"),
        message(Role::Assistant, vec![call("1", "{\"n\": 1.50}", None), call("2", "", None), call("3", "{}", None)]),
        message(Role::User, vec![result("2", "{\"b\": 2.0}")]),
        message(Role::User, vec![Part::text("and"), Part::ToolResult(failed)]),
        message(Role::User, vec![result("1", "a")]),
    ]));
    let response = |id: &str, response: Value| json!({ "functionResponse": { "name": format!("tool_{id}"), "response": response } });
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"], json!({ "name": "tool_1", "args": { "n": 1.5 } }));
    assert_eq!(body["contents"][1]["parts"][1]["functionCall"]["args"], json!({}));
    let expected = json!([
        response("1", json!({ "output": "a" })),
        response("2", json!({ "b": 2.0 })),
        response("3", json!({ "error": "no" })),
        { "text": "and" },
    ]);
    assert_eq!((&body["contents"][2]["parts"], body["contents"].as_array().unwrap().len()), (&expected, 3));
}

#[test]
fn marks_go_back_to_their_provider_only() {
    let text = |provider| Part::Text(Text { text: "b".into(), seal: seal(provider), ..Text::default() });
    let thoughts = |provider| Part::Reasoning { text: "a".into(), seal: seal(provider) };
    let turn = |provider| {
        says(vec![message(Role::Assistant, vec![thoughts(provider), text(provider), call("1", "{}", seal(provider))])])
    };
    let own = written(&turn("google"));
    let expected = json!([
        { "text": "a", "thought": true, "thoughtSignature": "mark" },
        { "text": "b", "thoughtSignature": "mark" },
        { "functionCall": { "name": "tool_1", "args": {} }, "thoughtSignature": "mark" },
    ]);
    assert_eq!(own["contents"][0]["parts"], expected);
    let (foreign, losses) = written_to("gemini-2.5-flash", &turn("other"));
    let expected = json!([{ "text": "b" }, { "functionCall": { "name": "tool_1", "args": {} } }]);
    assert_eq!((&foreign["contents"][0]["parts"], losses.len()), (&expected, 1));
}

#[test]
fn the_calls_of_a_turn_that_goes_on_are_signed_for_gemini_3() {
    let step = |id: &str, mark| {
        vec![
            message(Role::Assistant, vec![call(id, "{}", mark), call("x", "{}", None)]),
            message(Role::User, vec![result(id, "r"), result("x", "r")]),
        ]
    };
    let mut messages = vec![Message::text(Role::User, "before")];
    messages.extend(step("0", None));
    messages.extend([Message::text(Role::Assistant, "done"), Message::text(Role::User, "now")]);
    messages.extend(step("1", None));
    messages.extend(step("2", seal("google")));
    let signatures = |model| -> Vec<Value> {
        let (body, _) = written_to(model, &says(messages.clone()));
        let contents = body["contents"].as_array().unwrap().clone();
        let parts = contents.iter().flat_map(|content| content["parts"].as_array().unwrap());
        parts.filter(|part| part["functionCall"].is_object()).map(|part| part["thoughtSignature"].clone()).collect()
    };
    let dummy = json!("skip_thought_signature_validator");
    let null = Value::Null;
    assert_eq!(
        signatures("gemini-3-pro-preview"),
        [null.clone(), null.clone(), dummy, null.clone(), json!("mark"), null.clone()]
    );
    assert_eq!(
        signatures("gemini-2.5-pro"),
        [null.clone(), null.clone(), null.clone(), null.clone(), json!("mark"), null]
    );
}

#[test]
fn every_setting_has_its_place() {
    let schema = json!({ "type": "object", "additionalProperties": false });
    let body = written(&ChatRequest {
        temperature: Some(0.5),
        top_p: Some(0.9),
        top_k: Some(40),
        max_output_tokens: Some(7),
        stop: vec!["a".into(), String::new(), "b".into()],
        seed: Some(-1),
        presence_penalty: Some(0.1),
        frequency_penalty: Some(0.2),
        logprobs: Some(3),
        output: OutputFormat::Schema {
            name: Some("n".into()),
            description: None,
            schema: schema.clone(),
            strict: Some(true),
        },
        reasoning: Reasoning { effort: Some(Effort::Low), visible: Some(true), ..Reasoning::default() },
        ..says(vec![Message::text(Role::User, "x")])
    });
    let expected = json!({
        "temperature": 0.5, "topP": 0.9, "topK": 40, "maxOutputTokens": 7, "stopSequences": ["a", "b"], "seed": -1,
        "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": true, "logprobs": 3,
        "responseMimeType": "application/json", "responseJsonSchema": schema,
        "thinkingConfig": { "includeThoughts": true, "thinkingBudget": 1024 },
    });
    assert_eq!(body["generationConfig"], expected);
    assert!(written(&says(vec![]))["generationConfig"].is_null());
}

#[test]
fn what_gemini_cannot_be_told_is_noted() {
    let (body, losses) = written_to(
        "gemini-2.5-flash",
        &ChatRequest {
            temperature: Some(2.5),
            stop: ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec(),
            seed: Some(1 << 40),
            verbosity: Some("low".into()),
            user: Some("u".into()),
            parallel_tool_calls: Some(false),
            tools: vec![Tool {
                name: "f".into(),
                description: None,
                input: ToolInput::Json { schema: None, strict: None },
            }],
            messages: vec![message(
                Role::User,
                vec![Part::File(Media {
                    source: Source::Id("file-1".into()),
                    media_type: None,
                    name: None,
                    detail: None,
                })],
            )],
            ..ChatRequest::default()
        },
    );
    let lost: Vec<(&str, Weight)> = losses.iter().map(|loss| (&*loss.param, loss.weight)).collect();
    let expected = [
        ("toolConfig.functionCallingConfig", Weight::Hint),
        ("labels", Weight::Hint),
        ("contents", Weight::Meaning),
        ("generationConfig.temperature", Weight::Hint),
        ("generationConfig.stopSequences", Weight::Meaning),
        ("generationConfig.seed", Weight::Meaning),
        ("generationConfig", Weight::Hint),
    ];
    assert_eq!(lost, expected);
    assert_eq!(body["generationConfig"], json!({ "temperature": 2.0, "stopSequences": ["a", "b", "c", "d", "e"] }));
}

#[test]
fn thinking_is_set_as_each_generation_wants_it() {
    let thinking = |model: &str, reasoning: Reasoning| {
        let (body, losses) = written_to(model, &ChatRequest { reasoning, ..ChatRequest::default() });
        (body["generationConfig"]["thinkingConfig"].clone(), losses.len())
    };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let budget = |tokens| Reasoning { budget_tokens: Some(tokens), ..Reasoning::default() };
    let on = Reasoning { enabled: Some(true), ..Reasoning::default() };
    for (model, reasoning, config, losses) in [
        ("gemini-2.5-flash", effort(Effort::None), json!({ "thinkingBudget": 0 }), 0),
        ("gemini-2.5-flash", budget(30_000), json!({ "thinkingBudget": 24_576 }), 1),
        ("gemini-2.5-flash-lite", effort(Effort::Minimal), json!({ "thinkingBudget": 512 }), 0),
        ("gemini-2.5-pro", effort(Effort::None), json!({ "thinkingBudget": 128 }), 1),
        ("gemini-2.5-pro", on.clone(), json!({ "thinkingBudget": -1 }), 0),
        ("gemini-3-flash-preview", effort(Effort::None), json!({ "thinkingLevel": "MINIMAL" }), 1),
        ("gemini-3.8-flash", effort(Effort::Minimal), json!({ "thinkingLevel": "LOW" }), 0),
        ("gemini-flash-latest", effort(Effort::None), json!({ "thinkingLevel": "LOW" }), 1),
        ("gemini-3-flash-preview", effort(Effort::Medium), json!({ "thinkingLevel": "MEDIUM" }), 0),
        ("gemini-3-pro-preview", effort(Effort::Medium), json!({ "thinkingLevel": "HIGH" }), 0),
        ("gemini-3.1-pro-preview", effort(Effort::Max), json!({ "thinkingLevel": "HIGH" }), 0),
        ("gemini-3-pro-preview", budget(1024), json!({ "thinkingLevel": "LOW" }), 0),
        ("gemini-3-pro-preview", on, Value::Null, 0),
        ("gemini-2.0-flash", effort(Effort::High), Value::Null, 1),
        ("gemini-2.0-flash", effort(Effort::None), Value::Null, 0),
    ] {
        assert_eq!(thinking(model, reasoning.clone()), (config, losses), "{model} {reasoning:?}");
    }
}

#[test]
fn tools_are_declared_with_their_schemas() {
    let tool = |name: &str, schema: Option<Value>, strict| Tool {
        name: name.into(),
        description: Some("d".into()),
        input: ToolInput::Json { schema, strict },
    };
    let schema = json!({ "type": "object", "$defs": {}, "additionalProperties": false });
    let request = |tools, tool_choice| ChatRequest { tools, tool_choice, ..ChatRequest::default() };
    let body = written(&request(
        vec![tool("a", Some(schema.clone()), None), tool("b", None, None), tool("c", Some(json!({})), None)],
        None,
    ));
    let expected = json!([{ "functionDeclarations": [
        { "name": "a", "description": "d", "parametersJsonSchema": schema },
        { "name": "b", "description": "d" },
        { "name": "c", "description": "d", "parametersJsonSchema": { "type": "object", "properties": {} } },
    ] }]);
    assert_eq!((&body["tools"], &body["toolConfig"]), (&expected, &Value::Null));
    let calling = |strict, choice| {
        written(&request(vec![tool("a", None, strict)], choice))["toolConfig"]["functionCallingConfig"].clone()
    };
    assert_eq!(calling(None, Some(ToolChoice::Required)), json!({ "mode": "ANY" }));
    assert_eq!(
        calling(None, Some(ToolChoice::Tool("a".into()))),
        json!({ "mode": "ANY", "allowedFunctionNames": ["a"] })
    );
    assert_eq!(calling(None, Some(ToolChoice::None)), json!({ "mode": "NONE" }));
    assert_eq!(calling(Some(true), None), json!({ "mode": "VALIDATED" }));
    let allowed = ToolChoice::Allowed { required: false, names: vec!["a".into()] };
    assert_eq!(calling(None, Some(allowed)), json!({ "mode": "VALIDATED", "allowedFunctionNames": ["a"] }));
    // Without tools, Gemini refuses a configuration of them.
    assert!(written(&request(vec![], Some(ToolChoice::Auto)))["toolConfig"].is_null());
    let text = Tool { name: "t".into(), description: None, input: ToolInput::Text { format: None } };
    let (body, losses) = written_to("gemini-2.5-flash", &request(vec![text, tool("1 x", None, None)], None));
    let name = body["tools"][0]["functionDeclarations"][0]["name"].as_str().unwrap();
    assert!(name.starts_with("tool_") && name.len() == 29);
    assert_eq!(losses.iter().map(|loss| loss.weight).collect::<Vec<_>>(), [Weight::Meaning, Weight::Meaning]);
}

#[test]
fn pictures_go_inline_or_by_their_url_also_those_of_tools() {
    let image = Part::Image(Media::from_data("AA==", "image/png"));
    let inline = json!({ "inlineData": { "mimeType": "image/png", "data": "AA==" } });
    let body = written(&says(vec![message(
        Role::User,
        vec![image.clone(), Part::Image(Media::from_url("https://e.x/a.png"))],
    )]));
    assert_eq!(body["contents"][0]["parts"], json!([inline, { "fileData": { "fileUri": "https://e.x/a.png" } }]));
    let shown = ToolResult { call_id: "1".into(), parts: vec![Part::text("see"), image], ..ToolResult::default() };
    let request = says(vec![
        message(Role::Assistant, vec![call("1", "{}", None)]),
        message(Role::User, vec![Part::ToolResult(shown)]),
    ]);
    let parts = |model| written_to(model, &request).0["contents"][1]["parts"].clone();
    assert_eq!(parts("gemini-3-pro-preview")[0]["functionResponse"]["parts"], json!([inline]));
    assert_eq!(parts("gemini-2.5-flash")[1], inline);
}

#[test]
fn broken_arguments_of_a_call_long_ago_are_shown_as_they_are() {
    let (body, losses) =
        written_to("gemini-2.5-flash", &says(vec![message(Role::Assistant, vec![call("1", "{\"a", None)])]));
    assert_eq!(body["contents"][0]["parts"][0]["functionCall"]["args"], json!({ "input": "{\"a" }));
    assert_eq!(losses.len(), 1);
}

#[test]
fn calls_are_named_to_gemini_3_and_results_refer_to_them() {
    let odd = "call.x|".repeat(10);
    let request = says(vec![
        message(Role::Assistant, vec![call("toolu_1", "{}", None), call(&odd, "{}", None)]),
        message(Role::User, vec![result("toolu_1", "a"), result(&odd, "b")]),
    ]);
    let (body, _) = written_to("gemini-3-pro-preview", &request);
    let calls = &body["contents"][0]["parts"];
    let results = &body["contents"][1]["parts"];
    assert_eq!(calls[0]["functionCall"]["id"], "toolu_1");
    assert_eq!(calls[1]["functionCall"]["id"].as_str().unwrap().len(), 29);
    for index in [0, 1] {
        assert_eq!(calls[index]["functionCall"]["id"], results[index]["functionResponse"]["id"]);
    }
}

#[test]
fn a_result_that_names_no_call_answers_the_first_of_its_tool() {
    let unnamed = |name: Option<&str>, text: &str| {
        let (name, parts) = (name.map(str::to_owned), vec![Part::text(text)]);
        message(Role::User, vec![Part::ToolResult(ToolResult { name, parts, ..ToolResult::default() })])
    };
    let body = written(&says(vec![
        message(Role::Assistant, vec![call("1", "{}", None), call("2", "{}", None)]),
        unnamed(Some("tool_2"), "b"),
        unnamed(None, "a"),
    ]));
    let response =
        |name: &str, text: &str| json!({ "functionResponse": { "name": name, "response": { "output": text } } });
    assert_eq!(body["contents"][1]["parts"], json!([response("tool_1", "a"), response("tool_2", "b")]));
}
