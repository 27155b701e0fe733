//! Reads a client's request.
//!
//! <https://docs.claude.com/en/api/messages>

mod fields;
mod messages;

use serde_json::{Map, Value};

use crate::canonical::{
    ChatRequest, Effort, Message, OutputFormat, Reasoning, Role, Tool, ToolChoice, ToolInput, Weight,
};
use crate::dialect::Malformed;
use crate::dialect::request;
use fields::{Fields, Notes};

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, Malformed> {
    let map: Map<String, Value> = request::read(body)?;
    let mut fields = Fields::of_body(map);
    let mut notes = Notes::default();
    let mut conversation = system(&mut fields, &mut notes)?;
    conversation.extend(messages::decode(&mut fields, &mut notes)?);
    let (tool_choice, parallel_tool_calls) = tool_choice(&mut fields, &mut notes)?;
    let (effort, output) = output(&mut fields, &mut notes)?;
    let request = ChatRequest {
        model: fields.string("model")?.unwrap_or_default(),
        stream: fields.boolean("stream")?.unwrap_or(false),
        // Anthropic always tells it.
        include_usage: true,
        messages: conversation,
        tools: tools(&mut fields, &mut notes)?,
        tool_choice,
        parallel_tool_calls,
        max_output_tokens: Some(fields.integer("max_tokens")?.ok_or_else(|| no_limit(&fields))?),
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.integer("top_k")?,
        stop: stop(&mut fields)?,
        output,
        reasoning: Reasoning { effort, ..thinking(&mut fields, &mut notes)? },
        user: user(&mut fields, &mut notes)?,
        ..ChatRequest::default()
    };
    if fields.take("service_tier").is_some_and(|tier| tier != "auto") {
        notes.add("service_tier", Weight::Hint);
    }
    fields.note_rest(&mut notes);
    Ok(ChatRequest { unmapped: notes.into_list(), ..request })
}

fn no_limit(fields: &Fields) -> Malformed {
    fields.wrong("max_tokens", "is required: say how many tokens the answer may have at most")
}

fn system(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Message>, Malformed> {
    let parts = messages::content(fields, "system", notes)?.unwrap_or_default();
    let message = Message { role: Role::System, parts };
    Ok(if message.parts.is_empty() { Vec::new() } else { vec![message] })
}

fn tools(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Tool>, Malformed> {
    let mut tools = Vec::new();
    for mut tool in fields.objects("tools")? {
        // Any other is the provider's own, and runs there.
        if tool.string("type")?.is_some_and(|kind| kind != "custom") {
            tool.note_kind(notes);
            continue;
        }
        let schema = tool.object("input_schema")?.ok_or_else(|| tool.wrong("input_schema", "is required"))?;
        tools.push(Tool {
            name: tool.needed_string("name")?,
            description: tool.string("description")?,
            input: ToolInput::Json { schema: Some(schema.into_value()), strict: tool.boolean("strict")? },
        });
        // Who may call it: the model itself, unless said otherwise.
        if let Some(callers) = tool.take("allowed_callers")
            && callers != serde_json::json!(["direct"])
        {
            notes.add(tool.path_of("allowed_callers"), Weight::Meaning);
        }
        tool.note_rest(notes);
    }
    Ok(tools)
}

fn tool_choice(fields: &mut Fields, notes: &mut Notes) -> Result<(Option<ToolChoice>, Option<bool>), Malformed> {
    let Some(mut choice) = fields.object("tool_choice")? else { return Ok((None, None)) };
    let kind = choice.needed_string("type")?;
    let tool_choice = match &*kind {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Tool(choice.needed_string("name")?),
        _ => return Err(choice.wrong("type", "must be `auto`, `any`, `tool` or `none`")),
    };
    let parallel = choice.boolean("disable_parallel_tool_use")?.filter(|disabled| *disabled).map(|_| false);
    choice.note_rest(notes);
    Ok((Some(tool_choice), parallel))
}

/// How much to think, but for the effort, which stands elsewhere. Anthropic tells thoughts unless it is asked not to.
fn thinking(fields: &mut Fields, notes: &mut Notes) -> Result<Reasoning, Malformed> {
    let Some(mut thinking) = fields.object("thinking")? else { return Ok(Reasoning::default()) };
    let kind = thinking.needed_string("type")?;
    let display = thinking.string("display")?;
    let visible = match display.as_deref() {
        None | Some("summarized") => Some(true),
        Some("omitted") => Some(false),
        Some(_) => return Err(thinking.wrong("display", "must be `summarized` or `omitted`")),
    };
    let budget_tokens = thinking.integer("budget_tokens")?;
    let reasoning = match &*kind {
        "enabled" if budget_tokens.is_none() => return Err(thinking.wrong("budget_tokens", "is required")),
        "enabled" => Reasoning { budget_tokens, visible, ..Reasoning::default() },
        "adaptive" => Reasoning { enabled: Some(true), visible, ..Reasoning::default() },
        "disabled" => Reasoning { enabled: Some(false), ..Reasoning::default() },
        _ => return Err(thinking.wrong("type", "must be `enabled`, `adaptive` or `disabled`")),
    };
    thinking.note_rest(notes);
    Ok(reasoning)
}

/// The effort, and what the answer must be. The form was once asked for in a field of its own.
fn output(fields: &mut Fields, notes: &mut Notes) -> Result<(Option<Effort>, OutputFormat), Malformed> {
    let (mut effort, mut format) = (None, fields.object("output_format")?);
    if let Some(mut config) = fields.object("output_config")? {
        if let Some(word) = config.string("effort")? {
            let known = Effort::parse(&word);
            effort = Some(known.ok_or_else(|| config.wrong("effort", "must be low, medium, high, xhigh or max"))?);
        }
        format = config.object("format")?.or(format);
        config.note_rest(notes);
    }
    let Some(mut format) = format else { return Ok((effort, OutputFormat::Text)) };
    if format.needed_string("type")? != "json_schema" {
        return Err(format.wrong("type", "must be `json_schema`"));
    }
    let schema = format.object("schema")?.ok_or_else(|| format.wrong("schema", "is required"))?.into_value();
    format.note_rest(notes);
    Ok((effort, OutputFormat::Schema { name: None, description: None, schema, strict: None }))
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, Malformed> {
    let texts = fields.list("stop_sequences")?.unwrap_or_default();
    let text = |value| match value {
        Value::String(text) => Ok(text),
        _ => Err(fields.wrong("stop_sequences", "must be a list of strings")),
    };
    texts.into_iter().map(text).collect()
}

fn user(fields: &mut Fields, notes: &mut Notes) -> Result<Option<String>, Malformed> {
    let Some(mut metadata) = fields.object("metadata")? else { return Ok(None) };
    let user = metadata.string("user_id")?;
    if metadata.has_rest() {
        notes.add("metadata", Weight::Hint);
    }
    Ok(user)
}
