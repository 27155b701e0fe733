//! The conversation so far.

use std::collections::HashMap;

use serde_json::Value;

use super::super::encode::OF_CONTENT;
use super::super::notes::annotations_of;
use super::parts;
use crate::canonical::{Message, Part, Role, Seal, ToolCall, ToolKind, ToolResult, ids};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

/// What has been called, so that results can be told what they are results of.
#[derive(Default)]
struct Called {
    tools: HashMap<String, (String, ToolKind)>,
    /// The last call of each function that was called by the elder `function_call`, which has no id.
    functions: HashMap<String, String>,
}

pub(super) fn read(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Message>, Malformed> {
    if !fields.has("messages") {
        return Err(fields.wrong("messages", "a list of messages"));
    }
    let (mut messages, mut called) = (Vec::new(), Called::default());
    for (at, mut message) in fields.objects("messages")?.into_iter().enumerate() {
        let role = message.string("role")?.unwrap_or_default();
        let (role, parts) = match &*role {
            "system" => (Role::System, parts::read(&mut message, notes)?),
            "developer" => (Role::Developer, parts::read(&mut message, notes)?),
            "user" => (Role::User, parts::read(&mut message, notes)?),
            "assistant" => (Role::Assistant, assistant(&mut message, at, &mut called, notes)?),
            "tool" => (Role::User, vec![tool(&mut message, &called, notes)?]),
            "function" => (Role::User, vec![function(&mut message, &called, notes)?]),
            _ => {
                let roles = "\"system\", \"developer\", \"user\", \"assistant\" or \"tool\"";
                return Err(message.wrong("role", roles));
            }
        };
        if role != Role::User {
            // It tells several users apart; of the others there is one.
            message.take_hint("name", notes);
        }
        // Where the client got the message, and that it is to be continued: the last of an assistant's always is.
        notes.rest(&message, &["id", "prefix", "cache_control", "provider_specific_fields"]);
        messages.push(Message { role, parts });
    }
    Ok(messages)
}

/// A tool's result.
fn tool(message: &mut Fields, called: &Called, notes: &mut Notes) -> Result<Part, Malformed> {
    let call_id = message.needed_string("tool_call_id")?;
    let call = called.tools.get(&call_id);
    let name = message.string("name")?.or_else(|| call.map(|(name, _)| name.clone()));
    let kind = call.map(|(_, kind)| *kind).unwrap_or_default();
    Ok(Part::ToolResult(ToolResult { call_id, name, kind, parts: parts::read(message, notes)?, is_error: false }))
}

/// The same from before there were other tools than functions.
fn function(message: &mut Fields, called: &Called, notes: &mut Notes) -> Result<Part, Malformed> {
    let name = message.needed_string("name")?;
    let call_id = called.functions.get(&name).cloned().unwrap_or_default();
    let parts = parts::read(message, notes)?;
    Ok(Part::ToolResult(ToolResult { call_id, name: Some(name), parts, ..ToolResult::default() }))
}

fn assistant(message: &mut Fields, at: usize, called: &mut Called, notes: &mut Notes) -> Result<Vec<Part>, Malformed> {
    let mut marks = HashMap::new();
    let mut all = thoughts(message, &mut marks)?;
    let mut content = parts::read(message, notes)?;
    if let Some(refusal) = message.text("refusal")? {
        content.push(Part::Refusal(refusal));
    }
    let annotations = message.take("annotations");
    if let Some(Part::Text(text)) = content.iter_mut().rfind(|part| matches!(part, Part::Text(_))) {
        text.annotations = annotations.as_ref().map(annotations_of).unwrap_or_default();
        text.seal = marks.remove(OF_CONTENT);
    }
    all.append(&mut content);
    for mut call in message.objects("tool_calls")? {
        let mut call = tool_call(&mut call)?;
        call.seal = marks.remove(&call.id);
        called.tools.insert(call.id.clone(), (call.name.clone(), call.kind));
        all.push(Part::ToolCall(call));
    }
    if let Some(mut function) = message.object("function_call")? {
        let id = ids::call_id("function_call", at);
        let name = function.needed_string("name")?;
        let arguments = function.string("arguments")?.unwrap_or_default();
        called.functions.insert(name.clone(), id.clone());
        all.push(Part::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() }));
    }
    Ok(all)
}

fn tool_call(call: &mut Fields) -> Result<ToolCall, Malformed> {
    let id = call.needed_string("id")?;
    let (kind, mut inner, arguments) = match call.object("custom")? {
        Some(custom) if !call.has("function") => (ToolKind::Custom, custom, "input"),
        _ => (ToolKind::Function, call.needed_object("function")?, "arguments"),
    };
    let name = inner.needed_string("name")?;
    let arguments = match inner.take(arguments) {
        None => String::new(),
        Some(Value::String(text)) => text,
        // Some clients send the object itself.
        Some(object @ Value::Object(_)) => object.to_string(),
        Some(_) => return Err(inner.wrong(arguments, "a string")),
    };
    Ok(ToolCall { id, name, arguments, kind, seal: None })
}

/// The thoughts before the answer. Marks of ours on what follows them are put into `marks`, by what they are on; marks of
/// anyone else's can be shown to nobody.
fn thoughts(message: &mut Fields, marks: &mut HashMap<String, Seal>) -> Result<Vec<Part>, Malformed> {
    let mut thoughts: Vec<(Option<u64>, String, Option<Seal>)> = Vec::new();
    for mut detail in message.objects("reasoning_details")? {
        let mut text = |name| detail.take(name).and_then(|value| value.as_str().map(str::to_owned));
        let told = text("text").or_else(|| text("summary")).unwrap_or_default();
        let seal = text("signature").or_else(|| text("data")).and_then(|token| Seal::parse(&token));
        let id = text("id");
        let index = detail.take("index").and_then(|index| index.as_u64());
        match (id, seal) {
            (Some(id), Some(seal)) if told.is_empty() => {
                marks.insert(id, seal);
            }
            (_, seal) => match thoughts.last_mut() {
                // Pieces as they were streamed.
                Some((last, before, mark)) if index.is_some() && *last == index => {
                    before.push_str(&told);
                    *mark = mark.take().or(seal);
                }
                _ => thoughts.push((index, told, seal)),
            },
        }
    }
    let plain = message.string("reasoning_content")?.or(message.string("reasoning")?).unwrap_or_default();
    if thoughts.iter().all(|(_, text, _)| text.is_empty()) && !plain.is_empty() {
        match thoughts.first_mut() {
            Some((_, text, _)) => *text = plain,
            None => thoughts.push((None, plain, None)),
        }
    }
    let says_something = |(_, text, seal): &(Option<u64>, String, Option<Seal>)| !text.is_empty() || seal.is_some();
    let part = |(_, text, seal)| Part::Reasoning { text, seal };
    Ok(thoughts.into_iter().filter(says_something).map(part).collect())
}
