//! What the model may call: `tools` and `toolConfig`.

use super::super::schema;
use super::note_names;
use crate::canonical::{ChatRequest, Tool, ToolChoice, ToolInput};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

pub(super) fn decode(request: &mut Fields, to: &mut ChatRequest, notes: &mut Notes) -> Result<(), Malformed> {
    for mut tool in request.objects("tools")? {
        for function in tool.objects("functionDeclarations")? {
            to.tools.push(declaration(function, notes)?);
        }
        // Tools that Google runs itself.
        note_names(&tool, notes);
    }
    if let Some(mut config) = request.object("toolConfig")? {
        if let Some(calling) = config.object("functionCallingConfig")? {
            to.tool_choice = choice(calling, notes)?;
        }
        config.take_hint("includeServerSideToolInvocations", notes);
        notes.rest(&config, &[]);
    }
    Ok(())
}

fn declaration(mut function: Fields, notes: &mut Notes) -> Result<Tool, Malformed> {
    let name = function.needed_text("name")?;
    let own = function.take("parameters").map(schema::to_json_schema);
    let schema = function.take("parametersJsonSchema").or(own);
    let description = function.text("description")?;
    // What a tool returns is for the model to read, and no other dialect has a place for it.
    function.take_hint("response", notes);
    function.take_hint("responseJsonSchema", notes);
    if function.string("behavior")?.is_some_and(|behavior| behavior == "NON_BLOCKING") {
        notes.meaning(function.path_of("behavior"));
    }
    notes.rest(&function, &[]);
    Ok(Tool { name, description, input: ToolInput::Json { schema, strict: None } })
}

fn choice(mut calling: Fields, notes: &mut Notes) -> Result<Option<ToolChoice>, Malformed> {
    let mode = calling.string("mode")?.unwrap_or_default();
    let mut names = calling.strings("allowedFunctionNames")?;
    let choice = match (&*mode, names.len()) {
        ("" | "MODE_UNSPECIFIED", _) => None,
        ("AUTO", _) => Some(ToolChoice::Auto),
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", 0) => Some(ToolChoice::Required),
        ("ANY", 1) => names.pop().map(ToolChoice::Tool),
        ("ANY", _) => Some(ToolChoice::Allowed { required: true, names }),
        ("VALIDATED", 0) => Some(ToolChoice::Auto),
        ("VALIDATED", _) => Some(ToolChoice::Allowed { required: false, names }),
        _ => return Err(calling.wrong("mode", "AUTO, ANY, NONE or VALIDATED")),
    };
    if mode == "VALIDATED" {
        // Others hold a model to a schema tool by tool, and only to schemas of a certain kind.
        notes.hint(calling.path_of("mode"));
    }
    calling.take_hint("streamFunctionCallArguments", notes);
    notes.rest(&calling, &[]);
    Ok(choice)
}
