//! What the model may call, and what it must.

use serde_json::{Map, Value, json};

use super::super::encode::words_of;
use crate::canonical::{ChatRequest, Field, Losses, Tool, ToolChoice, ToolInput, ToolKind};
use crate::dialect::Recipient;

pub(super) fn encode(
    request: &ChatRequest,
    to: &Recipient<'_>,
    losses: &mut Losses<'_>,
    body: &mut Map<String, Value>,
) {
    let quirks = &to.quirks.chat;
    let mut tools: Vec<&Tool> = request.tools.iter().collect();
    if !quirks.custom_tools && tools.iter().any(|tool| kind_of(tool) == ToolKind::Custom) {
        losses.meaning(Field::Tools, "the model's provider knows no tools that take text");
        tools.retain(|tool| kind_of(tool) == ToolKind::Function);
    }
    let choice = match request.tool_choice.as_ref() {
        // What may not be called need not be known.
        Some(ToolChoice::Allowed { required, names }) if !quirks.custom_tools => {
            tools.retain(|tool| names.contains(&tool.name));
            Some(if *required { ToolChoice::Required } else { ToolChoice::Auto })
        }
        choice => choice.cloned(),
    };
    // Neither is taken where there is nothing to choose from.
    if tools.is_empty() {
        return;
    }
    if let Some(choice) = choice {
        body.insert("tool_choice".to_owned(), written_choice(&choice, &tools));
    }
    if let Some(parallel) = request.parallel_tool_calls {
        if quirks.parallel_tool_calls {
            body.insert("parallel_tool_calls".to_owned(), parallel.into());
        } else if !parallel {
            losses.hint(Field::ParallelToolCalls, "the model's provider cannot be held to one call at a time");
        }
    }
    body.insert("tools".to_owned(), tools.into_iter().map(written_tool).collect());
}

fn kind_of(tool: &Tool) -> ToolKind {
    match tool.input {
        ToolInput::Json { .. } => ToolKind::Function,
        ToolInput::Text { .. } => ToolKind::Custom,
    }
}

fn written_tool(tool: &Tool) -> Value {
    let (kind, _) = words_of(kind_of(tool));
    let mut inner = Map::new();
    inner.insert("name".to_owned(), tool.name.as_str().into());
    if let Some(description) = &tool.description {
        inner.insert("description".to_owned(), description.as_str().into());
    }
    match &tool.input {
        ToolInput::Json { schema, strict } => {
            let schema = schema.clone().unwrap_or_else(|| json!({ "type": "object", "properties": {} }));
            inner.insert("parameters".to_owned(), schema);
            if let Some(strict) = strict {
                inner.insert("strict".to_owned(), (*strict).into());
            }
        }
        ToolInput::Text { format } => {
            if let Some(format) = format {
                inner.insert("format".to_owned(), format.clone());
            }
        }
    }
    json!({ "type": kind, kind: inner })
}

fn written_choice(choice: &ToolChoice, tools: &[&Tool]) -> Value {
    let reference = |name: &String| {
        let tool = tools.iter().find(|tool| tool.name == *name);
        let (kind, _) = words_of(tool.map(|tool| kind_of(tool)).unwrap_or_default());
        json!({ "type": kind, kind: { "name": name } })
    };
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Tool(name) => reference(name),
        ToolChoice::Allowed { required, names } => {
            let tools: Vec<Value> = names.iter().map(reference).collect();
            let mode = if *required { "required" } else { "auto" };
            json!({ "type": "allowed_tools", "allowed_tools": { "mode": mode, "tools": tools } })
        }
    }
}
