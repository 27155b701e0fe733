//! Reads a client's request.

mod messages;
mod parts;
mod reasoning;
mod tools;

use serde_json::{Map, json};

use crate::canonical::{ChatRequest, OutputFormat, Reasoning};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

/// What concerns cost, accounting, caches, speed or comfort, and never the answer.
const HINTS: [&str; 8] = [
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "provider",
    "service_tier",
    "store",
];

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, Malformed> {
    let mut fields = Fields::of_body(body)?;
    let mut notes = Notes::default();
    if !fields.has("messages") && fields.has("prompt") {
        return Err(Malformed {
            message:
                "Legacy completions are not translated, and the provider of this model speaks another dialect. Send \
                      `messages` to /v1/chat/completions."
                    .to_owned(),
            param: Some("prompt"),
        });
    }
    let mut request = ChatRequest {
        model: fields.string("model")?.unwrap_or_default(),
        stream: fields.boolean("stream")?.unwrap_or(false),
        include_usage: include_usage(&mut fields, &mut notes)?,
        messages: messages::read(&mut fields, &mut notes)?,
        tools: tools::read(&mut fields, &mut notes)?,
        tool_choice: tools::choice(&mut fields, &mut notes)?,
        parallel_tool_calls: fields.boolean("parallel_tool_calls")?,
        max_output_tokens: fields.count("max_completion_tokens")?.or(fields.count("max_tokens")?),
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.count("top_k")?,
        seed: fields.integer("seed")?,
        presence_penalty: fields.number("presence_penalty")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        stop: fields.string_or_strings("stop")?,
        logprobs: logprobs(&mut fields)?,
        output: output(&mut fields, &mut notes)?,
        reasoning: Reasoning::default(),
        verbosity: fields.string("verbosity")?,
        user: fields.string("safety_identifier")?.or(fields.string("user")?),
        unmapped: Vec::new(),
    };
    request.reasoning = reasoning::read(&mut fields, &mut notes)?;
    if fields.count("n")?.is_some_and(|choices| choices > 1) {
        notes.meaning("n");
    }
    fields.take_default("modalities", &json!(["text"]));
    notes.rest(&fields, &HINTS);
    request.unmapped = notes.into_list();
    Ok(request)
}

/// Notes what has not been taken of `fields`, none of which changes the answer.
fn note_hints(fields: &Fields, notes: &mut Notes) {
    for name in fields.rest() {
        notes.hint(fields.path_of(name));
    }
}

fn include_usage(fields: &mut Fields, notes: &mut Notes) -> Result<bool, Malformed> {
    let Some(mut options) = fields.object("stream_options")? else { return Ok(false) };
    let include = options.boolean("include_usage")?.unwrap_or(false);
    note_hints(&options, notes);
    Ok(include)
}

fn logprobs(fields: &mut Fields) -> Result<Option<u32>, Malformed> {
    let top = fields.count("top_logprobs")?;
    match (fields.boolean("logprobs")?.unwrap_or(false), top) {
        (true, top) => Ok(Some(top.and_then(|top| u32::try_from(top).ok()).unwrap_or(0))),
        (false, None | Some(0)) => Ok(None),
        (false, Some(_)) => Err(Malformed {
            message: "`top_logprobs` needs `logprobs` to be true.".to_owned(),
            param: Some("top_logprobs"),
        }),
    }
}

fn output(fields: &mut Fields, notes: &mut Notes) -> Result<OutputFormat, Malformed> {
    let Some(mut format) = fields.object("response_format")? else { return Ok(OutputFormat::Text) };
    let kind = format.string("type")?.unwrap_or_default();
    let output = match &*kind {
        "text" => OutputFormat::Text,
        // llama.cpp and Together take a schema here, too.
        "json_object" => match format.take("schema") {
            Some(schema) => OutputFormat::Schema { name: None, description: None, schema, strict: None },
            None => OutputFormat::Json,
        },
        "json_schema" => {
            let mut schema = format.needed_object("json_schema")?;
            let output = OutputFormat::Schema {
                name: schema.string("name")?,
                description: schema.string("description")?,
                schema: schema.take("schema").unwrap_or_else(|| Map::new().into()),
                strict: schema.boolean("strict")?,
            };
            notes.rest(&schema, &[]);
            output
        }
        "" => return Err(format.wrong("type", "\"text\", \"json_object\" or \"json_schema\"")),
        _ => {
            notes.meaning("response_format.type");
            return Ok(OutputFormat::Text);
        }
    };
    notes.rest(&format, &[]);
    Ok(output)
}
