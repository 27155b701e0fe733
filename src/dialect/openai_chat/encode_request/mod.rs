//! Writes a request, for OpenAI and for the many servers that call themselves compatible.

mod messages;
mod reasoning;
mod tools;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::canonical::{ChatRequest, Field, Losses, OutputFormat};
use crate::dialect::Recipient;

pub(super) fn encode(request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes {
    let mut body = Map::new();
    body.insert("model".to_owned(), to.model.into());
    body.insert("messages".to_owned(), messages::encode(request, to, losses).into());
    if request.stream {
        body.insert("stream".to_owned(), true.into());
        // Asked for whether or not the client wants it told: the log does.
        if to.quirks.chat.stream_options {
            body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
        }
    }
    tools::encode(request, to, losses, &mut body);
    settings(request, to, losses, &mut body);
    output(request, to, losses, &mut body);
    reasoning::encode(&request.reasoning, to, losses, &mut body);
    Bytes::from(Value::Object(body).to_string())
}

fn settings(request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>, body: &mut Map<String, Value>) {
    let quirks = &to.quirks.chat;
    let mut set = |name: Option<&'static str>, value: Option<Value>, field| match (name, value) {
        (Some(name), Some(value)) => {
            body.insert(name.to_owned(), value);
        }
        (None, Some(_)) => losses.meaning(field, "the model's provider has no such parameter"),
        (_, None) => {}
    };
    let if_known = |is_known: bool, name| is_known.then_some(name);
    set(Some(quirks.output_limit), request.max_output_tokens.map(Value::from), Field::MaxOutputTokens);
    set(Some("temperature"), request.temperature.map(Value::from), Field::Temperature);
    set(Some("top_p"), request.top_p.map(Value::from), Field::TopP);
    set(if_known(quirks.top_k, "top_k"), request.top_k.map(Value::from), Field::TopK);
    set(quirks.seed, request.seed.map(Value::from), Field::Seed);
    let presence = request.presence_penalty.map(Value::from);
    set(if_known(quirks.penalties, "presence_penalty"), presence, Field::PresencePenalty);
    let frequency = request.frequency_penalty.map(Value::from);
    set(if_known(quirks.penalties, "frequency_penalty"), frequency, Field::FrequencyPenalty);
    let stop = (!request.stop.is_empty()).then(|| Value::from(request.stop.clone()));
    set(Some("stop"), stop, Field::Stop);
    set(if_known(quirks.logprobs, "logprobs"), request.logprobs.map(|_| true.into()), Field::Logprobs);
    if let Some(top) = request.logprobs.filter(|top| quirks.logprobs && *top > 0) {
        body.insert("top_logprobs".to_owned(), top.into());
    }
    let comforts = [
        (if_known(quirks.verbosity, "verbosity"), &request.verbosity, Field::Verbosity),
        (quirks.user, &request.user, Field::User),
    ];
    for (name, value, field) in comforts {
        match (name, value) {
            (Some(name), Some(value)) => {
                body.insert(name.to_owned(), value.as_str().into());
            }
            (None, Some(_)) => losses.hint(field, "the model's provider has no such parameter"),
            (_, None) => {}
        }
    }
}

fn output(request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>, body: &mut Map<String, Value>) {
    let format = match &request.output {
        OutputFormat::Text => return,
        OutputFormat::Json => json!({ "type": "json_object" }),
        OutputFormat::Schema { .. } if !to.quirks.chat.json_schema => {
            losses
                .meaning(Field::Output, "the model's provider takes no JSON Schema; it is asked for some JSON object");
            json!({ "type": "json_object" })
        }
        OutputFormat::Schema { name, description, schema, strict } => {
            let mut told = Map::new();
            // A name is demanded.
            told.insert("name".to_owned(), name.as_deref().unwrap_or("response").into());
            if let Some(description) = description {
                told.insert("description".to_owned(), description.as_str().into());
            }
            told.insert("schema".to_owned(), schema.clone());
            if let Some(strict) = strict {
                told.insert("strict".to_owned(), (*strict).into());
            }
            json!({ "type": "json_schema", "json_schema": told })
        }
    };
    body.insert("response_format".to_owned(), format);
}
