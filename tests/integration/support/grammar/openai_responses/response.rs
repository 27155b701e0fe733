//! The response object, which is in the first events and in the last.

use serde_json::Value;

use super::super::{array, integer, object, text, word};
use super::item::Item;

/// Every field that must be there, be it null.
const REQUIRED: [&str; 14] = [
    "id",
    "object",
    "created_at",
    "error",
    "incomplete_details",
    "instructions",
    "model",
    "tools",
    "output",
    "parallel_tool_calls",
    "metadata",
    "tool_choice",
    "temperature",
    "top_p",
];

pub(super) fn check(response: &Value) -> Result<(), String> {
    for name in REQUIRED {
        demand!(response.get(name).is_some(), "a response without {name}: {response}");
    }
    demand!(response["object"] == "response", "no response: {response}");
    demand!(response["created_at"].is_number(), "created_at is no number: {response}");
    demand!(response["parallel_tool_calls"].is_boolean(), "parallel_tool_calls is no boolean: {response}");
    let choice = &response["tool_choice"];
    let is_word = matches!(choice.as_str(), Some("auto" | "none" | "required"));
    demand!(is_word || choice["type"].is_string(), "no tool_choice: {response}");
    text(response, "model")?;
    array(response, "output")?;
    for tool in array(response, "tools")? {
        if word(tool, "type")? == "function" {
            word(tool, "name")?;
            demand!(tool.get("parameters").is_some() && tool.get("strict").is_some(), "not all of a function: {tool}");
        }
    }
    for name in ["temperature", "top_p"] {
        demand!(response[name].is_null() || response[name].is_number(), "{name} is no number: {response}");
    }
    Ok(())
}

/// A usage that is told is told whole.
pub(super) fn usage(usage: &Value) -> Result<(), String> {
    if usage.is_null() {
        return Ok(());
    }
    let total = integer(usage, "input_tokens")? + integer(usage, "output_tokens")?;
    demand!(integer(usage, "total_tokens")? == total, "the total is none: {usage}");
    integer(object(usage, "input_tokens_details")?, "cached_tokens")?;
    integer(object(usage, "output_tokens_details")?, "reasoning_tokens")?;
    Ok(())
}

/// A response that is whole.
pub(crate) fn check_whole(response: &Value) -> Result<(), String> {
    check(response)?;
    let status = text(response, "status")?;
    let reason = &response["incomplete_details"]["reason"];
    match status {
        "completed" => demand!(reason.is_null(), "completed, and {reason}"),
        "incomplete" => demand!(matches!(reason.as_str(), Some("max_output_tokens" | "content_filter")), "{reason}"),
        "failed" => drop(word(object(response, "error")?, "message")?),
        _ => return Err(format!("a whole response that is {status}")),
    }
    array(response, "output")?.iter().try_for_each(Item::check_whole)?;
    usage(&response["usage"])
}
