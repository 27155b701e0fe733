//! What the model may call: `tools` and `toolConfig`.

use serde_json::{Map, Value, json};

use crate::canonical::{ChatRequest, Field, Losses, Tool, ToolChoice, ToolInput, ids};

/// The tools; `None` if there are none.
pub(super) fn declarations(tools: &[Tool], losses: &mut Losses<'_>) -> Option<Value> {
    let declarations: Vec<Value> = tools.iter().filter_map(|tool| declaration(tool, losses)).collect();
    (!declarations.is_empty()).then(|| json!([{ "functionDeclarations": declarations }]))
}

fn declaration(tool: &Tool, losses: &mut Losses<'_>) -> Option<Value> {
    let ToolInput::Json { schema, .. } = &tool.input else {
        losses.meaning(Field::Tools, format!("`{}` takes a text, and Gemini's tools take objects only", tool.name));
        return None;
    };
    let name = fit_name(&tool.name);
    if name != tool.name {
        let why = format!("Gemini takes no tool called `{}`; it is called `{name}`, also in the answer", tool.name);
        losses.meaning(Field::Tools, why);
    }
    let mut declaration = Map::new();
    declaration.insert("name".into(), name.into());
    if let Some(description) = tool.description.as_ref().filter(|description| !description.is_empty()) {
        declaration.insert("description".into(), description.as_str().into());
    }
    if let Some(schema) = schema {
        let is_empty = schema.as_object().is_some_and(Map::is_empty);
        let schema = if is_empty { json!({ "type": "object", "properties": {} }) } else { schema.clone() };
        declaration.insert("parametersJsonSchema".into(), schema);
    }
    Some(Value::Object(declaration))
}

/// A name that Gemini takes: letters, digits, `_`, `.` and `-`, the first one a letter or `_`, 64 at most.
pub(super) fn fit_name(name: &str) -> String {
    ids::fit(name, "tool_", 24, |name| {
        let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        begins && name.len() <= 64 && name.bytes().all(fits)
    })
}

/// Which tools the model must or must not call; `None` if that is left to it.
pub(super) fn config(request: &ChatRequest) -> Option<Value> {
    let is_strict = |tool: &Tool| matches!(tool.input, ToolInput::Json { strict: Some(true), .. });
    // Gemini holds a model to the schemas of all tools or of none.
    let at_will = if request.tools.iter().any(is_strict) { "VALIDATED" } else { "AUTO" };
    let (mode, names) = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => (at_will, Vec::new()),
        Some(ToolChoice::None) => ("NONE", Vec::new()),
        Some(ToolChoice::Required) => ("ANY", Vec::new()),
        Some(ToolChoice::Tool(name)) => ("ANY", vec![fit_name(name)]),
        Some(ToolChoice::Allowed { required, names }) => {
            // Names go with a mode that holds the model to something.
            (if *required { "ANY" } else { "VALIDATED" }, names.iter().map(|name| fit_name(name)).collect())
        }
    };
    if request.tool_choice.is_none() && mode == "AUTO" {
        return None;
    }
    let mut calling = json!({ "mode": mode });
    if !names.is_empty() {
        calling["allowedFunctionNames"] = names.into();
    }
    Some(json!({ "functionCallingConfig": calling }))
}
