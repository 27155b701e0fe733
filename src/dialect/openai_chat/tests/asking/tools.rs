//! Tools, and the choice among them.

use super::*;

fn tools() -> Vec<Tool> {
    let json = ToolInput::Json { schema: None, strict: Some(true) };
    let schema = ToolInput::Json { schema: Some(json!({ "type": "object" })), strict: None };
    [("f", json), ("g", schema), ("sh", ToolInput::Text { format: None })]
        .map(|(name, input)| Tool { name: name.into(), description: Some("d".into()), input })
        .to_vec()
}

#[test]
fn tools_and_the_choice_among_them_are_told() {
    let allowed = ToolChoice::Allowed { required: true, names: vec!["g".into(), "sh".into()] };
    let request = ChatRequest {
        tools: tools(),
        tool_choice: Some(allowed),
        parallel_tool_calls: Some(false),
        ..conversation(Vec::new())
    };
    let body = whole(&request, OPENAI);
    let nothing = json!({ "type": "object", "properties": {} });
    assert_eq!(
        body["tools"],
        json!([
            { "type": "function", "function": { "name": "f", "description": "d", "parameters": nothing, "strict": true } },
            { "type": "function", "function": { "name": "g", "description": "d", "parameters": { "type": "object" } } },
            { "type": "custom", "custom": { "name": "sh", "description": "d" } },
        ])
    );
    let named = json!([
        { "type": "function", "function": { "name": "g" } },
        { "type": "custom", "custom": { "name": "sh" } },
    ]);
    let choice = json!({ "type": "allowed_tools", "allowed_tools": { "mode": "required", "tools": named } });
    assert_eq!((&body["tool_choice"], &body["parallel_tool_calls"]), (&choice, &json!(false)));
    let (body, losses) = write(&request, OTHERS);
    assert_eq!((&body["tool_choice"], body["tools"].as_array().unwrap().len()), (&json!("required"), 1));
    assert_eq!((losses.len(), &*losses[0].param, losses[0].weight), (1, "tools", Weight::Meaning));
}

#[test]
fn one_tool_all_none_or_any_may_be_chosen() {
    let choice = |choice| {
        let request = ChatRequest { tools: tools(), tool_choice: Some(choice), ..conversation(Vec::new()) };
        whole(&request, OPENAI)["tool_choice"].take()
    };
    assert_eq!(choice(ToolChoice::Auto), "auto");
    assert_eq!(choice(ToolChoice::None), "none");
    assert_eq!(choice(ToolChoice::Required), "required");
    assert_eq!(choice(ToolChoice::Tool("f".into())), json!({ "type": "function", "function": { "name": "f" } }));
    assert_eq!(choice(ToolChoice::Tool("sh".into())), json!({ "type": "custom", "custom": { "name": "sh" } }));
    let nothing = ChatRequest { tool_choice: Some(ToolChoice::Auto), ..conversation(Vec::new()) };
    assert_eq!(whole(&nothing, OPENAI).get("tool_choice"), None);
}

#[test]
fn calls_of_tools_that_take_text_are_shown_as_functions_to_who_knows_none() {
    let custom = ToolCall { kind: ToolKind::Custom, ..call("a", "sh", "ls") };
    let turn = vec![message(Role::Assistant, vec![Part::ToolCall(custom)])];
    let native = json!({ "id": "a", "type": "custom", "custom": { "name": "sh", "input": "ls" } });
    assert_eq!(messages(turn.clone(), OPENAI)[0]["tool_calls"][0], native);
    let function = json!({ "name": "sh", "arguments": "{\"input\":\"ls\"}" });
    let shown = json!({ "id": "a", "type": "function", "function": function });
    assert_eq!(messages(turn, OTHERS)[0]["tool_calls"][0], shown);
}
