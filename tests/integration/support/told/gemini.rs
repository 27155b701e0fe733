//! Chunks of generated content.

use serde_json::{Map, Value};

use super::{Reader, Told, Usage, list, number, text};

#[derive(Default)]
pub(super) struct Gemini {
    told: Told,
    /// The arguments of a call that come one value at a time, and the path that is to be continued.
    partial: Option<(Value, Option<String>)>,
}

impl Reader for Gemini {
    fn event(&mut self, _name: Option<&str>, data: &str) {
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            self.told.ended = false;
            return self.told.fail(&chunk);
        }
        if let Some(candidate) = list(&chunk, "candidates").find(|one| one["index"].as_u64().unwrap_or(0) == 0) {
            list(&candidate["content"], "parts").for_each(|part| self.part(part));
            if let Some(reason) = text(candidate, "finishReason") {
                self.told.finish = Some(reason.to_owned());
            }
        }
        if let Some(reason) = chunk.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
            self.told.finish.get_or_insert_with(|| reason.to_owned());
        }
        self.told.ended = self.told.finish.is_some();
        self.usage(&chunk["usageMetadata"]);
    }

    fn told(&self) -> &Told {
        &self.told
    }
}

impl Gemini {
    fn part(&mut self, part: &Value) {
        let words = text(part, "text").unwrap_or_default();
        if part["thought"] == true {
            self.told.say_reasoning(words);
        } else {
            self.told.say_text(words);
        }
        if let Some(call) = part.get("functionCall") {
            self.call(call);
        }
    }

    fn call(&mut self, call: &Value) {
        if let Some(name) = text(call, "name") {
            let place = self.told.call(text(call, "id").unwrap_or_default(), name);
            let whole = call.get("args").filter(|args| args.is_object());
            self.told.calls[place].arguments = whole.map_or_else(String::new, Value::to_string);
            self.partial = Some((Value::Object(Map::new()), None));
        }
        let Some((object, open)) = &mut self.partial else { return };
        for piece in list(call, "partialArgs") {
            let path = text(piece, "jsonPath").unwrap_or_default();
            let target = at(object, path);
            match (piece.get("stringValue").and_then(Value::as_str), &mut *target) {
                (Some(more), Value::String(so_far)) if open.as_deref() == Some(path) => so_far.push_str(more),
                (Some(first), _) => *target = first.into(),
                (None, _) => *target = other_value(piece),
            }
            *open = (piece["willContinue"] == true).then(|| path.to_owned());
        }
        if list(call, "partialArgs").next().is_some()
            && let Some(last) = self.told.calls.last_mut()
        {
            last.arguments = object.to_string();
        }
    }

    fn usage(&mut self, usage: &Value) {
        let Some(prompt) = number(usage, "/promptTokenCount") else { return };
        let count = |path| number(usage, path);
        self.told.usage = Some(Usage {
            input: prompt + count("/toolUsePromptTokenCount").unwrap_or(0),
            output: count("/candidatesTokenCount").unwrap_or(0) + count("/thoughtsTokenCount").unwrap_or(0),
            cached: count("/cachedContentTokenCount"),
            cache_write: None,
            reasoning: count("/thoughtsTokenCount"),
        });
    }
}

fn other_value(piece: &Value) -> Value {
    ["numberValue", "boolValue"].iter().find_map(|name| piece.get(*name)).cloned().unwrap_or_default()
}

/// The place in `value` that `path` names, such as `$.steps[0].text`; made if it is not there.
fn at<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    let path = path.trim_start_matches('$').replace("['", ".").replace("']", "").replace('[', ".#").replace(']', "");
    path.split('.').filter(|step| !step.is_empty()).fold(value, |value, step| match step.strip_prefix('#') {
        Some(index) => {
            let index: usize = index.parse().unwrap();
            if !value.is_array() {
                *value = Value::Array(Vec::new());
            }
            let values = value.as_array_mut().unwrap();
            values.resize(values.len().max(index + 1), Value::Null);
            &mut values[index]
        }
        None => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            value.as_object_mut().unwrap().entry(step).or_insert(Value::Null)
        }
    })
}
