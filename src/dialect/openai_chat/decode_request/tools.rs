//! What the model may call, and what it must.

use serde_json::Value;

use crate::canonical::{Tool, ToolChoice, ToolInput};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

pub(super) fn read(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Tool>, Malformed> {
    let mut tools = Vec::new();
    for mut tool in fields.objects("tools")? {
        let kind = tool.string("type")?;
        match kind.as_deref() {
            Some("custom") => tools.push(custom_tool(tool.needed_object("custom")?, notes)?),
            None | Some("function") => tools.push(function_tool(tool.needed_object("function")?, notes)?),
            // A tool that the provider runs itself.
            Some(_) => {
                notes.meaning(tool.path_of("type"));
                continue;
            }
        }
        notes.rest(&tool, &["cache_control"]);
    }
    // What tools were before there were others than functions. The answer calls them as tools.
    let functions = fields.objects("functions")?;
    if !functions.is_empty() {
        notes.hint("functions");
    }
    for function in functions {
        tools.push(function_tool(function, notes)?);
    }
    Ok(tools)
}

fn function_tool(mut function: Fields, notes: &mut Notes) -> Result<Tool, Malformed> {
    let schema = function.object("parameters")?.map(Fields::into_value);
    let tool = Tool {
        name: function.needed_text("name")?,
        description: function.string("description")?,
        input: ToolInput::Json { schema, strict: function.boolean("strict")? },
    };
    notes.rest(&function, &[]);
    Ok(tool)
}

fn custom_tool(mut custom: Fields, notes: &mut Notes) -> Result<Tool, Malformed> {
    let is_text = |format: &Value| format.get("type").and_then(Value::as_str) == Some("text");
    let tool = Tool {
        name: custom.needed_text("name")?,
        description: custom.string("description")?,
        input: ToolInput::Text { format: custom.take("format").filter(|format| !is_text(format)) },
    };
    notes.rest(&custom, &[]);
    Ok(tool)
}

/// `tool_choice`, or what it was called before.
pub(super) fn choice(fields: &mut Fields, notes: &mut Notes) -> Result<Option<ToolChoice>, Malformed> {
    const WORDS: &str = "\"none\", \"auto\", \"required\" or an object that names a tool";
    let name = if fields.has("tool_choice") { "tool_choice" } else { "function_call" };
    match fields.take(name) {
        None => Ok(None),
        Some(Value::String(word)) => match &*word {
            "none" => Ok(Some(ToolChoice::None)),
            "auto" => Ok(Some(ToolChoice::Auto)),
            // Mistral's elder word.
            "required" | "any" => Ok(Some(ToolChoice::Required)),
            _ => Err(fields.wrong(name, WORDS)),
        },
        Some(object @ Value::Object(_)) => {
            let mut object = fields.inside(name, object)?;
            let choice = named(&mut object)?;
            notes.rest(&object, &[]);
            choice.map(Some).ok_or_else(|| fields.wrong(name, WORDS))
        }
        Some(_) => Err(fields.wrong(name, WORDS)),
    }
}

fn named(object: &mut Fields) -> Result<Option<ToolChoice>, Malformed> {
    Ok(match object.string("type")?.as_deref() {
        Some("function") => match object.object("function")? {
            Some(mut function) => Some(ToolChoice::Tool(function.needed_text("name")?)),
            None => None,
        },
        Some("custom") => match object.object("custom")? {
            Some(mut custom) => Some(ToolChoice::Tool(custom.needed_text("name")?)),
            None => None,
        },
        Some("allowed_tools") => match object.object("allowed_tools")? {
            Some(allowed) => Some(some_of(allowed)?),
            None => None,
        },
        None => Some(ToolChoice::Tool(object.needed_text("name")?)),
        Some(_) => None,
    })
}

fn some_of(mut allowed: Fields) -> Result<ToolChoice, Malformed> {
    let required = match allowed.string("mode")?.as_deref() {
        Some("required") => true,
        None | Some("auto") => false,
        Some(_) => return Err(allowed.wrong("mode", "\"auto\" or \"required\"")),
    };
    let mut names = Vec::new();
    for mut tool in allowed.objects("tools")? {
        let inner = tool.object("function")?.or(tool.object("custom")?);
        names.push(inner.unwrap_or(tool).needed_text("name")?);
    }
    Ok(ToolChoice::Allowed { required, names })
}
