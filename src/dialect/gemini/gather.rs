//! A whole stream as the answer that it would have been.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::dialect::gather::{index_of, replace, take_list, take_object};

/// Joins the chunks of a stream; `None` also for one that tells the arguments of calls in pieces, which no answer does.
pub(super) fn gather(chunks: &mut dyn Iterator<Item = Value>) -> Option<Value> {
    let mut answer = Map::new();
    let mut candidates: BTreeMap<u64, Candidate> = BTreeMap::new();
    for chunk in chunks {
        let Value::Object(mut chunk) = chunk else { continue };
        for candidate in take_list(&mut chunk, "candidates") {
            let Value::Object(candidate) = candidate else { continue };
            candidates.entry(index_of(&candidate, "index")).or_default().add(candidate)?;
        }
        chunk.shift_remove("candidates");
        for (name, value) in chunk {
            replace(answer.entry(name).or_insert(Value::Null), value);
        }
    }
    if answer.is_empty() && candidates.is_empty() {
        return None;
    }
    // A prompt that was refused has none.
    if !candidates.is_empty() {
        answer.insert("candidates".to_owned(), candidates.into_values().map(Candidate::into_value).collect());
    }
    Some(Value::Object(answer))
}

#[derive(Default)]
struct Candidate {
    fields: Map<String, Value>,
    parts: Vec<Value>,
}

impl Candidate {
    fn add(&mut self, mut candidate: Map<String, Value>) -> Option<()> {
        let mut content = take_object(&mut candidate, "content").unwrap_or_default();
        for part in take_list(&mut content, "parts") {
            self.add_part(part)?;
        }
        candidate.shift_remove("content");
        for (name, value) in candidate {
            replace(self.fields.entry(name).or_insert(Value::Null), value);
        }
        Some(())
    }

    /// More of the text that stands last, or a part of its own. A mark ends the text that it is on.
    fn add_part(&mut self, mut part: Value) -> Option<()> {
        let call = part.get("functionCall");
        if call.is_some_and(|call| call.get("partialArgs").is_some() || call.get("willContinue").is_some()) {
            return None;
        }
        let is_text = |part: &Value| part["text"].is_string() && part.get("thoughtSignature").is_none();
        let last = self.parts.last_mut().filter(|last| is_text(last) && last.get("thought") == part.get("thought"));
        match (last, part["text"].take()) {
            (Some(last), Value::String(text)) => {
                let whole = format!("{}{text}", last["text"].as_str().unwrap_or_default());
                last["text"] = whole.into();
                let others = part.as_object_mut().into_iter().flatten().filter(|(_, value)| !value.is_null());
                others.for_each(|(name, value)| last[name.as_str()] = value.take());
            }
            (_, Value::Null) => {
                part.as_object_mut().map(|part| part.shift_remove("text"));
                self.parts.push(part);
            }
            (_, text) => {
                part["text"] = text;
                self.parts.push(part);
            }
        }
        Some(())
    }

    fn into_value(mut self) -> Value {
        let content = json!({ "role": "model", "parts": self.parts });
        self.fields.shift_insert(0, "content".to_owned(), content);
        Value::Object(self.fields)
    }
}
