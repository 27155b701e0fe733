//! The conversation as a row of items.

use serde_json::{Map, Value, json};

use super::super::seal;
use super::calls::Calls;
use super::media;
use crate::canonical::{Field, Losses, Message, Part, Role, Seal, Text, ToolCall, ToolKind, ToolResult};
use crate::dialect::{Dialect, OpenAiResponses, Recipient};

/// The items as far as they have been written.
#[derive(Debug)]
pub(super) struct Items<'a, 'l> {
    list: Vec<Value>,
    calls: Calls,
    /// Thoughts that stand before what they led to, and not without it.
    thoughts: Vec<Value>,
    has_seals: bool,
    to: &'a Recipient<'a>,
    losses: &'a mut Losses<'l>,
}

impl<'a, 'l> Items<'a, 'l> {
    pub(super) fn read(messages: &[Message], to: &'a Recipient<'a>, losses: &'a mut Losses<'l>) -> Self {
        let (list, thoughts) = (Vec::new(), Vec::new());
        let mut items = Self { list, calls: Calls::default(), thoughts, has_seals: false, to, losses };
        for message in messages {
            match message.role {
                Role::System => items.others("system", &message.parts),
                Role::Developer => items.others("developer", &message.parts),
                Role::User => items.others("user", &message.parts),
                Role::Assistant => items.assistant(&message.parts),
            }
        }
        items
    }

    /// Whether thoughts are among them that only this provider can read.
    pub(super) fn has_seals(&self) -> bool {
        self.has_seals
    }

    pub(super) fn into_list(self) -> Vec<Value> {
        self.list
    }

    /// A message, and the results that stand in it, which are items of their own.
    fn others(&mut self, role: &str, parts: &[Part]) {
        let mut said = Vec::new();
        for part in parts {
            if let Part::ToolResult(result) = part {
                self.message(role, &std::mem::take(&mut said));
                self.result(result);
            } else {
                said.push(part);
            }
        }
        self.message(role, &said);
    }

    fn message(&mut self, role: &str, parts: &[&Part]) {
        if parts.is_empty() {
            return;
        }
        let content = media::content(parts, self.losses);
        // Nothing may be left of it.
        if content.as_array().is_none_or(|parts| !parts.is_empty()) {
            self.list.push(json!({ "type": "message", "role": role, "content": content }));
        }
    }

    fn result(&mut self, result: &ToolResult) {
        let call_id = self.calls.answer(result);
        let parts: Vec<&Part> = result.parts.iter().collect();
        let mut output = media::content(&parts, self.losses);
        if result.is_error {
            mark_as_error(&mut output);
        }
        let kind = match result.kind {
            ToolKind::Function => "function_call_output",
            ToolKind::Custom => "custom_tool_call_output",
        };
        self.list.push(json!({ "type": kind, "call_id": call_id, "output": output }));
    }

    fn assistant(&mut self, parts: &[Part]) {
        let mut said: Vec<Value> = Vec::new();
        for part in parts {
            match part {
                Part::Text(Text { text, seal, .. }) => {
                    self.reason("", seal.as_ref(), &mut said);
                    if !text.is_empty() {
                        said.push(json!({ "type": "output_text", "text": text }));
                    }
                }
                Part::Refusal(text) => said.push(json!({ "type": "refusal", "refusal": text })),
                Part::Reasoning { text, seal } => self.reason(text, seal.as_ref(), &mut said),
                Part::ToolCall(call) => {
                    self.reason("", call.seal.as_ref(), &mut said);
                    self.say(&mut said);
                    self.call(call);
                }
                Part::Image(_) | Part::Audio(_) | Part::File(_) => {
                    self.losses.meaning(Field::Messages, "OpenAI Responses takes only words of the model's");
                }
                Part::ToolResult(result) => self.result(result),
            }
        }
        self.say(&mut said);
        // OpenAI takes no thoughts that led to nothing.
        self.thoughts.clear();
    }

    /// What the model has said so far is a message.
    fn say(&mut self, said: &mut Vec<Value>) {
        let content = match said.as_mut_slice() {
            [] => return,
            [only] if only["type"] == "output_text" => only["text"].take(),
            _ => Value::Array(std::mem::take(said)),
        };
        said.clear();
        self.list.append(&mut self.thoughts);
        self.list.push(json!({ "type": "message", "role": "assistant", "content": content }));
    }

    /// Thoughts behind what was said, if they are this provider's. Those of others, and those without a seal, it does not
    /// take.
    fn reason(&mut self, text: &str, seal: Option<&Seal>, said: &mut Vec<Value>) {
        let data = seal.and_then(|seal| seal.for_provider(OpenAiResponses.name(), self.to.provider));
        let Some((id, encrypted)) = data.and_then(seal::unpack) else { return };
        self.say(said);
        self.has_seals |= !encrypted.is_empty();
        let mut item = Map::new();
        item.insert("type".to_owned(), json!("reasoning"));
        item.insert("id".to_owned(), json!(id));
        let is_told = !text.is_empty();
        let summary = (is_told && !encrypted.is_empty()).then(|| json!({ "type": "summary_text", "text": text }));
        item.insert("summary".to_owned(), json!(Vec::from_iter(summary)));
        if encrypted.is_empty() {
            let content = is_told.then(|| json!({ "type": "reasoning_text", "text": text }));
            item.insert("content".to_owned(), json!(Vec::from_iter(content)));
        } else {
            item.insert("encrypted_content".to_owned(), json!(encrypted));
        }
        self.thoughts.push(Value::Object(item));
    }

    fn call(&mut self, call: &ToolCall) {
        let call_id = self.calls.make(call);
        self.list.append(&mut self.thoughts);
        self.list.push(match call.kind {
            ToolKind::Function => {
                let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
                json!({ "type": "function_call", "call_id": call_id, "name": call.name, "arguments": arguments })
            }
            ToolKind::Custom => {
                json!({ "type": "custom_tool_call", "call_id": call_id, "name": call.name, "input": call.arguments })
            }
        });
    }
}

/// There is no other place to say that a tool failed.
fn mark_as_error(output: &mut Value) {
    match output {
        Value::String(text) => text.insert_str(0, "Error: "),
        Value::Array(parts) => parts.insert(0, json!({ "type": "input_text", "text": "Error:" })),
        _ => {}
    }
}
