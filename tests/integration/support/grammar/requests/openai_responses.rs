//! <https://platform.openai.com/docs/api-reference/responses/create>

use serde_json::Value;

use super::{Open, array, only, schema_of_object, text, tool_name, within, word};

const FIELDS: [&str; 18] = [
    "model",
    "input",
    "instructions",
    "stream",
    "store",
    "include",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "user",
    "safety_identifier",
    "truncation",
];

pub(super) fn check(request: &Value) -> Result<(), String> {
    only(request, &FIELDS)?;
    word(request, "model")?;
    within(request, "temperature", 0.0, 2.0)?;
    within(request, "top_p", 0.0, 1.0)?;
    within(request, "max_output_tokens", 16.0, f64::MAX)?;
    let mut open = Open::default();
    if !request["input"].is_string() {
        for item in array(request, "input")? {
            check_item(item, &mut open)?;
        }
    }
    open.none()?;
    for tool in request["tools"].as_array().into_iter().flatten() {
        tool_name(tool, 64)?;
        if word(tool, "type")? == "function" {
            schema_of_object(tool, "parameters")?;
            // Unlike in chat completions, it is strict unless told otherwise.
            demand!(tool["strict"].is_boolean(), "strict by default: {tool}");
        }
    }
    let format = &request["text"]["format"];
    if format["type"] == "json_schema" {
        word(format, "name")?;
        demand!(format["schema"].is_object(), "no schema: {format}");
    }
    Ok(())
}

fn check_item(item: &Value, open: &mut Open) -> Result<(), String> {
    match item["type"].as_str().unwrap_or("message") {
        "message" => {
            let role = word(item, "role")?;
            demand!(["system", "developer", "user", "assistant"].contains(&role), "no role: {role}");
            if item["content"].is_string() {
                return Ok(());
            }
            demand!(!array(item, "content")?.is_empty(), "a message without content: {item}");
            for part in array(item, "content")? {
                let kinds: &[&str] = if role == "assistant" {
                    &["output_text", "refusal"]
                } else {
                    &["input_text", "input_image", "input_file"]
                };
                demand!(kinds.contains(&word(part, "type")?), "a part of another of {role}: {part}");
            }
        }
        "function_call" | "custom_tool_call" => {
            demand!(word(item, "call_id")?.len() <= 64, "a call_id of more than 64 characters: {item}");
            open.call(word(item, "call_id")?)?;
            word(item, "name")?;
            text(item, if item["type"] == "function_call" { "arguments" } else { "input" })?;
        }
        "function_call_output" | "custom_tool_call_output" => {
            open.result(word(item, "call_id")?)?;
            demand!(item["output"].is_string() || item["output"].is_array(), "no output: {item}");
        }
        "reasoning" => {
            array(item, "summary")?;
            // Encrypted, or in the open: those of models that hide nothing.
            demand!(item["encrypted_content"].is_string() || item["content"].is_array(), "no thoughts: {item}");
        }
        kind => return Err(format!("an item of {kind}")),
    }
    Ok(())
}
