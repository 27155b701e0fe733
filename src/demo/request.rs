//! Reading a request, as far as a script needs to understand it.

use serde_json::Value;

use super::{
    dice::Dice,
    error::ApiError,
    models::{Behaviour, Model},
    tokens,
    tools::{self, ToolCall},
};

/// Everything an answer depends on.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) model: &'static Model,
    /// The last thing the user said; empty if that was only a picture.
    pub(super) message: String,
    /// What a tool reported, if that is what came last.
    pub(super) tool_result: Option<String>,
    /// The calls that the model with tools would make.
    pub(super) tool_calls: Vec<ToolCall>,
    pub(super) prompt_tokens: usize,
    /// How many tokens the client wants at most.
    pub(super) limit: Option<usize>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) dice: Dice,
}

impl Ask {
    /// Reads a request to `/v1/chat/completions`.
    pub(super) fn chat(body: &[u8]) -> Result<Self, ApiError> {
        let request = parse(body)?;
        let model = model(&request)?;
        let messages = messages(&request)?;
        let said = |role: &str| messages.iter().rev().find(|message| message["role"] == role);
        let message = said("user").map(text_of).unwrap_or_default();
        let tool_result = messages.last().filter(|last| last["role"] == "tool").map(text_of);
        // Four tokens a message for its role and its frame: what OpenAI's own counting recipe adds.
        let prompt_tokens = messages.iter().map(|message| tokens::count(&text_of(message)) + 4).sum();
        let ask = Self::common(model, message, body, &request)?;
        let tool_calls = tools::calls(&request, &ask.message, ask.dice);
        Ok(Self { tool_result, tool_calls, prompt_tokens, ..ask })
    }

    /// Reads a request to `/v1/completions`.
    pub(super) fn legacy(body: &[u8]) -> Result<Self, ApiError> {
        let request = parse(body)?;
        let model = model(&request)?;
        let message = texts_of(&request["prompt"]).into_iter().next().unwrap_or_default();
        Self::common(model, message, body, &request)
    }

    fn common(model: &'static Model, message: String, body: &[u8], request: &Value) -> Result<Self, ApiError> {
        Ok(Self {
            model,
            prompt_tokens: tokens::count(&message),
            message,
            tool_result: None,
            tool_calls: Vec::new(),
            limit: limit(request)?,
            stream: request["stream"] == true,
            include_usage: request["stream_options"]["include_usage"] == true,
            dice: Dice::new(body),
        })
    }
}

/// The body as JSON, or the refusal OpenAI has for it.
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    match serde_json::from_slice(body) {
        Ok(request @ Value::Object(_)) => Ok(request),
        Ok(_) => Err(ApiError::invalid("The JSON body of your request must be an object.")),
        Err(error) => Err(ApiError::invalid(format!("We could not parse the JSON body of your request: {error}."))),
    }
}

/// The model that is asked for, unless it does not exist or refuses everyone.
pub(super) fn model(request: &Value) -> Result<&'static Model, ApiError> {
    let Some(id) = request["model"].as_str() else {
        let message = "You must provide a model parameter.";
        return Err(ApiError::parameter("model", "missing_required_parameter", message));
    };
    match Model::find(id) {
        None => Err(ApiError::unknown_model(id)),
        Some(model) if model.behaviour == Behaviour::Refuses => Err(ApiError::rate_limited()),
        Some(model) => Ok(model),
    }
}

fn messages(request: &Value) -> Result<&Vec<Value>, ApiError> {
    let refuse = |code, message| Err(ApiError::parameter("messages", code, message));
    match &request["messages"] {
        Value::Null => refuse("missing_required_parameter", "Missing required parameter: 'messages'."),
        Value::Array(messages) if messages.is_empty() => {
            refuse("empty_array", "Invalid 'messages': expected at least one message, but got none.")
        }
        Value::Array(messages) if messages.iter().all(|message| message["role"].is_string()) => Ok(messages),
        Value::Array(_) => refuse("invalid_type", "Invalid 'messages': every message is an object with a role."),
        _ => refuse("invalid_type", "Invalid type for 'messages': expected an array of messages."),
    }
}

fn limit(request: &Value) -> Result<Option<usize>, ApiError> {
    for name in ["max_completion_tokens", "max_tokens"] {
        match &request[name] {
            Value::Null => {}
            value => match value.as_u64() {
                Some(limit) if limit > 0 => return Ok(Some(usize::try_from(limit).unwrap_or(usize::MAX))),
                _ => {
                    let message = format!("Invalid '{name}': expected an integer of at least 1.");
                    return Err(ApiError::parameter(name, "integer_below_min_value", message));
                }
            },
        }
    }
    Ok(None)
}

/// The text of a message, whether it is given as a string or in parts.
fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// The texts of a `prompt` or an `input`: a string, several strings, a list of token numbers or several such lists.
pub(super) fn texts_of(input: &Value) -> Vec<String> {
    // Nobody here knows what the numbers mean, but as many numbers make as many tokens.
    let spell = |numbers: &[Value]| numbers.iter().map(Value::to_string).collect::<Vec<_>>().join(" ");
    match input {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.first().is_some_and(Value::is_number) => vec![spell(items)],
        Value::Array(items) => items
            .iter()
            .filter_map(|item| match item {
                Value::String(text) => Some(text.clone()),
                Value::Array(numbers) => Some(spell(numbers)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A request body to start a test from.
#[cfg(test)]
pub(super) fn example(model: &str, message: &str, extra: Value) -> Vec<u8> {
    let mut body = serde_json::json!({"model": model, "messages": [{"role": "user", "content": message}]});
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::*;

    fn status(body: &Value) -> u16 {
        match Ask::chat(body.to_string().as_bytes()) {
            Ok(_) => 200,
            Err(error) => error.into_response().status().as_u16(),
        }
    }

    #[test]
    fn the_last_user_message_counts_also_in_parts() {
        let body = json!({"model": "demo", "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": null},
            {"role": "user", "content": [
                {"type": "text", "text": "second"},
                {"type": "image_url", "image_url": {"url": "data:,"}},
                {"type": "text", "text": "line"},
            ]},
        ]});
        let ask = Ask::chat(body.to_string().as_bytes()).expect("a valid request");
        assert_eq!(ask.message, "second\nline");
        assert_eq!(ask.tool_result, None);
        assert!(ask.prompt_tokens > 4 * 4);
    }

    #[test]
    fn malformed_requests_are_refused_with_400() {
        assert_eq!(Ask::chat(b"{").expect_err("not JSON").into_response().status(), 400);
        assert_eq!(status(&json!([])), 400);
        assert_eq!(status(&json!({"messages": []})), 400);
        assert_eq!(status(&json!({"model": "demo"})), 400);
        assert_eq!(status(&json!({"model": "demo", "messages": []})), 400);
        assert_eq!(status(&json!({"model": "demo", "messages": "hello"})), 400);
        assert_eq!(status(&json!({"model": "demo", "messages": ["hello"]})), 400);
        assert_eq!(status(&json!({"model": "demo", "messages": [{"role": "user"}], "max_tokens": 0})), 400);
    }

    #[test]
    fn unknown_models_are_a_404_and_the_refusing_one_a_429() {
        assert_eq!(status(&json!({"model": "gpt-4o", "messages": [{"role": "user"}]})), 404);
        assert_eq!(status(&json!({"model": "demo-error", "messages": [{"role": "user"}]})), 429);
    }

    #[test]
    fn the_newer_limit_wins_over_the_older_one() {
        let extra = json!({"max_tokens": 5, "max_completion_tokens": 3});
        let ask = Ask::chat(&example("demo", "hi", extra)).expect("a valid request");
        assert_eq!(ask.limit, Some(3));
    }

    #[test]
    fn prompts_come_in_four_shapes() {
        assert_eq!(texts_of(&json!("a")), ["a"]);
        assert_eq!(texts_of(&json!(["a", "b"])), ["a", "b"]);
        assert_eq!(texts_of(&json!([1, 2])), ["1 2"]);
        assert_eq!(texts_of(&json!([[1], [2, 3]])), ["1", "2 3"]);
    }
}
