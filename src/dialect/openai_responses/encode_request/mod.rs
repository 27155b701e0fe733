//! Writes a request for an upstream.
//!
//! <https://platform.openai.com/docs/api-reference/responses/create>

mod calls;
mod input;
mod media;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::settings;
use crate::canonical::{ChatRequest, Field, Losses, Message, OutputFormat, Part, Text, ids};
use crate::dialect::Recipient;

use input::Items;

/// Below this OpenAI takes no limit.
const MIN_OUTPUT_TOKENS: u64 = 16;
/// As many alternatives does OpenAI tell.
const MAX_TOP_LOGPROBS: u32 = 20;
/// As long may the name of a user be.
const MAX_USER_LENGTH: usize = 64;

pub(super) fn encode(request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    let (instructions, spoken) = split(request);
    set("model", json!(to.model));
    if let Some(instructions) = instructions {
        set("instructions", json!(instructions));
    }
    let items = Items::read(&request.messages[spoken..], to, losses);
    let has_seals = items.has_seals();
    set("input", Value::Array(items.into_list()));
    if !request.tools.is_empty() {
        // Strict unless it says otherwise, which elsewhere a tool that says nothing is not.
        let tools = request.tools.iter().map(|tool| settings::tool(tool, Some(false)));
        set("tools", Value::Array(tools.collect()));
        if let Some(choice) = &request.tool_choice {
            set("tool_choice", settings::tool_choice(choice, &request.tools));
        }
        if let Some(parallel) = request.parallel_tool_calls {
            set("parallel_tool_calls", json!(parallel));
        }
    }
    if let Some(tokens) = request.max_output_tokens {
        if tokens < MIN_OUTPUT_TOKENS {
            losses.hint(Field::MaxOutputTokens, format!("OpenAI Responses takes no limit below {MIN_OUTPUT_TOKENS}"));
        }
        set("max_output_tokens", json!(tokens.max(MIN_OUTPUT_TOKENS)));
    }
    for (name, value) in [("temperature", request.temperature), ("top_p", request.top_p)] {
        if let Some(value) = value {
            set(name, json!(value));
        }
    }
    set_text(request, &mut set);
    let mut include = Vec::new();
    if let Some(count) = request.logprobs {
        include.push("message.output_text.logprobs");
        if count > MAX_TOP_LOGPROBS {
            losses.hint(Field::Logprobs, format!("OpenAI Responses tells {MAX_TOP_LOGPROBS} alternatives at most"));
        }
        set("top_logprobs", json!(count.min(MAX_TOP_LOGPROBS)));
    }
    // Models that do not think refuse to be asked for it.
    let thinks = has_seals || !(request.reasoning.is_unset() || request.reasoning.is_off());
    if thinks {
        include.push("reasoning.encrypted_content");
    }
    if !include.is_empty() {
        set("include", json!(include));
    }
    if let Some(reasoning) = reasoning(request, losses) {
        set("reasoning", reasoning);
    }
    if let Some(user) = &request.user {
        set("safety_identifier", json!(ids::fit(user, "", 32, |user| user.len() <= MAX_USER_LENGTH)));
    }
    set("stream", json!(request.stream));
    // The conversation is the client's to keep.
    set("store", json!(false));
    lose(request, losses);
    Value::Object(body).to_string().into()
}

/// The instructions that the conversation begins with, and how many messages they are. For an answer in JSON they stay in
/// the conversation: OpenAI looks there, and only there, for the word.
fn split(request: &ChatRequest) -> (Option<String>, usize) {
    let is_text = |message: &&Message| message.parts.iter().all(|part| matches!(part, Part::Text(_)));
    let leading = request.split_instructions().0.iter().take_while(is_text);
    let count = if request.output == OutputFormat::Json { 0 } else { leading.count() };
    let texts = request.messages[..count].iter().flat_map(|message| &message.parts).filter_map(|part| match part {
        Part::Text(Text { text, .. }) if !text.is_empty() => Some(&**text),
        _ => None,
    });
    let texts: Vec<&str> = texts.collect();
    ((!texts.is_empty()).then(|| texts.join("\n\n")), count)
}

fn set_text(request: &ChatRequest, set: &mut impl FnMut(&str, Value)) {
    let mut text = Map::new();
    if let Some(format) = settings::text_format(&request.output) {
        text.insert("format".to_owned(), format);
    }
    if let Some(verbosity) = &request.verbosity {
        text.insert("verbosity".to_owned(), json!(verbosity));
    }
    if !text.is_empty() {
        set("text", Value::Object(text));
    }
}

fn reasoning(request: &ChatRequest, losses: &mut Losses<'_>) -> Option<Value> {
    let asked = &request.reasoning;
    let mut told = Map::new();
    if let Some(effort) = asked.as_effort() {
        if asked.effort.is_none() && asked.budget_tokens.is_some_and(|tokens| tokens > 0) {
            losses.hint(
                Field::Reasoning,
                format!("OpenAI Responses takes a word for it instead of a number of tokens: {}", effort.as_str()),
            );
        }
        told.insert("effort".to_owned(), json!(effort.as_str()));
    }
    if let Some(summary) = settings::summary(request).filter(|_| !asked.is_off()) {
        told.insert("summary".to_owned(), json!(summary));
    }
    (!told.is_empty()).then_some(Value::Object(told))
}

/// What the dialect has no words for.
fn lose(request: &ChatRequest, losses: &mut Losses<'_>) {
    let unsaid = [
        (request.top_k.is_some(), Field::TopK, "OpenAI Responses has no top_k"),
        (request.seed.is_some(), Field::Seed, "OpenAI Responses has no seed"),
        (!request.stop.is_empty(), Field::Stop, "OpenAI Responses has no stop sequences"),
        (is_some(request.presence_penalty), Field::PresencePenalty, "OpenAI Responses has no penalties"),
        (is_some(request.frequency_penalty), Field::FrequencyPenalty, "OpenAI Responses has no penalties"),
    ];
    for (_, field, why) in unsaid.into_iter().filter(|(is_asked_for, ..)| *is_asked_for) {
        losses.meaning(field, why);
    }
}

/// A penalty of nothing is none.
fn is_some(penalty: Option<f64>) -> bool {
    penalty.is_some_and(|penalty| penalty != 0.0)
}
