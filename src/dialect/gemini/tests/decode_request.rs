//! What is read of clients' requests.

use serde_json::{Value, json};

use super::{Gemini, fixture, read, recordings};
use crate::canonical::{
    ChatRequest, Effort, Media, Message, OutputFormat, Part, Reasoning, Role, Source, ToolChoice, ToolInput, Weight,
};
use crate::dialect::{Shape, Translate};

fn of(body: &Value) -> ChatRequest {
    read(&body.to_string())
}

/// A request with these fields beside a word.
fn with(mut fields: Value) -> ChatRequest {
    fields["contents"] = json!([{ "role": "user", "parts": [{ "text": "Hi" }] }]);
    of(&fields)
}

fn conversation(contents: &Value) -> Vec<Message> {
    of(&json!({ "contents": contents })).messages
}

/// What cannot be carried, as names and weights.
fn lost(request: &ChatRequest) -> Vec<(&str, Weight)> {
    request.unmapped.iter().map(|lost| (&*lost.param, lost.weight)).collect()
}

#[test]
fn every_recorded_request_is_understood() {
    assert_eq!(recordings(".request.json").count(), 18);
    for (name, body) in recordings(".request.json") {
        assert!(!read(body).messages.is_empty(), "{name}");
    }
}

#[test]
fn a_recorded_request_is_read_in_full() {
    let request = read(fixture("tool-call.request.json"));
    let text = |role, text: &str| Message { role, parts: vec![Part::text(text)] };
    let question = "What is the temperature of the capital of France?";
    assert_eq!(request.messages, [text(Role::System, "You are a helpful chatbot."), text(Role::User, question)]);
    let tool = &request.tools[0];
    assert_eq!((&*tool.name, tool.description.as_deref()), ("get_capital", Some("Get the capital of a country.")));
    let schema = json!({
        "type": "object",
        "properties": { "country": { "type": "string", "description": "The country name." } },
        "required": ["country"],
    });
    assert_eq!(tool.input, ToolInput::Json { schema: Some(schema), strict: None });
    assert!(request.tools.len() == 2 && request.unmapped.is_empty() && request.include_usage);
    assert_eq!(read(fixture("text-crlf.request.json")).temperature, Some(0.0));
}

#[test]
fn either_spelling_is_understood() {
    let request = read(fixture("json-array-stream-schema.request.json"));
    let OutputFormat::Schema { schema, .. } = &request.output else { panic!("{:?}", request.output) };
    assert_eq!(schema["properties"]["dogs"]["items"]["title"], "Dog");
    assert_eq!(request.reasoning, Reasoning { visible: Some(true), ..Reasoning::default() });
    // All of the settings in it switch something off.
    assert_eq!(lost(&request), [("safetySettings", Weight::Hint)]);
    let snake = with(json!({
        "system_instruction": { "parts": [{ "text": "s" }] },
        "generation_config": { "max_output_tokens": "7", "top_k": 40.0, "stop_sequences": ["x"] },
        "tool_config": { "function_calling_config": { "mode": "ANY", "allowed_function_names": ["f"] } },
    }));
    assert_eq!((snake.max_output_tokens, snake.top_k, &*snake.stop), (Some(7), Some(40), &["x".to_owned()][..]));
    assert_eq!(snake.tool_choice, Some(ToolChoice::Tool("f".into())));
    assert!(snake.messages[0].role == Role::System && snake.unmapped.is_empty());
}

#[test]
fn every_setting_has_its_place() {
    let request = with(json!({ "generationConfig": {
        "temperature": 1.7, "topP": 0.5, "topK": 3, "maxOutputTokens": 9, "stopSequences": ["a", "b"], "seed": -4,
        "presencePenalty": 0.1, "frequencyPenalty": -0.2, "responseLogprobs": true, "logprobs": 5, "candidateCount": 1,
        "responseMimeType": "application/json", "responseModalities": ["TEXT"],
        "thinkingConfig": { "thinkingBudget": 1024, "includeThoughts": false },
    } }));
    assert_eq!((request.temperature, request.top_p, request.top_k), (Some(1.7), Some(0.5), Some(3)));
    assert_eq!((request.max_output_tokens, request.seed, request.logprobs), (Some(9), Some(-4), Some(5)));
    assert_eq!((request.presence_penalty, request.frequency_penalty), (Some(0.1), Some(-0.2)));
    assert_eq!(request.output, OutputFormat::Json);
    assert_eq!(
        request.reasoning,
        Reasoning { budget_tokens: Some(1024), visible: Some(false), ..Reasoning::default() }
    );
    assert!(request.unmapped.is_empty());
}

#[test]
fn thinking_is_asked_for_in_three_ways() {
    let thinking = |config: Value| with(json!({ "generationConfig": { "thinkingConfig": config } })).reasoning;
    assert_eq!(thinking(json!({ "thinkingLevel": "low" })).effort, Some(Effort::Low));
    assert_eq!(thinking(json!({ "thinkingBudget": -1 })), Reasoning { enabled: Some(true), ..Reasoning::default() });
    assert!(thinking(json!({ "thinkingBudget": 0 })).is_off());
}

#[test]
fn which_tools_may_be_called() {
    let choice = |mode: &str, names: &[&str]| {
        let calling = json!({ "mode": mode, "allowedFunctionNames": names });
        with(json!({ "toolConfig": { "functionCallingConfig": calling } })).tool_choice
    };
    let names = || vec!["f".to_owned(), "g".to_owned()];
    assert_eq!(choice("AUTO", &[]), Some(ToolChoice::Auto));
    assert_eq!(choice("NONE", &[]), Some(ToolChoice::None));
    assert_eq!(choice("ANY", &[]), Some(ToolChoice::Required));
    assert_eq!(choice("ANY", &["f", "g"]), Some(ToolChoice::Allowed { required: true, names: names() }));
    assert_eq!(choice("VALIDATED", &["f", "g"]), Some(ToolChoice::Allowed { required: false, names: names() }));
    assert_eq!(choice("MODE_UNSPECIFIED", &[]), None);
}

#[test]
fn what_has_no_place_is_noted_with_its_weight() {
    let request = with(json!({
        "tools": [{ "functionDeclarations": [{ "name": "f", "response": { "type": "STRING" } }] }, { "googleSearch": {} }],
        "safetySettings": [{ "category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE" }],
        "cachedContent": "cachedContents/x",
        "labels": { "team": "a" },
        "newThing": { "a": 1 },
        "empty": {},
        "generationConfig": { "candidateCount": 2, "responseModalities": ["TEXT", "IMAGE"], "speechConfig": { "a": 1 },
            "responseMimeType": "text/x.enum", "enableEnhancedCivicAnswers": false },
    }));
    let expected = [
        ("tools[0].functionDeclarations[0].response", Weight::Hint),
        ("tools[1].googleSearch", Weight::Meaning),
        ("generationConfig.responseMimeType", Weight::Meaning),
        ("generationConfig.candidateCount", Weight::Meaning),
        ("generationConfig.responseModalities", Weight::Meaning),
        ("generationConfig.speechConfig", Weight::Meaning),
        ("safetySettings", Weight::Meaning),
        ("labels", Weight::Hint),
        ("cachedContent", Weight::Meaning),
        ("newThing", Weight::Meaning),
    ];
    assert_eq!(lost(&request), expected);
}

#[test]
fn calls_without_names_are_named_the_same_in_call_and_result_and_again() {
    let call = |name: &str, n: u64| json!({ "functionCall": { "name": name, "args": { "n": n } } });
    let result =
        |name: &str, n: u64| json!({ "functionResponse": { "name": name, "response": { "output": n.to_string() } } });
    let contents = json!([
        { "role": "user", "parts": [{ "text": "go" }] },
        { "role": "model", "parts": [call("f", 1), call("g", 2), call("f", 3)] },
        { "role": "user", "parts": [result("g", 2), result("f", 1), result("f", 3)] },
    ]);
    let messages = conversation(&contents);
    let calls: Vec<(&str, &str)> = messages[1]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolCall(call) => (&*call.id, &*call.arguments),
            other => panic!("{other:?}"),
        })
        .collect();
    let results: Vec<(&str, &[Part])> = messages[2]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolResult(result) => (&*result.call_id, &*result.parts),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(calls.iter().map(|call| call.1).collect::<Vec<_>>(), [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]);
    let answered = |index: usize, text: &str| (calls[index].0, vec![Part::text(text)]);
    let expected = [answered(1, "2"), answered(0, "1"), answered(2, "3")];
    assert_eq!(results, expected.iter().map(|(id, parts)| (*id, &**parts)).collect::<Vec<_>>());
    assert!(calls[0].0 != calls[2].0 && messages == conversation(&contents));
}

#[test]
fn names_that_a_client_gives_are_kept() {
    let request = read(fixture("text-after-signature.request.json"));
    let Part::ToolCall(call) = &request.messages[1].parts[0] else { panic!() };
    let Part::ToolResult(result) = &request.messages[2].parts[0] else { panic!() };
    assert_eq!((&*call.id, &result.call_id), ("pyd_ai_29bf73b69e02448588e15893d47a3e7e", &call.id));
    // Its own field is not the customary one, so the object is told as it is; and Google's mark is nobody else's.
    assert_eq!((&*result.parts, &call.seal), (&[Part::text(r#"{"return_value":"Mexico"}"#)][..], &None));
}

#[test]
fn what_a_tool_said_is_its_output_or_its_error() {
    let told = |response: Value| {
        let part = json!({ "functionResponse": { "name": "f", "response": response } });
        let messages = conversation(&json!([{ "role": "function", "parts": [part] }]));
        let Part::ToolResult(result) = &messages[0].parts[0] else { panic!() };
        (result.parts.clone(), result.is_error)
    };
    assert_eq!(told(json!({ "output": "a" })), (vec![Part::text("a")], false));
    assert_eq!(told(json!({ "result": { "b": 1 } })), (vec![Part::text(r#"{"b":1}"#)], false));
    assert_eq!(told(json!({ "error": "no" })), (vec![Part::text("no")], true));
    assert_eq!(told(json!({ "a": 1, "b": 2 })), (vec![Part::text(r#"{"a":1,"b":2}"#)], false));
    assert_eq!(told(json!({})), (vec![Part::text("{}")], false));
}

#[test]
fn files_are_pictures_recordings_or_documents() {
    let request = of(&json!({ "contents": [{ "parts": [
        { "inlineData": { "mimeType": "image/png", "data": "-_-_" } },
        { "inlineData": { "mimeType": "audio/wav", "data": "AA==" } },
        { "fileData": { "mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf" } },
        { "fileData": { "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x" } },
    ] }] }));
    let [Part::Image(image), Part::Audio(_), Part::File(page), Part::File(own)] = &*request.messages[0].parts else {
        panic!()
    };
    assert_eq!(*image, Media::from_data("+/+/", "image/png"));
    assert_eq!(page.source, Source::Url("https://example.com/a.pdf".into()));
    assert!(matches!(own.source, Source::Id(_)));
}

#[test]
fn an_answer_kept_chunk_by_chunk_is_one_message() {
    // "sg1.…" for anthropic, claude, EqQB; Python's SDK writes it in the other alphabet, which has the same letters here.
    let token = "c2cxLllXNTBhSEp2Y0dsakNtTnNZWFZrWlFwRmNWRkM=";
    let messages = conversation(&json!([
        { "role": "user", "parts": [{ "text": "go" }] },
        { "role": "model", "parts": [{ "text": "h", "thought": true }] },
        { "role": "model", "parts": [{ "text": "m", "thought": true }] },
        { "role": "model", "parts": [{ "text": "", "thought": true, "thoughtSignature": token }] },
        { "role": "model", "parts": [{ "text": "yes" }] },
        { "role": "model", "parts": [{ "text": "!" }] },
        { "role": "model", "parts": [{ "functionCall": { "name": "f" }, "thoughtSignature": token }] },
        { "role": "model", "parts": [{ "text": "" }] },
    ]));
    let [Part::Reasoning { text, seal }, Part::Text(said), Part::ToolCall(call)] = &*messages[1].parts else {
        panic!()
    };
    assert_eq!((&**text, &*said.text, &*call.arguments), ("hm", "yes!", "{}"));
    let seal = seal.as_ref().unwrap();
    assert_eq!((&*seal.dialect, &*seal.provider, &*seal.data), ("anthropic", "claude", "EqQB"));
    assert_eq!(call.seal.as_ref(), Some(seal));
}

#[test]
fn a_malformed_request_names_the_field() {
    let refused = |body: Value| Gemini.decode_request(Shape::Chat, body.to_string().as_bytes()).unwrap_err();
    let with = |name: &str, value: Value| refused(json!({ "contents": [{ "parts": [{ "text": "x" }] }], name: value }));
    assert_eq!(refused(json!({})).param, Some("contents"));
    let role = refused(json!({ "contents": [{ "role": "assistant", "parts": [] }] }));
    assert_eq!((&*role.message, role.param), ("`contents[0].role` must be \"user\" or \"model\".", Some("contents")));
    let call = refused(json!({ "contents": [{ "role": "model", "parts": [{ "functionCall": {} }] }] }));
    assert_eq!(call.message, "`contents[0].parts[0].functionCall.name` must be a non-empty string.");
    let temperature = with("generationConfig", json!({ "temperature": "hot" }));
    assert_eq!(temperature.message, "`generationConfig.temperature` must be a number.");
    assert_eq!(temperature.param, Some("generationConfig"));
    assert_eq!(
        with("generationConfig", json!({ "topK": -1 })).message,
        "`generationConfig.topK` must be a whole number, 0 or more."
    );
    assert_eq!(with("tools", json!([7])).message, "`tools[0]` must be an object.");
    assert_eq!(with("toolConfig", json!({ "functionCallingConfig": { "mode": "X" } })).param, Some("toolConfig"));
    assert_eq!(with("systemInstruction", json!("text")).param, Some("systemInstruction"));
}
