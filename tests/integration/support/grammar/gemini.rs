//! Generated content: <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>, and python-genai's
//! `types.py`, which refuses unknown fields and bytes that are not base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Told, array, frames, integer, object, parse, text, word};
use crate::support::told;

const REASONS: [&str; 18] = [
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "FINISH_REASON_UNSPECIFIED",
];

/// What a part may hold; one of them.
const KINDS: [&str; 6] = ["text", "functionCall", "executableCode", "codeExecutionResult", "toolCall", "toolResponse"];

pub(super) fn check(stream: &str) -> Result<(), String> {
    let frames = frames(stream, "\r\n")?;
    let named = frames.iter().find_map(|frame| frame.event);
    demand!(named.is_none(), "an event has a name: {named:?}");
    check_chunks(&frames.iter().map(|frame| parse(frame.data)).collect::<Result<Vec<Value>, String>>()?)
}

/// A stream that is one array, for who does not ask for events.
pub(super) fn check_array(stream: &str) -> Result<Told, String> {
    let chunks = parse(stream)?.as_array().cloned().ok_or("no array")?;
    check_chunks(&chunks)?;
    let events: String = chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect();
    Ok(told::read("gemini", events.as_bytes()))
}

pub(super) fn check_chunks(chunks: &[Value]) -> Result<(), String> {
    let (last, before) = chunks.split_last().ok_or("it is empty")?;
    for chunk in before {
        demand!(!check_chunk(chunk)?, "a finishReason before the last chunk: {chunk}");
    }
    for name in ["modelVersion", "responseId"] {
        let mut values = chunks.iter().map(|chunk| &chunk[name]).filter(|value| !value.is_null());
        let first = values.next();
        demand!(values.all(|value| Some(value) == first), "{name} changes");
    }
    if last.get("error").is_some() {
        let error = object(last, "error")?;
        demand!((400..600).contains(&integer(error, "code")?), "no HTTP status: {error}");
        word(error, "message")?;
        let status = word(error, "status")?;
        demand!(status.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "no status: {error}");
        return Ok(());
    }
    demand!(check_chunk(last)?, "the last chunk has no finishReason: {last}");
    if last.get("usageMetadata").is_some() {
        usage(&last["usageMetadata"])?;
    } else {
        demand!(before.iter().all(|chunk| chunk.get("usageMetadata").is_none()), "usage, but not on the last chunk");
    }
    Ok(())
}

/// Whether `chunk` finishes the answer.
fn check_chunk(chunk: &Value) -> Result<bool, String> {
    word(chunk, "modelVersion")?;
    word(chunk, "responseId")?;
    if chunk.get("candidates").is_none() && chunk.get("promptFeedback").is_some() {
        word(&chunk["promptFeedback"], "blockReason")?;
        return Ok(true);
    }
    let [candidate] = array(chunk, "candidates")?.as_slice() else {
        return Err(format!("not one candidate: {chunk}"));
    };
    demand!(candidate.get("index").is_none_or(|index| index == 0), "another candidate: {chunk}");
    let reason = candidate.get("finishReason").map(|_| text(candidate, "finishReason")).transpose()?;
    demand!(reason.is_none_or(|reason| REASONS.contains(&reason)), "no finishReason: {chunk}");
    demand!(candidate.get("content").is_some() || reason.is_some(), "a chunk that says nothing: {chunk}");
    if candidate.get("content").is_some() {
        let content = object(candidate, "content")?;
        demand!(content["role"] == "model", "the content of another: {chunk}");
        array(content, "parts")?.iter().try_for_each(part)?;
    }
    Ok(reason.is_some())
}

fn part(part: &Value) -> Result<(), String> {
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| part.get(*kind).is_some()).collect();
    let [kind] = kinds[..] else { return Err(format!("a part of {kinds:?}: {part}")) };
    match kind {
        "text" => drop(text(part, "text")?),
        "functionCall" => {
            let call = object(part, "functionCall")?;
            word(call, "name")?;
            object(call, "args")?;
            demand!(call.get("id").is_none_or(Value::is_string), "an id that is no text: {part}");
        }
        _ => {}
    }
    demand!(
        part.get("thought").is_none_or(|thought| thought.is_boolean() && kind == "text"),
        "a thought of what: {part}"
    );
    if part.get("thoughtSignature").is_some() {
        let signature = word(part, "thoughtSignature")?;
        demand!(STANDARD.decode(signature).is_ok(), "a signature that is no base64: {part}");
    }
    Ok(())
}

fn usage(usage: &Value) -> Result<(), String> {
    let count = |name: &str| match usage.get(name) {
        Some(_) => integer(usage, name),
        None => Ok(0),
    };
    let input = integer(usage, "promptTokenCount")? + count("toolUsePromptTokenCount")?;
    let output = count("candidatesTokenCount")? + count("thoughtsTokenCount")?;
    demand!(integer(usage, "totalTokenCount")? == input + output, "the total is none: {usage}");
    demand!(count("cachedContentTokenCount")? <= input, "more is cached than was read: {usage}");
    Ok(())
}
