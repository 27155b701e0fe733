//! <https://docs.ollama.com/api/chat>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{array, object, only, text, word};

const FIELDS: [&str; 10] =
    ["model", "messages", "stream", "tools", "format", "options", "think", "keep_alive", "logprobs", "top_logprobs"];

pub(super) fn check(request: &Value) -> Result<(), String> {
    only(request, &FIELDS)?;
    word(request, "model")?;
    // It streams unless told otherwise.
    demand!(request["stream"].is_boolean(), "stream is not told: {request}");
    // Without messages it would load the model and say nothing.
    demand!(!array(request, "messages")?.is_empty(), "no messages");
    let mut names: Vec<String> = Vec::new();
    for message in array(request, "messages")? {
        let role = word(message, "role")?;
        demand!(["system", "user", "assistant", "tool"].contains(&role), "no role: {role}");
        text(message, "content")?;
        for image in message["images"].as_array().into_iter().flatten() {
            let is_data = image.as_str().is_some_and(|data| STANDARD.decode(data).is_ok());
            demand!(is_data, "a picture that is no base64");
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = object(call, "function")?;
            names.push(word(function, "name")?.to_owned());
            object(function, "arguments")?;
        }
        if role == "tool" {
            let name = word(message, "tool_name")?;
            demand!(names.iter().any(|known| known == name), "a result of no call: {message}");
        }
    }
    for tool in request["tools"].as_array().into_iter().flatten() {
        demand!(tool["type"] == "function", "a tool of another kind: {tool}");
        let function = object(tool, "function")?;
        word(function, "name")?;
        object(function, "parameters")?;
    }
    let format = request.get("format");
    demand!(format.is_none_or(|format| format == "json" || format.is_object()), "no format: {format:?}");
    let think = request.get("think");
    let words = ["low", "medium", "high", "max"];
    let is_known =
        think.is_none_or(|think| think.is_boolean() || think.as_str().is_some_and(|word| words.contains(&word)));
    demand!(is_known, "no way to think: {think:?}");
    demand!(request.get("options").is_none_or(Value::is_object), "options of another kind");
    Ok(())
}
