//! Writes a request for an upstream.
//!
//! <https://docs.claude.com/en/api/messages>

mod calls;
pub(super) mod generation;
mod media;
mod messages;
mod schema;
mod thinking;
mod tools;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::canonical::{ChatRequest, Field, Losses, OutputFormat};
use crate::dialect::Recipient;
use generation::Generation;
use messages::Conversation;
use thinking::Thinking;

/// What a model is told that is to answer in JSON and cannot be held to it.
const ANSWER_IN_JSON: &str = "Answer with one JSON object and nothing else: no words around it, no code fence.";

/// The longest name of a user that is taken.
const MAX_USER: usize = 256;

pub(super) fn encode(request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes {
    let generation = Generation::of(to.model);
    let mut conversation = messages::encode(request, to, losses);
    let tools = tools::encode(request, generation, losses);
    let choice = tools::choice(request, &tools, losses);
    let max_tokens = request.max_output_tokens.unwrap_or_else(|| to.quirks.max_output_tokens(to.model));
    let is_forced = choice.as_ref().is_some_and(tools::forces);
    let thinking = thinking::encode(request, generation, max_tokens, &conversation, is_forced, losses);
    let format = output_format(request, generation, &mut conversation, losses);

    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    set("model", Some(to.model.into()));
    set("max_tokens", Some(max_tokens.into()));
    set("system", conversation.system().map(Value::from));
    set("messages", Some(conversation.into_messages()));
    set("tools", (!tools.is_empty()).then(|| tools.into()));
    set("tool_choice", choice);
    set("output_config", output_config(&thinking, format));
    for (name, value) in sampling(request, generation, thinking.is_on, losses) {
        set(name, Some(value));
    }
    set("thinking", thinking.config);
    set("stop_sequences", stop_sequences(request, losses));
    set("metadata", metadata(request, losses));
    set("stream", request.stream.then_some(true.into()));
    note_foreign(request, losses);
    serde_json::to_vec(&body).expect("values are JSON").into()
}

fn output_config(thinking: &Thinking, format: Option<Value>) -> Option<Value> {
    let mut config = Map::new();
    if let Some(effort) = thinking.effort {
        config.insert("effort".to_owned(), effort.into());
    }
    if let Some(format) = format {
        config.insert("format".to_owned(), format);
    }
    (!config.is_empty()).then_some(config.into())
}

/// What the answer must be. Anthropic holds a model to a schema or to nothing.
fn output_format(
    request: &ChatRequest,
    generation: Generation,
    conversation: &mut Conversation,
    losses: &mut Losses<'_>,
) -> Option<Value> {
    match &request.output {
        OutputFormat::Text => None,
        OutputFormat::Json => {
            conversation.instruct(ANSWER_IN_JSON);
            losses.hint(Field::Output, "Anthropic Messages has no JSON mode; the model is asked to answer in JSON");
            None
        }
        OutputFormat::Schema { schema, .. } if generation.keeps_schemas() => {
            Some(json!({ "type": "json_schema", "schema": schema::closed(schema) }))
        }
        OutputFormat::Schema { .. } => {
            losses.meaning(Field::Output, "this model cannot be held to a schema");
            None
        }
    }
}

/// How the model samples. Thinking is incompatible with almost all of it, and new models choose for themselves.
fn sampling(
    request: &ChatRequest,
    generation: Generation,
    thinks: bool,
    losses: &mut Losses<'_>,
) -> Vec<(&'static str, Value)> {
    let why = if generation.takes_sampling() {
        thinks.then_some("a model that thinks samples as it likes")
    } else {
        Some("this model samples as it likes")
    };
    // 1 is what it is anyway.
    let top_p = request.top_p.filter(|top_p| *top_p != 1.0);
    if let Some(why) = why {
        let is_said = [
            (request.temperature.is_some_and(|temperature| temperature != 1.0), Field::Temperature),
            (top_p.is_some(), Field::TopP),
            (request.top_k.is_some(), Field::TopK),
        ];
        is_said.into_iter().filter(|(is_said, _)| *is_said).for_each(|(_, field)| losses.hint(field, why));
        return Vec::new();
    }
    let mut said = Vec::new();
    if let Some(temperature) = request.temperature {
        if !(0.0..=1.0).contains(&temperature) {
            losses.hint(Field::Temperature, "temperatures end at 1 in Anthropic Messages; 1 is asked for");
        }
        said.push(("temperature", temperature.clamp(0.0, 1.0).into()));
    }
    if let Some(top_p) = top_p {
        if request.temperature.is_some() && generation.takes_one_sampler() {
            losses.hint(Field::TopP, "this model takes a temperature or a nucleus, and not both");
        } else {
            said.push(("top_p", top_p.into()));
        }
    }
    said.extend(request.top_k.map(|top_k| ("top_k", top_k.into())));
    said
}

/// Anthropic refuses stops of white space only. An empty one stops nothing.
fn stop_sequences(request: &ChatRequest, losses: &mut Losses<'_>) -> Option<Value> {
    let (texts, blank): (Vec<&String>, Vec<&String>) =
        request.stop.iter().filter(|text| !text.is_empty()).partition(|text| !text.trim().is_empty());
    if !blank.is_empty() {
        losses.meaning(Field::Stop, "Anthropic Messages does not stop at white space");
    }
    (!texts.is_empty()).then(|| json!(texts))
}

fn metadata(request: &ChatRequest, losses: &mut Losses<'_>) -> Option<Value> {
    let user = request.user.as_deref().filter(|user| !user.is_empty())?;
    if user.len() > MAX_USER {
        losses.hint(Field::User, format!("Anthropic Messages takes names of up to {MAX_USER} letters"));
        return None;
    }
    Some(json!({ "user_id": user }))
}

/// What Anthropic Messages has no word for.
fn note_foreign(request: &ChatRequest, losses: &mut Losses<'_>) {
    let is_said = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let foreign = [
        (request.seed.is_some(), Field::Seed, "seed"),
        (is_said(request.presence_penalty), Field::PresencePenalty, "presence penalty"),
        (is_said(request.frequency_penalty), Field::FrequencyPenalty, "frequency penalty"),
        (request.logprobs.is_some(), Field::Logprobs, "token probabilities"),
    ];
    for (_, field, what) in foreign.into_iter().filter(|(is_said, ..)| *is_said) {
        losses.meaning(field, format!("Anthropic Messages has no {what}"));
    }
    if request.verbosity.as_deref().is_some_and(|verbosity| verbosity != "medium") {
        losses.hint(Field::Verbosity, "Anthropic Messages has no such parameter");
    }
}
