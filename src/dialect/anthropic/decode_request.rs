//! Reads a client's request.
//!
//! <https://docs.claude.com/en/api/messages>

mod messages;

use serde_json::json;

use crate::canonical::{ChatRequest, Effort, Message, OutputFormat, Reasoning, Role, Tool, ToolChoice, ToolInput};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

/// Fields that concern cost, accounting, caches or comfort, wherever they stand.
const HINTS: [&str; 13] = [
    "anthropic_beta",
    "anthropic_version",
    "betas",
    "cache_control",
    "context_management",
    "defer_loading",
    "diagnostics",
    "eager_input_streaming",
    "fallbacks",
    "input_examples",
    "service_tier",
    "speed",
    "user_profile_id",
];

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, Malformed> {
    let mut fields = Fields::of_body(body)?;
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
        max_output_tokens: Some(fields.count("max_tokens")?.ok_or_else(|| no_limit(&fields))?),
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.count("top_k")?,
        stop: fields.strings("stop_sequences")?,
        output,
        reasoning: Reasoning { effort, ..thinking(&mut fields, &mut notes)? },
        user: user(&mut fields, &mut notes)?,
        ..ChatRequest::default()
    };
    fields.take_default("service_tier", "auto");
    note_rest(&fields, &mut notes);
    Ok(ChatRequest { unmapped: notes.into_list(), ..request })
}

/// Notes what has not been taken. What is a hint wherever it stands is noted without its path, and so once.
fn note_rest(fields: &Fields, notes: &mut Notes) {
    for name in fields.rest() {
        match HINTS.contains(&name) {
            true => notes.hint(name),
            false => notes.meaning(fields.path_of(name)),
        }
    }
}

fn no_limit(fields: &Fields) -> Malformed {
    fields.wrong("max_tokens", "the number of tokens that the answer may have at most")
}

fn system(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Message>, Malformed> {
    let parts = messages::content(fields, "system", notes)?;
    let message = Message { role: Role::System, parts };
    Ok(if message.parts.is_empty() { Vec::new() } else { vec![message] })
}

fn tools(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Tool>, Malformed> {
    let mut tools = Vec::new();
    for mut tool in fields.objects("tools")? {
        // Any other is the provider's own, and runs there.
        if tool.string("type")?.is_some_and(|kind| kind != "custom") {
            notes.meaning(tool.path_of("type"));
            continue;
        }
        let schema = tool.needed_object("input_schema")?;
        tools.push(Tool {
            name: tool.needed_string("name")?,
            description: tool.string("description")?,
            input: ToolInput::Json { schema: Some(schema.into_value()), strict: tool.boolean("strict")? },
        });
        // Who may call it: the model itself, unless said otherwise.
        tool.take_default("allowed_callers", &json!(["direct"]));
        note_rest(&tool, notes);
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
        _ => return Err(choice.wrong("type", "`auto`, `any`, `tool` or `none`")),
    };
    let parallel = choice.boolean("disable_parallel_tool_use")?.filter(|disabled| *disabled).map(|_| false);
    note_rest(&choice, notes);
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
        Some(_) => return Err(thinking.wrong("display", "`summarized` or `omitted`")),
    };
    let budget_tokens = thinking.count("budget_tokens")?;
    let reasoning = match &*kind {
        "enabled" if budget_tokens.is_none() => return Err(thinking.wrong("budget_tokens", "a number of tokens")),
        "enabled" => Reasoning { budget_tokens, visible, ..Reasoning::default() },
        "adaptive" => Reasoning { enabled: Some(true), visible, ..Reasoning::default() },
        "disabled" => Reasoning { enabled: Some(false), ..Reasoning::default() },
        _ => return Err(thinking.wrong("type", "`enabled`, `adaptive` or `disabled`")),
    };
    note_rest(&thinking, notes);
    Ok(reasoning)
}

/// The effort, and what the answer must be. The form was once asked for in a field of its own.
fn output(fields: &mut Fields, notes: &mut Notes) -> Result<(Option<Effort>, OutputFormat), Malformed> {
    let (mut effort, mut format) = (None, fields.object("output_format")?);
    if let Some(mut config) = fields.object("output_config")? {
        if let Some(word) = config.string("effort")? {
            let known = Effort::parse(&word);
            effort = Some(known.ok_or_else(|| config.wrong("effort", "low, medium, high, xhigh or max"))?);
        }
        format = config.object("format")?.or(format);
        note_rest(&config, notes);
    }
    let Some(mut format) = format else { return Ok((effort, OutputFormat::Text)) };
    if format.needed_string("type")? != "json_schema" {
        return Err(format.wrong("type", "`json_schema`"));
    }
    let schema = format.needed_object("schema")?.into_value();
    note_rest(&format, notes);
    Ok((effort, OutputFormat::Schema { name: None, description: None, schema, strict: None }))
}

fn user(fields: &mut Fields, notes: &mut Notes) -> Result<Option<String>, Malformed> {
    let Some(mut metadata) = fields.object("metadata")? else { return Ok(None) };
    let user = metadata.string("user_id")?;
    if metadata.rest().next().is_some() {
        notes.hint("metadata");
    }
    Ok(user)
}
