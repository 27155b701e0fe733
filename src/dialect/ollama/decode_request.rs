//! Reads a client's request.

use serde_json::Value;

use super::decode_messages::{self, images};
use super::decode_options;
use crate::canonical::{ChatRequest, Effort, Message, OutputFormat, Part, Reasoning, Role, Tool, ToolInput};
use crate::dialect::fields::{Fields, Notes};
use crate::dialect::{Malformed, Shape};

pub(super) fn decode(shape: Shape, body: &[u8]) -> Result<ChatRequest, Malformed> {
    let mut fields = Fields::of_body(body)?;
    let mut request = ChatRequest {
        model: fields.text("model")?.unwrap_or_default(),
        stream: fields.boolean("stream")?.unwrap_or(true),
        // Ollama always tells it.
        include_usage: true,
        ..ChatRequest::default()
    };
    let mut notes = Notes::default();
    match shape {
        Shape::Completion => request.messages = prompt(&mut fields)?,
        Shape::Chat | Shape::Array => {
            request.messages = decode_messages::decode(&mut fields, &mut notes)?;
            request.tools = tools(&mut fields, &mut notes)?;
        }
    }
    request.output = format(&mut fields)?;
    request.reasoning = think(&mut fields)?;
    request.logprobs = logprobs(&mut fields)?;
    if let Some(options) = fields.object("options")? {
        decode_options::decode(options, &mut request, &mut notes)?;
    }
    residence(&mut fields, &mut notes)?;
    notes.rest(&fields, &[]);
    request.unmapped = notes.into_list();
    Ok(request)
}

/// The conversation that a completion is: its `system`, and its `prompt` with the `images` before it. Whatever else it has
/// and a chat has not is left to be unmapped: `suffix`, `template`, `raw`, `context`.
fn prompt(fields: &mut Fields) -> Result<Vec<Message>, Malformed> {
    let system = fields.text("system")?.map(|text| Message::text(Role::System, text));
    let mut parts = images(fields)?;
    parts.extend(fields.text("prompt")?.map(Part::text));
    let user = (!parts.is_empty()).then_some(Message { role: Role::User, parts });
    Ok(system.into_iter().chain(user).collect())
}

fn tools(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Tool>, Malformed> {
    let mut tools = Vec::new();
    for mut tool in fields.objects("tools")? {
        let kind = tool.text("type")?;
        if kind.is_some_and(|kind| kind != "function") {
            notes.meaning(tool.path_of("type"));
            continue;
        }
        let mut function = tool.needed_object("function")?;
        let name = function.needed_text("name")?;
        let schema = function.object("parameters")?.map(Fields::into_value);
        let (description, strict) = (function.text("description")?, function.boolean("strict")?);
        tools.push(Tool { name, description, input: ToolInput::Json { schema, strict } });
        notes.rest(&function, &[]);
        notes.rest(&tool, &[]);
    }
    Ok(tools)
}

fn format(fields: &mut Fields) -> Result<OutputFormat, Malformed> {
    match fields.take("format") {
        None => Ok(OutputFormat::Text),
        Some(Value::String(word)) if word.is_empty() => Ok(OutputFormat::Text),
        Some(Value::String(word)) if word == "json" => Ok(OutputFormat::Json),
        Some(Value::Object(schema)) if schema.is_empty() => Ok(OutputFormat::Json),
        Some(schema @ Value::Object(_)) => {
            Ok(OutputFormat::Schema { name: None, description: None, schema, strict: None })
        }
        Some(_) => Err(fields.wrong("format", "\"json\" or a JSON Schema")),
    }
}

/// Where a model thinks, Ollama tells its thoughts.
fn think(fields: &mut Fields) -> Result<Reasoning, Malformed> {
    let reasoning = match fields.take("think") {
        None => Reasoning::default(),
        Some(Value::Bool(false)) => Reasoning { enabled: Some(false), ..Reasoning::default() },
        Some(Value::Bool(true)) => Reasoning { enabled: Some(true), visible: Some(true), ..Reasoning::default() },
        Some(level) => {
            let effort = level.as_str().and_then(Effort::parse);
            let effort =
                effort.ok_or_else(|| fields.wrong("think", "true, false, \"low\", \"medium\", \"high\" or \"max\""))?;
            Reasoning { effort: Some(effort), visible: Some(true), ..Reasoning::default() }
        }
    };
    Ok(reasoning)
}

/// How many alternatives are wanted says something only where probabilities are.
fn logprobs(fields: &mut Fields) -> Result<Option<u32>, Malformed> {
    let wanted = fields.boolean("logprobs")?.unwrap_or(false);
    let top = decode_options::integer(fields, "top_logprobs")?.unwrap_or(0);
    let top = u32::try_from(top).ok().filter(|top| *top <= 20);
    let top = top.ok_or_else(|| fields.wrong("top_logprobs", "between 0 and 20"))?;
    Ok(wanted.then_some(top))
}

/// What concerns only the machine that the model is on. That a conversation which is too long for it is cut is the default.
fn residence(fields: &mut Fields, notes: &mut Notes) -> Result<(), Malformed> {
    if fields.take("keep_alive").is_some() {
        notes.hint("keep_alive");
    }
    for name in ["truncate", "shift"] {
        if fields.boolean(name)? == Some(false) {
            notes.hint(name);
        }
    }
    Ok(())
}
