//! Writes the tools that a model may call, and which of them it must.
//!
//! <https://docs.claude.com/en/docs/agents-and-tools/tool-use/implement-tool-use>

use serde_json::{Value, json};

use super::generation::Generation;
use super::schema;
use crate::canonical::{ChatRequest, Field, Losses, Tool, ToolChoice, ToolInput};

pub(super) fn encode(request: &ChatRequest, generation: Generation, losses: &mut Losses<'_>) -> Vec<Value> {
    // Tools that must not be called are not shown: Anthropic has no list of those that may.
    let is_allowed = |tool: &&Tool| match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => names.contains(&tool.name),
        _ => true,
    };
    request.tools.iter().filter(is_allowed).map(|tool| encode_one(tool, generation, losses)).collect()
}

fn encode_one(tool: &Tool, generation: Generation, losses: &mut Losses<'_>) -> Value {
    let (schema, description, strict) = match &tool.input {
        ToolInput::Json { schema, strict } => {
            let is_strict = *strict == Some(true) && generation.keeps_schemas();
            if *strict == Some(true) && !is_strict {
                losses.hint(Field::Tools, "this model cannot be held to the schema of a tool");
            }
            let schema = schema::of_input(schema.as_ref());
            (if is_strict { schema::closed(&schema) } else { schema }, tool.description.clone(), is_strict)
        }
        ToolInput::Text { format } => (text_schema(), text_description(tool, format.as_ref(), losses), false),
    };
    let mut written = json!({ "name": tool.name });
    if let Some(description) = description.filter(|description| !description.is_empty()) {
        written["description"] = description.into();
    }
    written["input_schema"] = schema;
    if strict {
        written["strict"] = true.into();
    }
    written
}

/// A tool that takes text takes an object with one text.
fn text_schema() -> Value {
    json!({ "type": "object", "properties": { "input": { "type": "string" } }, "required": ["input"] })
}

/// The grammar of the text is told in words: nothing can hold the model to it.
fn text_description(tool: &Tool, format: Option<&Value>, losses: &mut Losses<'_>) -> Option<String> {
    losses.hint(Field::Tools, "Anthropic Messages has no tools that take text; they take an object with one text");
    let grammar = format.and_then(|format| {
        let grammar = if format["grammar"].is_object() { &format["grammar"] } else { format };
        grammar["definition"].as_str().map(|definition| (definition, grammar["syntax"].as_str().unwrap_or("grammar")))
    });
    let Some((definition, syntax)) = grammar else { return tool.description.clone() };
    losses.hint(Field::Tools, "Anthropic Messages cannot hold a model to a grammar; the model is asked to keep it");
    let description = tool.description.as_deref().unwrap_or_default();
    Some(format!("{description}\n\n`input` must match this {syntax}:\n\n{definition}").trim_start().to_owned())
}

pub(super) fn choice(request: &ChatRequest, tools: &[Value], losses: &mut Losses<'_>) -> Option<Value> {
    if tools.is_empty() {
        let is_forced = matches!(
            request.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Allowed { required: true, .. })
        );
        if is_forced {
            losses.meaning(Field::ToolChoice, "there is no tool to choose");
        }
        return None;
    }
    let one_at_a_time = request.parallel_tool_calls == Some(false);
    let mut choice = match request.tool_choice.as_ref() {
        None if one_at_a_time => json!({ "type": "auto" }),
        None => return None,
        Some(ToolChoice::None) => return Some(json!({ "type": "none" })),
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => json!({ "type": "auto" }),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => json!({ "type": "any" }),
        Some(ToolChoice::Tool(name)) => json!({ "type": "tool", "name": name }),
    };
    if one_at_a_time {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Some(choice)
}

/// Whether a choice makes the model call a tool.
pub(super) fn forces(choice: &Value) -> bool {
    choice["type"] == "any" || choice["type"] == "tool"
}
