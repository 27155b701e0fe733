//! A whole stream as the answer that it would have been.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::dialect::gather::{index_of, join, replace, take_list, take_object};

/// Joins the chunks of a stream, of chat or of the elder completions.
pub(super) fn gather(chunks: &mut dyn Iterator<Item = Value>) -> Option<Value> {
    let mut answer = Map::new();
    let mut choices: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    for chunk in chunks {
        let Value::Object(mut chunk) = chunk else { continue };
        for choice in take_list(&mut chunk, "choices") {
            let Value::Object(mut choice) = choice else { continue };
            // Perplexity says everything so far once more beside each piece.
            if choice.contains_key("delta") {
                choice.shift_remove("message");
            }
            let known = choices.entry(index_of(&choice, "index")).or_default();
            if let Some(content) = take_content(&mut choice) {
                let message = known.entry("delta").or_insert_with(|| json!({}));
                add_content(&mut message["content"], content);
            }
            join(known, choice);
        }
        for (name, value) in chunk {
            replace(answer.entry(name).or_insert(Value::Null), value);
        }
    }
    if choices.is_empty() {
        return None;
    }
    let is_chat = choices.values().any(|choice| !choice.contains_key("text"));
    answer.insert("object".to_owned(), json!(if is_chat { "chat.completion" } else { "text_completion" }));
    answer.insert("choices".to_owned(), choices.into_values().map(whole).collect());
    Some(Value::Object(answer))
}

/// What a piece says, taken out of it.
fn take_content(choice: &mut Map<String, Value>) -> Option<Value> {
    choice.get_mut("delta")?.as_object_mut()?.shift_remove("content")
}

/// Texts become one. Mistral's pieces are now a text, now a list of parts: parts of one kind become one, too.
fn add_content(known: &mut Value, content: Value) {
    match (known, content) {
        (_, Value::Null) => {}
        (Value::String(text), Value::String(more)) => text.push_str(&more),
        (known @ Value::Null, content) => *known = content,
        (known, content) => {
            let mut parts = parts(known.take());
            for part in self::parts(content) {
                match (parts.last_mut(), part) {
                    (Some(Value::Object(last)), Value::Object(part)) if last.get("type") == part.get("type") => {
                        join(last, part);
                    }
                    (_, part) => parts.push(part),
                }
            }
            *known = Value::Array(parts);
        }
    }
}

/// A content as its parts.
fn parts(content: Value) -> Vec<Value> {
    match content {
        Value::Array(parts) => parts,
        Value::String(text) if !text.is_empty() => vec![json!({ "type": "text", "text": text })],
        _ => Vec::new(),
    }
}

/// A choice with its message, where it is one of chat.
fn whole(mut choice: Map<String, Value>) -> Value {
    if let Some(mut message) = take_object(&mut choice, "delta") {
        choice.shift_remove("delta");
        message.entry("role").or_insert(json!("assistant"));
        message.entry("content").or_insert(Value::Null);
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            // It says where the pieces belong.
            call.as_object_mut().map(|call| call.shift_remove("index"));
        }
        choice.insert("message".to_owned(), Value::Object(message));
    }
    Value::Object(choice)
}
