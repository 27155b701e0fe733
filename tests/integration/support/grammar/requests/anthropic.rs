//! <https://docs.claude.com/en/api/messages>

use serde_json::Value;

use super::{Open, array, object, only, schema_of_object, text, tool_name, within, word};

const FIELDS: [&str; 14] = [
    "model",
    "messages",
    "system",
    "max_tokens",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "metadata",
];

pub(super) fn check(request: &Value) -> Result<(), String> {
    only(request, &FIELDS)?;
    word(request, "model")?;
    let limit = request["max_tokens"].as_u64().filter(|limit| *limit > 0).ok_or("no max_tokens")?;
    within(request, "temperature", 0.0, 1.0)?;
    within(request, "top_p", 0.0, 1.0)?;
    demand!(request["system"] != "", "an empty system prompt");
    demand!(request["messages"][0]["role"] == "user", "the first message is not the user's: {request}");
    let mut open = Open::default();
    for message in array(request, "messages")? {
        check_message(message, &mut open)?;
    }
    open.none()?;
    for tool in request["tools"].as_array().into_iter().flatten() {
        tool_name(tool, 128)?;
        schema_of_object(tool, "input_schema")?;
    }
    demand!(request.get("tool_choice").is_none() || request["tools"].is_array(), "a choice of no tools");
    let thinking = &request["thinking"];
    if thinking["type"] == "enabled" {
        let budget = thinking["budget_tokens"].as_u64().unwrap_or(0);
        demand!((1024..limit).contains(&budget), "a budget of {budget} of {limit}");
    }
    if matches!(thinking["type"].as_str(), Some("enabled" | "adaptive")) {
        let choice = request["tool_choice"]["type"].as_str().unwrap_or("auto");
        demand!(["auto", "none"].contains(&choice), "thoughts before a tool that must be called");
        demand!(request["temperature"].is_null() || request["temperature"] == 1.0, "thoughts at a temperature");
        demand!(request.get("top_k").is_none(), "thoughts with top_k");
    }
    Ok(())
}

fn check_message(message: &Value, open: &mut Open) -> Result<(), String> {
    let role = word(message, "role")?;
    demand!(["user", "assistant"].contains(&role), "no role: {role}");
    if message["content"].is_string() {
        open.none()?;
        return word(message, "content").map(drop);
    }
    let blocks = array(message, "content")?;
    demand!(!blocks.is_empty(), "a message without content: {message}");
    let mut other = false;
    for block in blocks {
        let kind = word(block, "type")?;
        match (role, kind) {
            ("user", "tool_result") => {
                demand!(!other, "a result behind something else: {message}");
                open.result(word(block, "tool_use_id")?)?;
            }
            (_, "text") => {
                demand!(!text(block, "text")?.trim().is_empty(), "a text of nothing: {message}");
                open_results(role, open)?;
            }
            ("user", "image" | "document") => word(object(block, "source")?, "type").map(drop)?,
            ("assistant", "thinking") => {
                text(block, "thinking")?;
                word(block, "signature")?;
            }
            ("assistant", "redacted_thinking") => word(block, "data").map(drop)?,
            ("assistant", "tool_use") => {
                let id = word(block, "id")?;
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                demand!(id.bytes().all(fits), "an id of other characters: {id}");
                open.call(id)?;
                word(block, "name")?;
                object(block, "input")?;
            }
            _ => return Err(format!("a block of {kind} of {role}")),
        }
        other |= kind != "tool_result";
    }
    if role == "user" { open.none() } else { Ok(()) }
}

/// A user may speak only when every call has its result.
fn open_results(role: &str, open: &Open) -> Result<(), String> {
    if role == "user" { open.none() } else { Ok(()) }
}
