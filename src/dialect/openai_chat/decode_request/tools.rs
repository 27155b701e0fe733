//! What the model may call, and what it must.

use serde_json::Value;

use super::fields::{Fields, Notes};
use crate::canonical::{Tool, ToolChoice, ToolInput, Weight};
use crate::dialect::Malformed;

pub(super) fn read(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Tool>, Malformed> {
    let mut tools = Vec::new();
    for mut tool in fields.objects("tools")? {
        let kind = tool.string("type")?;
        match kind.as_deref() {
            Some("custom") => {
                let custom = tool.object("custom")?.ok_or_else(|| tool.wrong("custom", "an object"))?;
                tools.push(custom_tool(custom, notes)?);
            }
            None | Some("function") => {
                let function = tool.object("function")?.ok_or_else(|| tool.wrong("function", "an object"))?;
                tools.push(function_tool(function, notes)?);
            }
            // A tool that the provider runs itself.
            Some(_) => {
                notes.meaning(tool.path_of("type"));
                continue;
            }
        }
        notes.leftovers(&tool, |name| if name == "cache_control" { Weight::Hint } else { Weight::Meaning });
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
    let schema = function.take("parameters");
    if schema.as_ref().is_some_and(|schema| !schema.is_object()) {
        return Err(function.wrong("parameters", "a JSON Schema"));
    }
    let tool = Tool {
        name: name_of(&mut function)?,
        description: function.string("description")?,
        input: ToolInput::Json { schema, strict: function.boolean("strict")? },
    };
    notes.leftovers(&function, |_| Weight::Meaning);
    Ok(tool)
}

fn custom_tool(mut custom: Fields, notes: &mut Notes) -> Result<Tool, Malformed> {
    let is_text = |format: &Value| format.get("type").and_then(Value::as_str) == Some("text");
    let tool = Tool {
        name: name_of(&mut custom)?,
        description: custom.string("description")?,
        input: ToolInput::Text { format: custom.take("format").filter(|format| !is_text(format)) },
    };
    notes.leftovers(&custom, |_| Weight::Meaning);
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
            let mut object = Fields::of(object, name.to_owned(), name)?;
            let choice = named(&mut object)?;
            notes.leftovers(&object, |_| Weight::Meaning);
            choice.map(Some).ok_or_else(|| fields.wrong(name, WORDS))
        }
        Some(_) => Err(fields.wrong(name, WORDS)),
    }
}

fn named(object: &mut Fields) -> Result<Option<ToolChoice>, Malformed> {
    Ok(match object.string("type")?.as_deref() {
        Some("function") => match object.object("function")? {
            Some(mut function) => Some(ToolChoice::Tool(name_of(&mut function)?)),
            None => None,
        },
        Some("custom") => match object.object("custom")? {
            Some(mut custom) => Some(ToolChoice::Tool(name_of(&mut custom)?)),
            None => None,
        },
        Some("allowed_tools") => match object.object("allowed_tools")? {
            Some(allowed) => Some(some_of(allowed)?),
            None => None,
        },
        None => Some(ToolChoice::Tool(name_of(object)?)),
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
        names.push(name_of(&mut inner.unwrap_or(tool))?);
    }
    Ok(ToolChoice::Allowed { required, names })
}

fn name_of(object: &mut Fields) -> Result<String, Malformed> {
    object.string("name")?.filter(|name| !name.is_empty()).ok_or_else(|| object.wrong("name", "a non-empty string"))
}
