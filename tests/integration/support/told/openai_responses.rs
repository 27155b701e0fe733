//! Events of responses, of all who write such.

use std::collections::HashMap;

use serde_json::Value;

use super::{Reader, Told, Usage, list, number, text};

#[derive(Default)]
pub(super) struct Responses {
    told: Told,
    items: HashMap<u64, Item>,
}

/// What is known of an item of the output.
#[derive(Default)]
struct Item {
    /// Something of its text has come.
    told: bool,
    /// The place of the call that it is.
    call: Option<usize>,
}

impl Reader for Responses {
    fn event(&mut self, name: Option<&str>, data: &str) {
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        let index = event["output_index"].as_u64().unwrap_or(0);
        let delta = text(&event, "delta").unwrap_or_default();
        match text(&event, "type").or(name).unwrap_or_default() {
            "error" => self.told.fail(&event),
            "response.output_item.added" => self.added(index, &event["item"]),
            "response.output_text.delta" => self.item(index).say_text(delta),
            "response.refusal.delta" => self.item(index).say_refusal(delta),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" | "response.reasoning.delta" => {
                self.item(index).say_reasoning(delta);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                if let Some(place) = self.items.entry(index).or_default().call {
                    self.told.calls[place].arguments.push_str(delta);
                }
            }
            "response.output_item.done" => self.done(index, &event["item"]),
            "response.completed" | "response.incomplete" | "response.failed" => self.terminal(&event["response"]),
            _ => {}
        }
    }

    fn told(&self) -> &Told {
        &self.told
    }
}

impl Responses {
    fn item(&mut self, index: u64) -> &mut Told {
        self.items.entry(index).or_default().told = true;
        &mut self.told
    }

    fn added(&mut self, index: u64, item: &Value) {
        let kind = text(item, "type").unwrap_or_default();
        if matches!(kind, "function_call" | "custom_tool_call") {
            let id = text(item, "call_id").unwrap_or_default();
            let place = self.told.call(id, text(item, "name").unwrap_or_default());
            self.told.calls[place].is_text = kind == "custom_tool_call";
            self.items.entry(index).or_default().call = Some(place);
        }
    }

    /// The whole of an item. It counts for a call, and for texts of which nothing has come yet.
    fn done(&mut self, index: u64, item: &Value) {
        let kind = text(item, "type").unwrap_or_default();
        if matches!(kind, "function_call" | "custom_tool_call") {
            if self.items.entry(index).or_default().call.is_none() {
                self.added(index, item);
            }
            let place = self.items[&index].call.unwrap_or_default();
            if let Some(whole) = text(item, "arguments").or(text(item, "input")) {
                whole.clone_into(&mut self.told.calls[place].arguments);
            }
        }
        if std::mem::replace(&mut self.items.entry(index).or_default().told, true) {
            return;
        }
        let words = |part: &Value| text(part, "text").unwrap_or_default().to_owned();
        match kind {
            "message" => {
                for part in list(item, "content") {
                    self.told.say_text(&words(part));
                    self.told.say_refusal(text(part, "refusal").unwrap_or_default());
                }
            }
            "reasoning" => {
                list(item, "summary")
                    .chain(list(item, "content"))
                    .for_each(|part| self.told.say_reasoning(&words(part)));
            }
            _ => {}
        }
    }

    fn terminal(&mut self, response: &Value) {
        for (index, item) in list(response, "output").enumerate() {
            let index = index as u64;
            if !self.items.get(&index).is_some_and(|known| known.told) && self.items.len() <= index as usize {
                self.done(index, item);
            }
        }
        let usage = &response["usage"];
        if let Some(input) = number(usage, "/input_tokens") {
            self.told.usage = Some(Usage {
                input,
                output: number(usage, "/output_tokens").unwrap_or(0),
                cached: number(usage, "/input_tokens_details/cached_tokens"),
                cache_write: number(usage, "/input_tokens_details/cache_write_tokens"),
                reasoning: number(usage, "/output_tokens_details/reasoning_tokens"),
            });
        }
        let status = text(response, "status").unwrap_or("completed");
        let reason = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
        self.told.finish = Some(reason.map_or_else(|| status.to_owned(), |reason| format!("{status}: {reason}")));
        if status == "failed" {
            self.told.fail(&response["error"]);
        }
        self.told.ended = self.told.error.is_none();
    }
}
