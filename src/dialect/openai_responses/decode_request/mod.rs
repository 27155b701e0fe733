//! Reads a client's request.
//!
//! <https://platform.openai.com/docs/api-reference/responses/create>

mod input;
mod media;
mod tools;

use crate::canonical::{ChatRequest, Effort, OutputFormat, Reasoning};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

use input::Input;

/// What concerns cost, caches, accounting or a store, and not the answer. An answer is kept only to be asked for later, and
/// a conversation is cut short or summed up only where it would not fit: both end in an error that says so.
const HINTS: [&str; 13] = [
    "store",
    "metadata",
    "client_metadata",
    "service_tier",
    "stream_options",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "truncation",
    "context_management",
    "background_options",
    "image",
    "max_tool_calls",
];

/// What OpenAI does unless it is told otherwise.
const DEFAULTS: [(&str, &str); 4] = [
    ("service_tier", "auto"),
    ("service_tier", "default"),
    ("truncation", "disabled"),
    ("prompt_cache_retention", "in_memory"),
];

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, Malformed> {
    let mut fields = Fields::of_body(body)?;
    let mut notes = Notes::default();
    let mut input = Input::default();
    if let Some(instructions) = fields.string("instructions")? {
        input.instructions(instructions);
    }
    input.read(&mut fields, &mut notes)?;
    let mut request = ChatRequest {
        model: fields.string("model")?.unwrap_or_default(),
        stream: fields.boolean("stream")?.unwrap_or(false),
        include_usage: true,
        messages: input.into_messages(),
        tools: tools::read(&mut fields, &mut notes)?,
        tool_choice: tools::read_choice(&mut fields, &mut notes)?,
        parallel_tool_calls: fields.boolean("parallel_tool_calls")?,
        max_output_tokens: fields.count("max_output_tokens")?,
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        logprobs: read_logprobs(&mut fields, &mut notes)?,
        ..ChatRequest::default()
    };
    read_text(&mut fields, &mut request, &mut notes)?;
    request.reasoning = read_reasoning(&mut fields, &mut notes)?;
    let (user, safety_identifier) = (fields.string("user")?, fields.string("safety_identifier")?);
    request.user = safety_identifier.or(user);
    for (name, default) in DEFAULTS {
        fields.take_default(name, default);
    }
    notes.rest(&fields, &HINTS);
    request.unmapped = notes.into_list();
    Ok(request)
}

/// Probabilities are asked for by their number, or by name among what is to be included. Whatever else may be included comes
/// from tools of OpenAI's own, and of the thoughts the encrypted ones always are.
fn read_logprobs(fields: &mut Fields, notes: &mut Notes) -> Result<Option<u32>, Malformed> {
    let count = fields.count("top_logprobs")?.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let mut is_asked_for = count.is_some_and(|count| count > 0);
    for (index, name) in fields.strings("include")?.iter().enumerate() {
        match name.as_str() {
            "message.output_text.logprobs" => is_asked_for = true,
            "reasoning.encrypted_content" => {}
            _ => notes.hint(format!("include[{index}]")),
        }
    }
    Ok(is_asked_for.then_some(count.unwrap_or(0)))
}

fn read_text(fields: &mut Fields, request: &mut ChatRequest, notes: &mut Notes) -> Result<(), Malformed> {
    let Some(mut text) = fields.object("text")? else { return Ok(()) };
    request.verbosity = text.string("verbosity")?;
    if let Some(mut format) = text.object("format")? {
        match format.string("type")?.as_deref() {
            None | Some("text") => {}
            Some("json_object") => request.output = OutputFormat::Json,
            Some("json_schema") => {
                request.output = OutputFormat::Schema {
                    name: format.string("name")?,
                    description: format.string("description")?,
                    schema: format.take("schema").ok_or_else(|| format.wrong("schema", "a JSON Schema"))?,
                    strict: format.boolean("strict")?,
                }
            }
            Some(_) => notes.meaning("text.format"),
        }
        if request.output != OutputFormat::Text {
            notes.rest(&format, &[]);
        }
    }
    notes.rest(&text, &[]);
    Ok(())
}

fn read_reasoning(fields: &mut Fields, notes: &mut Notes) -> Result<Reasoning, Malformed> {
    let Some(mut told) = fields.object("reasoning")? else { return Ok(Reasoning::default()) };
    let mut reasoning = Reasoning::default();
    if let Some(word) = told.string("effort")? {
        let effort = Effort::parse(&word);
        let words = "one of none, minimal, low, medium, high, xhigh and max";
        reasoning.effort = Some(effort.ok_or_else(|| told.wrong("effort", words))?);
    }
    // `generate_summary` is what it was called at first.
    if let Some(summary) = told.string("summary")?.or(told.string("generate_summary")?) {
        reasoning.visible = Some(summary != "none");
        if summary == "concise" || summary == "detailed" {
            notes.hint("reasoning.summary");
        }
    }
    told.take_default("mode", "standard");
    told.take_default("context", "auto");
    notes.rest(&told, &["context"]);
    Ok(reasoning)
}
