//! Events of messages.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Reader, Told, Usage, list, text};

#[derive(Default)]
pub(super) struct Messages {
    told: Told,
    started: bool,
    /// The kinds of the blocks, and the places of those that are calls.
    blocks: HashMap<u64, (String, usize)>,
    /// The numbers so far: what a later event says replaces them one by one.
    usage: Map<String, Value>,
}

impl Reader for Messages {
    fn event(&mut self, name: Option<&str>, data: &str) {
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        let kind = text(&event, "type").or(name).unwrap_or_default();
        let index = event["index"].as_u64().unwrap_or(0);
        match kind {
            "error" => self.told.fail(&event),
            "message_start" if !std::mem::replace(&mut self.started, true) => {
                let message = &event["message"];
                for (index, block) in list(message, "content").enumerate() {
                    self.start(index as u64, block);
                }
                self.finish(message);
                self.usage(&message["usage"]);
            }
            "content_block_start" => self.start(index, &event["content_block"]),
            "content_block_delta" => self.delta(index, &event["delta"]),
            "message_delta" => {
                self.finish(&event["delta"]);
                self.usage(&event["usage"]);
            }
            "message_stop" => self.told.ended = self.told.error.is_none(),
            _ => {}
        }
    }

    fn told(&self) -> &Told {
        &self.told
    }
}

impl Messages {
    fn start(&mut self, index: u64, block: &Value) {
        let kind = text(block, "type").unwrap_or_default();
        let mut place = 0;
        match kind {
            "text" => self.told.say_text(text(block, "text").unwrap_or_default()),
            "thinking" => self.told.say_reasoning(text(block, "thinking").unwrap_or_default()),
            "tool_use" => {
                place = self.told.call(text(block, "id").unwrap_or_default(), text(block, "name").unwrap_or_default());
                if block["input"].as_object().is_some_and(|input| !input.is_empty()) {
                    self.told.calls[place].arguments = block["input"].to_string();
                }
            }
            _ => {}
        }
        self.blocks.insert(index, (kind.to_owned(), place));
    }

    fn delta(&mut self, index: u64, delta: &Value) {
        let Some((kind, place)) = self.blocks.get(&index) else { return };
        match (kind.as_str(), text(delta, "type").unwrap_or_default()) {
            ("text", "text_delta") => self.told.say_text(text(delta, "text").unwrap_or_default()),
            ("thinking", "thinking_delta") => self.told.say_reasoning(text(delta, "thinking").unwrap_or_default()),
            ("tool_use", "input_json_delta") => {
                self.told.calls[*place].arguments.push_str(text(delta, "partial_json").unwrap_or_default());
            }
            _ => {}
        }
    }

    fn finish(&mut self, delta: &Value) {
        if let Some(reason) = text(delta, "stop_reason") {
            self.told.finish = Some(reason.to_owned());
        }
        if let Some(explanation) = delta.pointer("/stop_details/explanation").and_then(Value::as_str) {
            self.told.explanation = Some(explanation.to_owned());
        }
    }

    fn usage(&mut self, usage: &Value) {
        let Some(usage) = usage.as_object() else { return };
        self.usage.extend(
            usage.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())),
        );
        let all = Value::Object(self.usage.clone());
        let counted: Vec<&Value> = list(&all, "iterations")
            .filter(|iteration| matches!(iteration["type"].as_str(), Some("message" | "compaction")))
            .collect();
        let fell_back = list(&all, "iterations").any(|iteration| iteration["type"] == "fallback_message");
        let counted = if counted.is_empty() || fell_back { vec![&all] } else { counted };
        let sum = |name: &str| counted.iter().map(|counts| counts[name].as_u64().unwrap_or(0)).sum::<u64>();
        let (cached, written) = (sum("cache_read_input_tokens"), sum("cache_creation_input_tokens"));
        self.told.usage = Some(Usage {
            input: sum("input_tokens") + cached + written,
            output: sum("output_tokens"),
            cached: Some(cached),
            cache_write: Some(written),
            reasoning: all.pointer("/output_tokens_details/thinking_tokens").and_then(Value::as_u64),
        });
    }
}
