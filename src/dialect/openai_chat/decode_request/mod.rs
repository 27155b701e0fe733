//! Reads a client's request.

mod fields;
mod messages;
mod parts;
mod reasoning;
mod tools;

use serde_json::{Map, Value};

use fields::{Fields, Notes};

use crate::canonical::{ChatRequest, OutputFormat, Reasoning, Weight};
use crate::dialect::Malformed;
use crate::dialect::request::read;

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
    let body: Map<String, Value> = read(body)?;
    let mut fields = Fields::new(body);
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
        stop: fields.texts("stop")?,
        logprobs: logprobs(&mut fields)?,
        output: output(&mut fields, &mut notes)?,
        reasoning: Reasoning::default(),
        verbosity: fields.string("verbosity")?,
        user: fields.string("safety_identifier")?.or(fields.string("user")?),
        unmapped: Vec::new(),
    };
    request.reasoning = reasoning::read(&mut fields, &mut notes)?;
    say_nothing_new(&mut fields)?;
    notes.leftovers(&fields, |name| if HINTS.contains(&name) { Weight::Hint } else { Weight::Meaning });
    request.unmapped = notes.into_list();
    Ok(request)
}

/// Takes those values that ask for what there is anyway.
fn say_nothing_new(fields: &mut Fields) -> Result<(), Malformed> {
    if fields.count("n")?.is_some_and(|choices| choices > 1) {
        fields.put_back("n", true.into());
    }
    if let Some(modalities) = fields.take("modalities").filter(|modalities| *modalities != Value::from(vec!["text"])) {
        fields.put_back("modalities", modalities);
    }
    Ok(())
}

fn include_usage(fields: &mut Fields, notes: &mut Notes) -> Result<bool, Malformed> {
    let Some(mut options) = fields.object("stream_options")? else { return Ok(false) };
    let include = options.boolean("include_usage")?.unwrap_or(false);
    notes.leftovers(&options, |_| Weight::Hint);
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
            let mut schema = format.object("json_schema")?.ok_or_else(|| format.wrong("json_schema", "an object"))?;
            let output = OutputFormat::Schema {
                name: schema.string("name")?,
                description: schema.string("description")?,
                schema: schema.take("schema").unwrap_or_else(|| Map::new().into()),
                strict: schema.boolean("strict")?,
            };
            notes.leftovers(&schema, |_| Weight::Meaning);
            output
        }
        "" => return Err(format.wrong("type", "\"text\", \"json_object\" or \"json_schema\"")),
        _ => {
            notes.meaning("response_format.type");
            return Ok(OutputFormat::Text);
        }
    };
    notes.leftovers(&format, |_| Weight::Meaning);
    Ok(output)
}
