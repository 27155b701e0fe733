//! Writes a request for `/api/chat`.

use std::sync::LazyLock;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::encode_messages::{self, Message};
use crate::canonical::{ChatRequest, Effort, Field, Losses, OutputFormat, Reasoning, ToolChoice, ToolInput};
use crate::dialect::Recipient;

#[derive(Debug, Serialize)]
struct Wire<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
    #[serde(skip_serializing_if = "Options::is_empty")]
    options: Options<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: &'a Value,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Format<'a> {
    Word(&'static str),
    Schema(&'a Value),
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Think {
    Switch(bool),
    Level(&'static str),
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Options<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
}

impl Options<'_> {
    fn is_empty(&self) -> bool {
        *self == Options::default()
    }
}

pub(super) fn encode(request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes {
    let wire = Wire {
        model: to.model,
        messages: encode_messages::encode(&request.messages, losses),
        stream: request.stream,
        tools: tools(request, losses),
        format: format(&request.output, losses),
        think: think(&request.reasoning, losses),
        options: Options {
            num_predict: request.max_output_tokens,
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: request.top_k,
            seed: request.seed,
            presence_penalty: request.presence_penalty,
            frequency_penalty: request.frequency_penalty,
            stop: &request.stop,
        },
        logprobs: request.logprobs.map(|_| true),
        top_logprobs: request.logprobs.filter(|top| *top > 0).map(|top| top_logprobs(top, losses)),
    };
    if request.parallel_tool_calls == Some(false) {
        losses.hint(Field::ParallelToolCalls, "Ollama cannot keep a model from calling several tools at once");
    }
    if request.verbosity.as_ref().is_some_and(|verbosity| verbosity != "medium") {
        losses.hint(Field::Verbosity, "Ollama cannot be told how long an answer should be");
    }
    if request.user.is_some() {
        losses.hint(Field::User, "Ollama does not ask whose request it is");
    }
    Bytes::from(serde_json::to_vec(&wire).expect("texts, numbers and JSON are JSON"))
}

/// Ollama answers more with an error.
fn top_logprobs(top: u32, losses: &mut Losses<'_>) -> u32 {
    if top > 20 {
        losses.hint(Field::Logprobs, "Ollama tells 20 alternatives at most, so it is asked for 20");
    }
    top.min(20)
}

/// The parameters of a tool that takes none.
static NO_PARAMETERS: LazyLock<Value> = LazyLock::new(|| json!({ "type": "object", "properties": {} }));

/// The tools that the model may choose from. It cannot be made to call one, but what it is not told of it cannot call.
fn tools<'a>(request: &'a ChatRequest, losses: &mut Losses<'_>) -> Vec<Tool<'a>> {
    let is_offered = |name: &String| match &request.tool_choice {
        Some(ToolChoice::None) => false,
        Some(ToolChoice::Allowed { names, .. }) => names.contains(name),
        _ => true,
    };
    match &request.tool_choice {
        Some(ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Allowed { required: true, .. }) => {
            losses.meaning(Field::ToolChoice, "Ollama cannot make a model call a tool");
        }
        Some(ToolChoice::Allowed { .. }) => {
            losses.hint(Field::ToolChoice, "Ollama has no tool choice, so it is told of the allowed tools alone");
        }
        Some(ToolChoice::Auto | ToolChoice::None) | None => {}
    }
    let mut tools = Vec::new();
    for tool in request.tools.iter().filter(|tool| is_offered(&tool.name)) {
        let (name, description) = (&*tool.name, tool.description.as_deref());
        match &tool.input {
            ToolInput::Json { schema, strict } => {
                if *strict == Some(true) {
                    losses.hint(Field::Tools, "Ollama does not hold a model to the schema of a tool");
                }
                let parameters = schema.as_ref().unwrap_or(&NO_PARAMETERS);
                tools.push(Tool { r#type: "function", function: Function { name, description, parameters } });
            }
            ToolInput::Text { .. } => losses.meaning(Field::Tools, "Ollama has no tools that take a text"),
        }
    }
    tools
}

fn format<'a>(output: &'a OutputFormat, losses: &mut Losses<'_>) -> Option<Format<'a>> {
    match output {
        OutputFormat::Text => None,
        OutputFormat::Json => Some(Format::Word("json")),
        OutputFormat::Schema { schema, description, .. } => {
            if description.is_some() {
                losses.hint(Field::Output, "Ollama takes a schema without a description of it");
            }
            Some(Format::Schema(schema))
        }
    }
}

/// Whether and how hard to think. A model that cannot think answers with an error if it is to, so whoever said nothing but how
/// thoughts are to be told has asked for none.
fn think(reasoning: &Reasoning, losses: &mut Losses<'_>) -> Option<Think> {
    let effort = reasoning.as_effort()?;
    if effort != Effort::None && reasoning.visible == Some(false) {
        losses.hint(Field::Reasoning, "Ollama tells the thoughts of a model that thinks");
    }
    if reasoning.effort.is_none() && reasoning.budget_tokens.is_some_and(|tokens| tokens > 0) {
        losses.hint(Field::Reasoning, "Ollama counts no tokens of thought, so it is told to think and no more");
    }
    Some(match effort {
        Effort::None => Think::Switch(false),
        // Not all models know levels.
        _ if reasoning.effort.is_none() => Think::Switch(true),
        Effort::Minimal | Effort::Low => Think::Level("low"),
        Effort::Medium => Think::Level("medium"),
        Effort::High | Effort::XHigh => Think::Level("high"),
        Effort::Max => Think::Level("max"),
    })
}
