//! The tools, and which of them to call.

use serde_json::Value;

use super::super::settings;
use crate::canonical::{Tool, ToolChoice, ToolInput};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

/// What a tool may say that changes no answer: when it is shown to the model, what its results look like.
const HINTS: [&str; 4] = ["defer_loading", "output_schema", "allowed_callers", "cache_control"];

pub(super) fn read(request: &mut Fields, notes: &mut Notes) -> Result<Vec<Tool>, Malformed> {
    let mut read = Vec::new();
    for tool in request.objects("tools")? {
        read.extend(read_tool(tool, notes)?);
    }
    Ok(read)
}

fn read_tool(mut tool: Fields, notes: &mut Notes) -> Result<Option<Tool>, Malformed> {
    let kind = tool.needed_string("type")?;
    if !matches!(kind.as_str(), "function" | "custom") {
        // A tool that OpenAI runs itself.
        notes.meaning(tool.path_of("type"));
        return Ok(None);
    }
    let name = tool.needed_string("name")?;
    let description = tool.string("description")?;
    let input = if kind == "custom" {
        let format = tool.take("format").filter(|format| format["type"] != "text");
        ToolInput::Text { format: format.as_ref().map(settings::nested) }
    } else {
        ToolInput::Json { schema: tool.take("parameters"), strict: tool.boolean("strict")? }
    };
    notes.rest(&tool, &HINTS);
    Ok(Some(Tool { name, description, input }))
}

pub(super) fn read_choice(request: &mut Fields, notes: &mut Notes) -> Result<Option<ToolChoice>, Malformed> {
    let mut choice = match request.take("tool_choice") {
        None => return Ok(None),
        Some(Value::String(word)) => {
            return match word.as_str() {
                "auto" => Ok(Some(ToolChoice::Auto)),
                "none" => Ok(Some(ToolChoice::None)),
                "required" => Ok(Some(ToolChoice::Required)),
                _ => Err(request.wrong("tool_choice", "auto, none, required or an object")),
            };
        }
        Some(choice) => request.inside("tool_choice", choice)?,
    };
    match choice.needed_string("type")?.as_str() {
        "function" | "custom" => Ok(Some(ToolChoice::Tool(choice.needed_string("name")?))),
        "allowed_tools" => {
            let required = choice.string("mode")?.as_deref() == Some("required");
            let names = choice.list("tools")?.iter().map(|tool| tool["name"].as_str().map(str::to_owned)).collect();
            let Some(names) = names else {
                // One of them is OpenAI's own, and is noted as a tool.
                notes.meaning("tool_choice.tools");
                return Ok(None);
            };
            Ok(Some(ToolChoice::Allowed { required, names }))
        }
        _ => {
            notes.meaning("tool_choice.type");
            Ok(None)
        }
    }
}
