//! <https://platform.openai.com/docs/api-reference/chat/create>

use serde_json::Value;

use super::{Open, array, object, only, schema_of_object, text, tool_name, within, word};

const FIELDS: [&str; 26] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "n",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning_effort",
    "response_format",
    "verbosity",
    "user",
    "safety_identifier",
    "store",
    "service_tier",
];

pub(super) fn check(request: &Value) -> Result<(), String> {
    only(request, &FIELDS)?;
    word(request, "model")?;
    within(request, "temperature", 0.0, 2.0)?;
    within(request, "top_p", 0.0, 1.0)?;
    demand!(request.get("stream_options").is_none() || request["stream"] == true, "stream_options without a stream");
    demand!(request["stop"].as_array().is_none_or(|stop| (1..=4).contains(&stop.len())), "too many stops");
    demand!(request.get("top_logprobs").is_none() || request["logprobs"] == true, "top_logprobs without logprobs");
    let mut open = Open::default();
    for message in array(request, "messages")? {
        check_message(message, &mut open)?;
    }
    open.none()?;
    if request.get("tools").is_some() {
        demand!(!array(request, "tools")?.is_empty(), "no tools among the tools");
        for tool in array(request, "tools")? {
            let inner = object(tool, word(tool, "type")?)?;
            tool_name(inner, 64)?;
            if tool["type"] == "function" && inner.get("parameters").is_some() {
                schema_of_object(inner, "parameters")?;
            }
        }
    } else {
        let choice = request.get("tool_choice").or(request.get("parallel_tool_calls"));
        demand!(choice.is_none(), "a choice of no tools: {request}");
    }
    Ok(())
}

fn check_message(message: &Value, open: &mut Open) -> Result<(), String> {
    let role = word(message, "role")?;
    if role == "tool" {
        open.result(word(message, "tool_call_id")?)?;
    } else {
        open.none()?;
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        open.call(word(call, "id")?)?;
        let inner = object(call, word(call, "type")?)?;
        word(inner, "name")?;
        text(inner, if call["type"] == "custom" { "input" } else { "arguments" })?;
    }
    let may_be_absent = role == "assistant" && message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
    match message.get("content") {
        None | Some(Value::Null) => {
            demand!(may_be_absent || message["refusal"].is_string(), "a message without content: {message}");
        }
        Some(Value::String(_)) => {}
        Some(Value::Array(parts)) => {
            demand!(!parts.is_empty(), "no parts among the parts: {message}");
            parts.iter().try_for_each(|part| check_part(role, part))?;
        }
        _ => return Err(format!("content of another kind: {message}")),
    }
    demand!(["system", "developer", "user", "assistant", "tool"].contains(&role), "no role: {role}");
    Ok(())
}

fn check_part(role: &str, part: &Value) -> Result<(), String> {
    let kind = word(part, "type")?;
    let inner = match kind {
        "text" => return text(part, "text").map(drop),
        "refusal" if role == "assistant" => return word(part, "refusal").map(drop),
        "image_url" | "input_audio" | "file" if role == "user" => object(part, kind)?,
        _ => return Err(format!("a part of {kind} of {role}")),
    };
    match kind {
        "image_url" => word(inner, "url").map(drop),
        "input_audio" => word(inner, "data").and(word(inner, "format")).map(drop),
        _ => word(inner, "file_id").or(word(inner, "file_data")).map(drop),
    }
}
