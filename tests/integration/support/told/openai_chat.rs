//! Chunks of chat completions, of all who write such.

use std::collections::HashMap;

use serde_json::Value;

use super::{Reader, Told, Usage, list, number, text};

#[derive(Default)]
pub(super) struct Chat {
    told: Told,
    /// The place of the call that an index names now.
    by_index: HashMap<u64, usize>,
}

impl Reader for Chat {
    fn event(&mut self, name: Option<&str>, data: &str) {
        if data == "[DONE]" {
            self.told.ended = self.told.error.is_none();
            return;
        }
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        let is_error = chunk.get("error").is_some_and(|error| !error.is_null()) || chunk["object"] == "error";
        if is_error || name == Some("error") {
            return self.told.fail(&chunk);
        }
        for choice in list(&chunk, "choices").filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0) {
            self.delta(choice.get("delta").unwrap_or(&choice["message"]));
            if let Some(reason) = text(choice, "finish_reason") {
                self.told.finish = Some(reason.to_owned());
            }
            self.usage(&choice["usage"]);
        }
        self.usage(&chunk["usage"]);
    }

    fn told(&self) -> &Told {
        &self.told
    }
}

impl Chat {
    fn delta(&mut self, delta: &Value) {
        // Some tell the same thoughts in two fields.
        let thoughts = [text(delta, "reasoning_content"), text(delta, "reasoning")];
        match thoughts.into_iter().flatten().next() {
            Some(thoughts) => self.told.say_reasoning(thoughts),
            None => list(delta, "reasoning_details").for_each(|detail| {
                self.told.say_reasoning(text(detail, "text").or(text(detail, "summary")).unwrap_or_default());
            }),
        }
        self.told.say_text(text(delta, "content").unwrap_or_default());
        // Mistral's content is a list while its model thinks.
        for part in list(delta, "content") {
            self.told.say_text(text(part, "text").unwrap_or_default());
            list(part, "thinking").for_each(|thought| {
                self.told.say_reasoning(text(thought, "text").unwrap_or_default());
            });
        }
        self.told.say_refusal(text(delta, "refusal").unwrap_or_default());
        list(delta, "tool_calls").for_each(|call| self.call(call));
    }

    fn call(&mut self, piece: &Value) {
        let function = piece.get("function").or(piece.get("custom")).unwrap_or(&Value::Null);
        let (id, name) = (text(piece, "id").unwrap_or_default(), text(function, "name").unwrap_or_default());
        let index = piece["index"].as_u64();
        let known = match index {
            Some(index) => self.by_index.get(&index).copied(),
            None if !id.is_empty() => self.told.calls.iter().position(|call| call.id == id),
            None => self.told.calls.len().checked_sub(1),
        };
        let known = known.filter(|&at| {
            let call = &self.told.calls[at];
            let is_other = !id.is_empty() && !call.id.is_empty() && call.id != id;
            let is_anew = !name.is_empty() && call.id != id && call.object().is_some() && !call.arguments.is_empty();
            !is_other && !is_anew
        });
        let at = known.unwrap_or_else(|| self.told.call(id, name));
        if let Some(index) = index {
            self.by_index.insert(index, at);
        }
        let arguments = match function.get("arguments").or(function.get("input")) {
            Some(Value::String(fragment)) => fragment.clone(),
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => String::new(),
        };
        self.told.calls[at].arguments.push_str(&arguments);
        self.told.calls[at].is_text |= piece.get("custom").is_some();
    }

    fn usage(&mut self, usage: &Value) {
        let Some(input) = number(usage, "/prompt_tokens") else { return };
        let output = number(usage, "/completion_tokens").unwrap_or(0);
        let reasoning = number(usage, "/completion_tokens_details/reasoning_tokens");
        // xAI counts thoughts beside the completion, as its total tells.
        let is_beside = number(usage, "/total_tokens") == Some(input + output + reasoning.unwrap_or(0));
        self.told.usage = Some(Usage {
            input,
            output: if is_beside { output + reasoning.unwrap_or(0) } else { output },
            cached: number(usage, "/prompt_tokens_details/cached_tokens").or(number(usage, "/prompt_cache_hit_tokens")),
            cache_write: number(usage, "/prompt_tokens_details/cache_write_tokens"),
            reasoning,
        });
    }
}
