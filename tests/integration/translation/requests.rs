//! What an upstream is asked in another dialect: a request that its own dialect allows, which asks the same, but for what is
//! among the losses.

use sluicegate::canonical::{
    ChatRequest, Field, Loss, Losses, OutputFormat, Part, Tool, ToolChoice, ToolInput, Weight,
};
use sluicegate::dialect::{Dialect, Quirks, Recipient, Shape};

use super::assert_none;
use super::conversation::said;
use super::snapshots::assert_snapshot;
use crate::support::grammar::check_request;
use crate::support::translation::{PROVIDER, all};
use crate::support::{Recording, fixture};

/// A recorded request.
pub struct Asked {
    pub file: String,
    dialect: &'static dyn Dialect,
    pub request: ChatRequest,
}

/// Every recorded request of every dialect, as it is understood.
pub fn recorded() -> impl Iterator<Item = Asked> {
    let requests = Recording::all().into_iter().filter_map(|recording| recording.request);
    requests.map(|file| {
        let body = fixture(&file);
        asked(file, &body)
    })
}

/// Requests that ask for all that a dialect can.
fn demanding() -> impl Iterator<Item = Asked> {
    let files = [
        ("openai-chat/all", include_str!("asked/openai-chat.json")),
        ("openai-chat/custom-tools", include_str!("asked/openai-chat.custom-tools.json")),
        ("openai-responses/all", include_str!("asked/openai-responses.json")),
        ("anthropic/all", include_str!("asked/anthropic.json")),
        ("anthropic/sampling", include_str!("asked/anthropic.sampling.json")),
        ("gemini/all", include_str!("asked/gemini.json")),
        ("ollama/all", include_str!("asked/ollama.json")),
    ];
    files.into_iter().map(|(file, body)| asked(file.to_owned(), body))
}

fn asked(file: String, body: &str) -> Asked {
    let dialect = all().find(|dialect| file.starts_with(dialect.name())).unwrap();
    let shape = if body.contains("\"prompt\"") { Shape::Completion } else { Shape::Chat };
    let request = dialect.decode_request(shape, body.as_bytes());
    let request = request.unwrap_or_else(|error| panic!("{file}: {error:?}"));
    Asked { file, dialect, request }
}

/// `request` as a provider that speaks `to` is asked it, and what is lost of it, by the names of the fields.
pub fn ask(request: &ChatRequest, to: &dyn Dialect) -> (String, Vec<Loss>) {
    let name = |field: Field| field_name(field);
    let mut losses = Losses::new(&name);
    let recipient = Recipient { model: "their-model", provider: PROVIDER, quirks: &Quirks::NONE };
    let body = to.encode_request(request, &recipient, &mut losses);
    (String::from_utf8(body.to_vec()).unwrap(), losses.into_list())
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::Messages => "messages",
        Field::Tools => "tools",
        Field::ToolChoice => "tool_choice",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::MaxOutputTokens => "max_output_tokens",
        Field::Temperature => "temperature",
        Field::TopP => "top_p",
        Field::TopK => "top_k",
        Field::Seed => "seed",
        Field::PresencePenalty => "presence_penalty",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::Stop => "stop",
        Field::Logprobs => "logprobs",
        Field::Output => "output",
        Field::Reasoning => "reasoning",
        Field::Verbosity => "verbosity",
        Field::User => "user",
    }
}

/// Every field of `request` as text, so that what means the same reads the same.
fn fields(request: &ChatRequest) -> Vec<(&'static str, String)> {
    let (callable, must) = callable(request);
    let tools = request.tools.iter().filter(|tool| callable.contains(&tool.name));
    let description = |tool: &Tool| tool.description.clone().unwrap_or_default();
    let tools = tools.map(|tool| format!("{} {:?} {}", tool.name, description(tool), input(tool)));
    let output = match &request.output {
        OutputFormat::Schema { schema, .. } => format!("schema {schema}"),
        other => format!("{other:?}"),
    };
    vec![
        ("messages", said(&request.messages)),
        ("tools", tools.collect::<Vec<_>>().join("\n")),
        ("tool_choice", format!("{must} {}", callable.join(" "))),
        ("parallel_tool_calls", format!("{}", request.parallel_tool_calls != Some(false))),
        ("max_output_tokens", format!("{:?}", request.max_output_tokens)),
        ("temperature", format!("{:?}", request.temperature)),
        ("top_p", format!("{:?}", request.top_p)),
        ("top_k", format!("{:?}", request.top_k)),
        ("seed", format!("{:?}", request.seed)),
        ("presence_penalty", format!("{:?}", request.presence_penalty)),
        ("frequency_penalty", format!("{:?}", request.frequency_penalty)),
        ("stop", format!("{:?}", request.stop)),
        ("logprobs", format!("{:?}", request.logprobs)),
        ("output", output),
        ("reasoning", format!("{:?}", request.reasoning.as_effort())),
        ("verbosity", format!("{:?}", request.verbosity)),
        ("user", format!("{:?}", request.user)),
    ]
}

/// The tools that the model may call, and whether it must.
fn callable(request: &ChatRequest) -> (Vec<String>, bool) {
    let all = || request.tools.iter().map(|tool| tool.name.clone()).collect();
    match &request.tool_choice {
        None | Some(ToolChoice::Auto) => (all(), false),
        Some(ToolChoice::None) => (Vec::new(), false),
        Some(ToolChoice::Required) => (all(), true),
        Some(ToolChoice::Tool(name)) => (vec![name.clone()], true),
        Some(ToolChoice::Allowed { required, names }) => (names.clone(), *required),
    }
}

/// What a tool takes; no schema is that of an object without fields.
fn input(tool: &Tool) -> String {
    match &tool.input {
        ToolInput::Text { format } => format!("text {format:?}"),
        ToolInput::Json { schema, .. } => {
            let mut schema = schema.clone().unwrap_or_else(|| serde_json::json!({}));
            if let Some(schema) = schema.as_object_mut() {
                schema.entry("type").or_insert("object".into());
                schema.entry("properties").or_insert(serde_json::json!({}));
                schema.sort_keys();
            }
            format!("json {schema}")
        }
    }
}

/// Fields that a dialect demands or wants otherwise, without another meaning.
fn is_put_otherwise(to: &str, field: &str, before: &str, request: &ChatRequest) -> bool {
    match (to, field) {
        ("anthropic", "max_output_tokens") => before == "None",
        // Asked for in words where there is no field for it.
        ("anthropic", "messages") => request.output == OutputFormat::Json,
        // Results that are no texts, or failures, where results are texts that cannot fail.
        ("openai-chat" | "openai-responses", "messages") => has_odd_results(request),
        // That is how models that think have it, and they refuse to be told.
        ("anthropic", "temperature") => request.temperature == Some(1.0) && !request.reasoning.is_off(),
        _ => false,
    }
}

fn has_odd_results(request: &ChatRequest) -> bool {
    request.messages.iter().flat_map(|message| &message.parts).any(|part| match part {
        Part::ToolResult(result) => result.is_error || result.parts.iter().any(|part| !matches!(part, Part::Text(_))),
        _ => false,
    })
}

/// A conversation that Anthropic refuses: it does not begin with its user.
const BEGINS_WITH_THE_MODEL: &str = "ollama/nonstream-tool-history.request.json";

#[test]
fn every_request_is_one_in_every_other_dialect() {
    let mut faults = Vec::new();
    for asked in recorded().chain(demanding()) {
        for to in all().filter(|to| *to != asked.dialect) {
            let (body, _) = ask(&asked.request, to);
            let is_refused = to.name() == "anthropic" && asked.file == BEGINS_WITH_THE_MODEL;
            if let Err(fault) =
                check_request(to.name(), &body).or_else(|fault| if is_refused { Ok(()) } else { Err(fault) })
            {
                let fault: String = fault.chars().take(700).collect();
                faults.push(format!("{} to {}: {fault}", asked.file, to.name()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_request_asks_the_same_in_every_other_dialect_but_for_the_losses() {
    let mut faults = Vec::new();
    for asked in recorded().chain(demanding()) {
        for to in all().filter(|to| *to != asked.dialect) {
            let (body, losses) = ask(&asked.request, to);
            let again = match to.decode_request(Shape::Chat, body.as_bytes()) {
                Ok(again) => again,
                Err(error) => {
                    faults.push(format!("{} to {}: {error:?}: {body}", asked.file, to.name()));
                    continue;
                }
            };
            let (before, after) = (fields(&asked.request), fields(&again));
            for ((field, before), (_, after)) in before.into_iter().zip(after) {
                // What is lost of the tools is lost of the choice between them, and the other way round.
                let is_of_tools = |name: &str| ["tools", "tool_choice"].contains(&name);
                let is_lost =
                    losses.iter().any(|loss| loss.param == field || (is_of_tools(&loss.param) && is_of_tools(field)));
                if before != after && !is_lost && !is_put_otherwise(to.name(), field, &before, &asked.request) {
                    faults.push(format!("{} to {}: {field}:\n  {before}\n  {after}", asked.file, to.name()));
                }
            }
            if again.unmapped.iter().any(|unmapped| unmapped.weight == Weight::Meaning) {
                faults.push(format!("{} to {}: {:?} in {body}", asked.file, to.name(), again.unmapped));
            }
        }
    }
    assert_none(&faults);
}

/// What is lost of each request, for people to judge.
#[test]
fn what_is_lost_of_requests_is_what_was_reviewed() {
    let mut lines = Vec::new();
    for asked in recorded().chain(demanding()) {
        for unmapped in &asked.request.unmapped {
            lines.push(format!("{}: {} is not understood ({:?})", asked.file, unmapped.param, unmapped.weight));
        }
        for to in all().filter(|to| *to != asked.dialect) {
            for Loss { param, weight, why } in ask(&asked.request, to).1 {
                lines.push(format!("{} to {}: {param} ({weight:?}): {why}", asked.file, to.name()));
            }
        }
    }
    assert_snapshot("losses.txt", &(lines.join("\n") + "\n"));
}
