//! Requests to providers, as they are written.

mod tools;

use serde_json::json;

use super::*;
use crate::canonical::{
    Effort, Field, Loss, Losses, Media, Message, OutputFormat, Reasoning, Role, Seal, Source, Text, Tool, ToolCall,
    ToolChoice, ToolInput, ToolKind, ToolResult, Weight,
};
use crate::dialect::quirks::{ChatQuirks, ReasoningStyle};
use crate::dialect::{Quirks, Recipient};

const OPENAI: ChatQuirks = ChatQuirks::OPENAI;
const OTHERS: ChatQuirks = ChatQuirks::NONE;

fn write(request: &ChatRequest, chat: ChatQuirks) -> (Value, Vec<Loss>) {
    let quirks = Quirks { chat, ..Quirks::NONE };
    let to = Recipient { model: "theirs", provider: "p", quirks: &quirks };
    let name = |field| OpenAiChat.param(field);
    let mut losses = Losses::new(&name);
    let body = OpenAiChat.encode_request(request, &to, &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses.into_list())
}

/// What is written of `request`, all of which can be.
fn whole(request: &ChatRequest, chat: ChatQuirks) -> Value {
    let (body, losses) = write(request, chat);
    assert_eq!(losses, []);
    body
}

/// The params of what is lost of `request`, with their weight.
fn lost(request: &ChatRequest, chat: ChatQuirks) -> Vec<(String, Weight)> {
    write(request, chat).1.into_iter().map(|loss| (loss.param, loss.weight)).collect()
}

fn conversation(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn messages(messages: Vec<Message>, chat: ChatQuirks) -> Value {
    whole(&conversation(messages), chat)["messages"].take()
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    let [id, name, arguments] = [id, name, arguments].map(str::to_owned);
    ToolCall { id, name, arguments, ..ToolCall::default() }
}

fn result(call_id: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult(ToolResult { call_id: call_id.into(), parts, ..ToolResult::default() })
}

fn everything() -> ChatRequest {
    ChatRequest {
        model: "ours".into(),
        stream: true,
        messages: vec![Message::text(Role::Developer, "Be brief."), Message::text(Role::User, "Hi")],
        max_output_tokens: Some(10),
        temperature: Some(0.5),
        top_p: Some(0.9),
        seed: Some(3),
        presence_penalty: Some(0.1),
        frequency_penalty: Some(-0.1),
        stop: vec!["a".into()],
        logprobs: Some(2),
        output: OutputFormat::Json,
        verbosity: Some("low".into()),
        user: Some("u".into()),
        reasoning: Reasoning { effort: Some(Effort::High), ..Reasoning::default() },
        ..ChatRequest::default()
    }
}

#[test]
fn openai_is_asked_in_its_own_words() {
    let expected = json!({
        "model": "theirs",
        "messages": [{ "role": "developer", "content": "Be brief." }, { "role": "user", "content": "Hi" }],
        "stream": true,
        "stream_options": { "include_usage": true },
        "max_completion_tokens": 10,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.1,
        "stop": ["a"],
        "logprobs": true,
        "top_logprobs": 2,
        "verbosity": "low",
        "safety_identifier": "u",
        "response_format": { "type": "json_object" },
        "reasoning_effort": "high",
    });
    assert_eq!(whole(&everything(), OPENAI), expected);
    assert_eq!(lost(&ChatRequest { top_k: Some(4), ..everything() }, OPENAI), [("top_k".into(), Weight::Meaning)]);
}

#[test]
fn a_strict_provider_is_sent_nothing_it_does_not_know() {
    let strict = ChatQuirks {
        seed: Some("random_seed"),
        user: None,
        logprobs: false,
        stream_options: false,
        penalties: false,
        ..OTHERS
    };
    let (body, losses) = write(&everything(), strict);
    let expected = json!({
        "model": "theirs",
        "messages": [{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Hi" }],
        "stream": true,
        "max_tokens": 10,
        "temperature": 0.5,
        "top_p": 0.9,
        "random_seed": 3,
        "stop": ["a"],
        "response_format": { "type": "json_object" },
        "reasoning_effort": "high",
    });
    assert_eq!(body, expected);
    let lost: Vec<_> = losses.iter().map(|loss| (&*loss.param, loss.weight)).collect();
    assert_eq!(
        lost,
        [
            ("presence_penalty", Weight::Meaning),
            ("frequency_penalty", Weight::Meaning),
            ("logprobs", Weight::Meaning),
            ("verbosity", Weight::Hint),
            ("user", Weight::Hint),
        ]
    );
}

#[test]
fn a_request_that_does_not_stream_says_nothing_of_streams() {
    let body = whole(&conversation(vec![Message::text(Role::User, "Hi")]), OTHERS);
    assert_eq!(body, json!({ "model": "theirs", "messages": [{ "role": "user", "content": "Hi" }] }));
}

#[test]
fn a_user_says_a_string_or_parts() {
    let pdf = Media { name: Some("a.pdf".into()), ..Media::from_data("JVBE", "application/pdf") };
    let written = messages(
        vec![message(
            Role::User,
            vec![
                Part::text("Look"),
                Part::text("here"),
                Part::Image(Media { detail: Some("low".into()), ..Media::from_url("https://i/p.png") }),
                Part::Image(Media::from_data("R0lG", "image/gif")),
                Part::Audio(Media::from_data("AAAA", "audio/mpeg")),
                Part::File(pdf),
            ],
        )],
        OTHERS,
    );
    let expected = json!([
        { "type": "text", "text": "Look" },
        { "type": "text", "text": "here" },
        { "type": "image_url", "image_url": { "url": "https://i/p.png", "detail": "low" } },
        { "type": "image_url", "image_url": { "url": "data:image/gif;base64,R0lG" } },
        { "type": "input_audio", "input_audio": { "data": "AAAA", "format": "mp3" } },
        { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE" } },
    ]);
    assert_eq!(written[0], json!({ "role": "user", "content": expected }));
    let uploaded = Media { source: Source::Id("f".into()), media_type: None, name: None, detail: None };
    for part in [
        Part::File(uploaded.clone()),
        Part::Image(uploaded),
        Part::File(Media::from_url("https://i/a.pdf")),
        Part::Audio(Media::from_url("https://i/a.mp3")),
    ] {
        let request = conversation(vec![message(Role::User, vec![part])]);
        assert_eq!(lost(&request, OTHERS), [("messages".into(), Weight::Meaning)]);
    }
}

#[test]
fn results_stand_right_behind_their_calls_and_what_they_show_behind_them() {
    let failed =
        ToolResult { call_id: "b".into(), parts: vec![Part::text("no disk")], is_error: true, ..ToolResult::default() };
    let picture = Part::Image(Media::from_data("R0lG", "image/gif"));
    let written = messages(
        vec![
            message(
                Role::Assistant,
                vec![
                    Part::text("Let me "),
                    Part::text("see."),
                    Part::ToolCall(call("a", "f", "{\"x\": 1}")),
                    Part::ToolCall(call("b", "g", "")),
                ],
            ),
            message(Role::User, vec![Part::text("Go on"), result("a", vec![picture])]),
            message(Role::User, vec![Part::ToolResult(failed)]),
            Message::text(Role::Assistant, "Done"),
        ],
        OTHERS,
    );
    let url = "data:image/gif;base64,R0lG";
    // The picture must not come between the two results, so neither does the text beside the first.
    let expected = json!([
        { "role": "assistant", "content": "Let me see.", "tool_calls": [
            { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{\"x\": 1}" } },
            { "id": "b", "type": "function", "function": { "name": "g", "arguments": "{}" } },
        ] },
        { "role": "tool", "tool_call_id": "a", "content": "The result is in the next message." },
        { "role": "tool", "tool_call_id": "b", "content": "Error: no disk" },
        { "role": "user", "content": [
            { "type": "text", "text": "Of the result of a:" },
            { "type": "image_url", "image_url": { "url": url } },
            { "type": "text", "text": "Go on" },
        ] },
        { "role": "assistant", "content": "Done" },
    ]);
    assert_eq!(written, expected);
}

#[test]
fn ids_are_made_fit_the_same_way_in_call_and_result() {
    let long = "toolu_0123456789012345678901234567890123456789";
    for (chat, length) in [(OTHERS, 29), (ChatQuirks { short_ids: true, ..OTHERS }, 9)] {
        let written = messages(
            vec![
                message(Role::Assistant, vec![Part::ToolCall(call(long, "f", "{}"))]),
                message(Role::User, vec![result(long, vec![Part::text("1")])]),
            ],
            chat,
        );
        let id = written[0]["tool_calls"][0]["id"].as_str().unwrap();
        assert_eq!((id.len(), &written[1]["tool_call_id"]), (length, &json!(id)));
    }
}

#[test]
fn results_without_an_id_are_told_apart_by_name_and_order() {
    let unnamed = |name: Option<&str>, text: &str| {
        let name = name.map(str::to_owned);
        Part::ToolResult(ToolResult { name, parts: vec![Part::text(text)], ..ToolResult::default() })
    };
    let calls = ["f", "g", "h"].map(|name| Part::ToolCall(call("", name, "{}")));
    let results = vec![unnamed(Some("h"), "of h"), unnamed(None, "of f"), unnamed(None, "of g")];
    let written = messages(vec![message(Role::Assistant, calls.to_vec()), message(Role::User, results)], OTHERS);
    let id = |at: usize| &written[0]["tool_calls"][at]["id"];
    let answered = |at: usize| (&written[at]["tool_call_id"], written[at]["content"].as_str().unwrap());
    assert_eq!([answered(1), answered(2), answered(3)], [(id(2), "of h"), (id(0), "of f"), (id(1), "of g")]);
    assert_ne!(id(0), id(1));
}

#[test]
fn thoughts_go_back_where_they_are_taken() {
    let thought = || Part::Reasoning { text: "Hm".into(), seal: None };
    let turn = || vec![message(Role::Assistant, vec![thought(), Part::text("Hi")])];
    assert_eq!(messages(turn(), OTHERS)[0], json!({ "role": "assistant", "content": "Hi" }));
    let takes = ChatQuirks { thoughts: Some("reasoning_content"), ..OTHERS };
    let expected = json!({ "role": "assistant", "content": "Hi", "reasoning_content": "Hm" });
    assert_eq!(messages(turn(), takes)[0], expected);
    let demands = ChatQuirks { demands_thoughts: true, ..takes };
    let calls = vec![message(Role::Assistant, vec![Part::ToolCall(call("a", "f", "{}"))])];
    assert_eq!(messages(calls.clone(), demands)[0]["reasoning_content"], "");
    assert_eq!(messages(calls, takes)[0].get("reasoning_content"), None);
    // A turn of thoughts alone is nothing to who takes none.
    assert_eq!(messages(vec![message(Role::Assistant, vec![thought()])], OTHERS), json!([]));
}

#[test]
fn marks_go_back_to_whom_they_are_of_and_to_nobody_else() {
    let seal = |provider: &str, data: &str| {
        Some(Seal { dialect: "openai-chat".into(), provider: provider.into(), data: data.into() })
    };
    let turn = |provider: &str| {
        let signed = r#"[{"type":"reasoning.text","signature":"S","format":"anthropic-claude-v1","index":0}]"#;
        let on_text = r#"[{"type":"reasoning.encrypted","data":"T"}]"#;
        let on_call = r#"{"extra_content":{"google":{"thought_signature":"G"}}}"#;
        let text = Text { text: "Hi".into(), seal: seal(provider, on_text), ..Text::default() };
        vec![message(
            Role::Assistant,
            vec![
                Part::Reasoning { text: "Hm".into(), seal: seal(provider, signed) },
                Part::Text(text),
                Part::ToolCall(ToolCall { seal: seal(provider, on_call), ..call("a", "f", "{}") }),
            ],
        )]
    };
    let takes = ChatQuirks { thoughts: Some("reasoning"), ..OTHERS };
    let written = messages(turn("p"), takes);
    let details = json!([
        { "type": "reasoning.text", "signature": "S", "format": "anthropic-claude-v1", "index": 0, "text": "Hm" },
        { "type": "reasoning.encrypted", "data": "T" },
    ]);
    assert_eq!(written[0]["reasoning_details"], details);
    assert_eq!(written[0]["tool_calls"][0]["extra_content"], json!({ "google": { "thought_signature": "G" } }));
    assert_eq!(written[0].get("reasoning"), None);
    let written = messages(turn("other"), takes);
    assert_eq!((&written[0]["reasoning"], written[0].get("reasoning_details")), (&json!("Hm"), None));
    assert_eq!(written[0]["tool_calls"][0].get("extra_content"), None);
}

#[test]
fn what_was_recorded_goes_back_as_it_came() {
    let stream = recording("openrouter-reasoning-details-with-tool-call.sse");
    let (answer, _) = read_stream(&stream);
    let written = messages(vec![message(Role::Assistant, answer.parts)], OTHERS);
    let detail = &written[0]["reasoning_details"][0];
    assert!(detail["text"].as_str().unwrap().starts_with("The user is asking for the weather in Berlin"));
    assert!(stream.contains(detail["signature"].as_str().unwrap()));
    assert_eq!((&detail["format"], &detail["index"]), (&json!("anthropic-claude-v1"), &json!(0)));
}

#[test]
fn a_schema_is_told_to_who_can_be_held_to_it() {
    let output =
        OutputFormat::Schema { name: None, description: None, schema: json!({ "type": "object" }), strict: Some(true) };
    let request = ChatRequest { output, ..conversation(Vec::new()) };
    let schema = json!({ "name": "response", "schema": { "type": "object" }, "strict": true });
    let expected = json!({ "type": "json_schema", "json_schema": schema });
    assert_eq!(whole(&request, OTHERS)["response_format"], expected);
    let (body, losses) = write(&request, ChatQuirks { json_schema: false, ..OTHERS });
    assert_eq!(body["response_format"], json!({ "type": "json_object" }));
    assert_eq!((&*losses[0].param, losses[0].weight), ("response_format", Weight::Meaning));
}

#[test]
fn thinking_is_asked_for_as_the_provider_wants_it() {
    let asked = |reasoning: Reasoning, style| {
        let request = ChatRequest { reasoning, ..conversation(Vec::new()) };
        let (mut body, losses) = write(&request, ChatQuirks { reasoning: style, ..OTHERS });
        let fields = body.as_object_mut().unwrap();
        fields.retain(|name, _| !matches!(&**name, "model" | "messages"));
        assert!(
            losses.iter().all(|loss| loss.param == OpenAiChat.param(Field::Reasoning) && loss.weight == Weight::Hint)
        );
        (body, losses.len())
    };
    let by = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let budget = || Reasoning { budget_tokens: Some(2000), ..Reasoning::default() };
    let switch = |enabled| Reasoning { enabled: Some(enabled), ..Reasoning::default() };
    let any = ReasoningStyle::Effort(&[]);
    let few = ReasoningStyle::Effort(&[Effort::None, Effort::Low, Effort::High]);
    let word = |word: &str, losses| (json!({ "reasoning_effort": word }), losses);
    assert_eq!(asked(by(Effort::Max), any), word("max", 0));
    assert_eq!(asked(by(Effort::Max), few), word("high", 1));
    assert_eq!(asked(by(Effort::Minimal), few), word("low", 1));
    assert_eq!(asked(by(Effort::None), few), word("none", 0));
    assert_eq!(asked(budget(), any), word("low", 1));
    assert_eq!(asked(Reasoning::default(), any), (json!({}), 0));
    let object = |object: Value| (json!({ "reasoning": object }), 0);
    let hidden = Reasoning { visible: Some(false), ..by(Effort::Low) };
    assert_eq!(asked(hidden, ReasoningStyle::Object), object(json!({ "effort": "low", "exclude": true })));
    assert_eq!(asked(budget(), ReasoningStyle::Object), object(json!({ "max_tokens": 2000 })));
    assert_eq!(asked(by(Effort::None), ReasoningStyle::Object), object(json!({ "enabled": false })));
    let deepseek = |switch: &str| json!({ "thinking": { "type": switch } });
    assert_eq!(asked(switch(false), ReasoningStyle::Thinking), (deepseek("disabled"), 0));
    assert_eq!(asked(switch(true), ReasoningStyle::Thinking), (deepseek("enabled"), 0));
    let high = json!({ "thinking": { "type": "enabled" }, "reasoning_effort": "high" });
    assert_eq!(asked(by(Effort::High), ReasoningStyle::Thinking), (high, 0));
    let template = |on: bool| json!({ "chat_template_kwargs": { "enable_thinking": on, "thinking": on } });
    assert_eq!(asked(switch(false), ReasoningStyle::Template), (template(false), 0));
    assert_eq!(asked(switch(true), ReasoningStyle::Template), (template(true), 0));
}

#[test]
fn an_answer_that_is_begun_is_marked_where_it_must_be() {
    let begun = || vec![Message::text(Role::User, "Hi"), Message::text(Role::Assistant, "He")];
    assert_eq!(messages(begun(), OTHERS)[1].get("prefix"), None);
    assert_eq!(messages(begun(), ChatQuirks { prefix: true, ..OTHERS })[1]["prefix"], true);
}

#[test]
fn instructions_keep_their_place_and_are_one_text() {
    let written = messages(
        vec![
            message(Role::System, vec![Part::text("a"), Part::text("b")]),
            Message::text(Role::User, "Hi"),
            Message::text(Role::Developer, "c"),
        ],
        OTHERS,
    );
    let expected = json!([
        { "role": "system", "content": "a\n\nb" },
        { "role": "user", "content": "Hi" },
        { "role": "system", "content": "c" },
    ]);
    assert_eq!(written, expected);
}
