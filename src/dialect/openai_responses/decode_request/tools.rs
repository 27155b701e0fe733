//! The tools, and which of them to call.

use serde_json::Value;

use super::super::settings;
use super::fields::{Fields, Notes, wrong};
use crate::canonical::{Tool, ToolChoice, ToolInput, Weight};
use crate::dialect::Malformed;

/// What a tool may say that changes no answer: when it is shown to the model, what its results look like.
const HINTS: [&str; 4] = ["defer_loading", "output_schema", "allowed_callers", "cache_control"];

pub(super) fn read(tools: Vec<Value>, notes: &mut Notes) -> Result<Vec<Tool>, Malformed> {
    let mut read = Vec::with_capacity(tools.len());
    for (index, tool) in tools.into_iter().enumerate() {
        let path = format!("tools[{index}]");
        read.extend(read_tool(Fields::of(tool, &path, "tools")?, &path, notes)?);
    }
    Ok(read)
}

fn read_tool(mut tool: Fields, path: &str, notes: &mut Notes) -> Result<Option<Tool>, Malformed> {
    let kind = tool.needed_string("type")?;
    if !matches!(kind.as_str(), "function" | "custom") {
        // A tool that OpenAI runs itself.
        notes.add(format!("{path}.type"), Weight::Meaning);
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
    tool.rest(&HINTS, notes);
    Ok(Some(Tool { name, description, input }))
}

pub(super) fn read_choice(choice: Option<Value>, notes: &mut Notes) -> Result<Option<ToolChoice>, Malformed> {
    const WITHIN: &str = "tool_choice";
    let mut choice = match choice {
        None => return Ok(None),
        Some(Value::String(word)) => {
            return match word.as_str() {
                "auto" => Ok(Some(ToolChoice::Auto)),
                "none" => Ok(Some(ToolChoice::None)),
                "required" => Ok(Some(ToolChoice::Required)),
                _ => Err(wrong(WITHIN, WITHIN, "auto, none, required or an object")),
            };
        }
        Some(choice) => Fields::of(choice, WITHIN, WITHIN)?,
    };
    match choice.needed_string("type")?.as_str() {
        "function" | "custom" => Ok(Some(ToolChoice::Tool(choice.needed_string("name")?))),
        "allowed_tools" => {
            let required = choice.string("mode")?.as_deref() == Some("required");
            let names = choice.list("tools")?.iter().map(|tool| tool["name"].as_str().map(str::to_owned)).collect();
            let Some(names) = names else {
                // One of them is OpenAI's own, and is noted as a tool.
                notes.add("tool_choice.tools".to_owned(), Weight::Meaning);
                return Ok(None);
            };
            Ok(Some(ToolChoice::Allowed { required, names }))
        }
        _ => {
            notes.add("tool_choice.type".to_owned(), Weight::Meaning);
            Ok(None)
        }
    }
}
