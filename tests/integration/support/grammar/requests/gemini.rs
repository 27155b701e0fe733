//! <https://ai.google.dev/api/generate-content>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{array, object, only, text, within, word};

const CONFIG: [&str; 14] = [
    "temperature",
    "topP",
    "topK",
    "maxOutputTokens",
    "stopSequences",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseMimeType",
    "responseJsonSchema",
    "responseLogprobs",
    "logprobs",
    "thinkingConfig",
    "candidateCount",
];

pub(super) fn check(request: &Value) -> Result<(), String> {
    only(request, &["contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "labels"])?;
    demand!(!array(request, "contents")?.is_empty(), "no contents");
    let mut calls = 0;
    for content in array(request, "contents")? {
        let role = word(content, "role")?;
        demand!(["user", "model"].contains(&role), "no role: {role}");
        demand!(!array(content, "parts")?.is_empty(), "a content without parts: {content}");
        let results = array(content, "parts")?.iter().filter(|part| part.get("functionResponse").is_some()).count();
        demand!(results == calls, "{results} results of {calls} calls: {content}");
        calls = array(content, "parts")?.iter().filter(|part| part.get("functionCall").is_some()).count();
        array(content, "parts")?.iter().try_for_each(|part| check_part(role, part))?;
    }
    if request.get("systemInstruction").is_some() {
        array(object(request, "systemInstruction")?, "parts")?;
    }
    for tool in request["tools"].as_array().into_iter().flatten() {
        for function in array(tool, "functionDeclarations")? {
            let name = word(function, "name")?;
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
            let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
            demand!(name.len() <= 64 && begins && name.bytes().all(fits), "no name of a function: {name}");
        }
    }
    if request.get("generationConfig").is_some() {
        let config = object(request, "generationConfig")?;
        only(config, &CONFIG)?;
        within(config, "temperature", 0.0, 2.0)?;
        demand!(
            config["stopSequences"].as_array().is_none_or(|stops| (1..=5).contains(&stops.len())),
            "too many stops"
        );
        let is_json = config["responseMimeType"] == "application/json";
        demand!(config.get("responseJsonSchema").is_none() || is_json, "a schema of no JSON: {config}");
        let thinking = &config["thinkingConfig"];
        let both = thinking.get("thinkingBudget").is_some() && thinking.get("thinkingLevel").is_some();
        demand!(!both, "a budget and a level of thought: {config}");
    }
    Ok(())
}

fn check_part(role: &str, part: &Value) -> Result<(), String> {
    if part.get("thoughtSignature").is_some() {
        let signature = word(part, "thoughtSignature")?;
        let skips = ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"].contains(&signature);
        demand!(skips || STANDARD.decode(signature).is_ok(), "a signature that is no base64: {part}");
    }
    let has = |name: &str| part.get(name).is_some();
    if has("text") {
        text(part, "text").map(drop)
    } else if has("inlineData") {
        let data = object(part, "inlineData")?;
        word(data, "mimeType").and(word(data, "data")).map(drop)
    } else if has("fileData") {
        word(object(part, "fileData")?, "fileUri").map(drop)
    } else if has("functionCall") && role == "model" {
        let call = object(part, "functionCall")?;
        word(call, "name").and(object(call, "args")).map(drop)
    } else if has("functionResponse") && role == "user" {
        let response = object(part, "functionResponse")?;
        word(response, "name").and(object(response, "response")).map(drop)
    } else {
        Err(format!("a part of what of {role}: {part}"))
    }
}
