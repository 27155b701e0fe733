//! What the model may call: `tools` and `toolConfig`.

use super::super::fields::Fields;
use super::super::schema;
use crate::canonical::{ChatRequest, Tool, ToolChoice, ToolInput, Unmapped, Weight};
use crate::dialect::Malformed;

pub(super) fn decode(request: &mut Fields, to: &mut ChatRequest) -> Result<(), Malformed> {
    for (index, tool) in request.array("tools")?.unwrap_or_default().into_iter().enumerate() {
        let mut tool = Fields::of(tool, format!("tools[{index}]"), "tools")?;
        let path = tool.path_of("functionDeclarations");
        for (index, function) in tool.array("functionDeclarations")?.unwrap_or_default().into_iter().enumerate() {
            let function = Fields::of(function, format!("{path}[{index}]"), "tools")?;
            to.tools.push(declaration(function, &mut to.unmapped)?);
        }
        // Tools that Google runs itself.
        tool.note_names(&mut to.unmapped);
    }
    if let Some(mut config) = request.object("toolConfig")? {
        if let Some(calling) = config.object("functionCallingConfig")? {
            to.tool_choice = choice(calling, &mut to.unmapped)?;
        }
        config.take_hint("includeServerSideToolInvocations", &mut to.unmapped);
        config.note_rest(&mut to.unmapped);
    }
    Ok(())
}

fn declaration(mut function: Fields, unmapped: &mut Vec<Unmapped>) -> Result<Tool, Malformed> {
    let path = function.path_of("name");
    let Some(name) = function.string("name")?.filter(|name| !name.is_empty()) else {
        return Err(Malformed { message: format!("`{path}` must be a non-empty string."), param: Some("tools") });
    };
    let own = function.take("parameters").map(schema::to_json_schema);
    let schema = function.take("parametersJsonSchema").or(own);
    let description = function.string("description")?.filter(|description| !description.is_empty());
    // What a tool returns is for the model to read, and no other dialect has a place for it.
    function.take_hint("response", unmapped);
    function.take_hint("responseJsonSchema", unmapped);
    if function.string("behavior")?.is_some_and(|behavior| behavior == "NON_BLOCKING") {
        unmapped.push(Unmapped { param: function.path_of("behavior"), weight: Weight::Meaning });
    }
    function.note_rest(unmapped);
    Ok(Tool { name, description, input: ToolInput::Json { schema, strict: None } })
}

fn choice(mut calling: Fields, unmapped: &mut Vec<Unmapped>) -> Result<Option<ToolChoice>, Malformed> {
    let mode = calling.string("mode")?.unwrap_or_default();
    let mut names = calling.strings("allowedFunctionNames")?.unwrap_or_default();
    let choice = match (&*mode, names.len()) {
        ("" | "MODE_UNSPECIFIED", _) => None,
        ("AUTO", _) => Some(ToolChoice::Auto),
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", 0) => Some(ToolChoice::Required),
        ("ANY", 1) => names.pop().map(ToolChoice::Tool),
        ("ANY", _) => Some(ToolChoice::Allowed { required: true, names }),
        ("VALIDATED", 0) => Some(ToolChoice::Auto),
        ("VALIDATED", _) => Some(ToolChoice::Allowed { required: false, names }),
        _ => {
            let message = format!("`{}` must be AUTO, ANY, NONE or VALIDATED.", calling.path_of("mode"));
            return Err(Malformed { message, param: Some("toolConfig") });
        }
    };
    if mode == "VALIDATED" {
        // Others hold a model to a schema tool by tool, and only to schemas of a certain kind.
        unmapped.push(Unmapped { param: calling.path_of("mode"), weight: Weight::Hint });
    }
    calling.take_hint("streamFunctionCallArguments", unmapped);
    calling.note_rest(unmapped);
    Ok(choice)
}
