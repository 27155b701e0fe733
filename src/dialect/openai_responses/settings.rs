//! What a request asks for, in the dialect's words: sent to an upstream, and told to a client beside the answer.

use serde_json::{Map, Value, json};

use crate::canonical::{ChatRequest, OutputFormat, Part, Role, Tool, ToolChoice, ToolInput};

/// A tool. They are flat here, and strict unless they say otherwise: so they always do.
pub(super) fn tool(tool: &Tool, default_strict: Option<bool>) -> Value {
    let mut told = Map::new();
    let kind = kind_of(&tool.input);
    told.insert("type".to_owned(), json!(kind));
    told.insert("name".to_owned(), json!(tool.name));
    if let Some(description) = &tool.description {
        told.insert("description".to_owned(), json!(description));
    }
    match &tool.input {
        ToolInput::Json { schema, strict } => {
            let nothing = || json!({ "type": "object", "properties": {} });
            told.insert("parameters".to_owned(), schema.clone().unwrap_or_else(nothing));
            told.insert("strict".to_owned(), json!(strict.or(default_strict)));
        }
        ToolInput::Text { format: Some(format) } => {
            told.insert("format".to_owned(), flat(format));
        }
        ToolInput::Text { format: None } => {}
    }
    Value::Object(told)
}

fn kind_of(input: &ToolInput) -> &'static str {
    match input {
        ToolInput::Json { .. } => "function",
        ToolInput::Text { .. } => "custom",
    }
}

/// A grammar as Responses has it: Chat has its members in an object of their own.
fn flat(format: &Value) -> Value {
    let Some(Value::Object(grammar)) = format.get("grammar") else { return format.clone() };
    let mut flat = Map::new();
    flat.insert("type".to_owned(), json!("grammar"));
    flat.extend(grammar.clone());
    Value::Object(flat)
}

/// A grammar as Chat has it, which is how [`ToolInput::Text`] has it.
pub(super) fn nested(format: &Value) -> Value {
    match format {
        Value::Object(flat) if flat.contains_key("definition") => {
            let members =
                flat.iter().filter(|(name, _)| *name != "type").map(|(name, value)| (name.clone(), value.clone()));
            json!({ "type": "grammar", "grammar": members.collect::<Map<_, _>>() })
        }
        other => other.clone(),
    }
}

/// Which tools the model must or must not call.
pub(super) fn tool_choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    let named = |name: &String| {
        let tool = tools.iter().find(|tool| tool.name == *name);
        json!({ "type": tool.map_or("function", |tool| kind_of(&tool.input)), "name": name })
    };
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => named(name),
        ToolChoice::Allowed { required, names } => json!({
            "type": "allowed_tools",
            "mode": if *required { "required" } else { "auto" },
            "tools": names.iter().map(named).collect::<Vec<_>>(),
        }),
    }
}

/// What the text must be, if it must be anything: `text.format`.
pub(super) fn text_format(output: &OutputFormat) -> Option<Value> {
    match output {
        OutputFormat::Text => None,
        OutputFormat::Json => Some(json!({ "type": "json_object" })),
        OutputFormat::Schema { name, description, schema, strict } => {
            let mut format = Map::new();
            format.insert("type".to_owned(), json!("json_schema"));
            format.insert("name".to_owned(), json!(name.as_deref().unwrap_or("response")));
            if let Some(description) = description {
                format.insert("description".to_owned(), json!(description));
            }
            format.insert("schema".to_owned(), schema.clone());
            if let Some(strict) = strict {
                format.insert("strict".to_owned(), json!(strict));
            }
            Some(Value::Object(format))
        }
    }
}

/// The settings of `request` as a response repeats them. OpenAI's SDKs and the Open Responses schema miss them otherwise.
pub(super) fn of_response(request: &ChatRequest) -> Map<String, Value> {
    let tools = || request.tools.iter().map(|tool| self::tool(tool, None)).collect::<Vec<_>>();
    let choice = request.tool_choice.as_ref().unwrap_or(&ToolChoice::Auto);
    let format = text_format(&request.output).unwrap_or_else(|| json!({ "type": "text" }));
    let settings = json!({
        "instructions": instructions(request),
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": null,
        "metadata": {},
        "model": request.model,
        "parallel_tool_calls": request.parallel_tool_calls.unwrap_or(true),
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "previous_response_id": null,
        "prompt_cache_key": null,
        "reasoning": { "effort": request.reasoning.effort.map(|effort| effort.as_str()), "summary": summary(request) },
        "safety_identifier": request.user,
        "service_tier": "default",
        "store": false,
        "temperature": request.temperature.unwrap_or(1.0),
        "text": { "format": format, "verbosity": request.verbosity.as_deref().unwrap_or("medium") },
        "tool_choice": tool_choice(choice, &request.tools),
        "tools": tools(),
        "top_logprobs": request.logprobs.unwrap_or(0),
        "top_p": request.top_p.unwrap_or(1.0),
        "truncation": "disabled",
        "user": null,
    });
    match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    }
}

fn instructions(request: &ChatRequest) -> Option<&str> {
    let first = request.messages.first().filter(|message| message.role == Role::System)?;
    match &*first.parts {
        [Part::Text(text)] => Some(&text.text),
        _ => None,
    }
}

/// The kind of summary that a request for thoughts is one for.
pub(super) fn summary(request: &ChatRequest) -> Option<&'static str> {
    (request.reasoning.visible == Some(true)).then_some("auto")
}
