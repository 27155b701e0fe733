//! The conversation: `instructions` and `input`.
//!
//! What one dialect says in one turn is a row of items here. So the items of the model that follow each other are made one
//! message again, and so are the results that follow each other.

use serde_json::Value;

use super::media;
use crate::canonical::{Message, On, Part, Role, Seal, ToolCall, ToolKind, ToolResult};
use crate::dialect::Malformed;
use crate::dialect::fields::{Content, Fields, Notes};

/// The conversation as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Input {
    messages: Vec<Message>,
}

impl Input {
    pub(super) fn into_messages(self) -> Vec<Message> {
        self.messages
    }

    pub(super) fn instructions(&mut self, text: String) {
        if !text.is_empty() {
            self.messages.push(Message::text(Role::System, text));
        }
    }

    pub(super) fn read(&mut self, request: &mut Fields, notes: &mut Notes) -> Result<(), Malformed> {
        match request.needed_content("input")? {
            Content::Text(text) => self.messages.push(Message::text(Role::User, text)),
            Content::Objects(items) => {
                for item in items {
                    self.item(item, notes)?;
                }
            }
        }
        Ok(())
    }

    fn item(&mut self, mut item: Fields, notes: &mut Notes) -> Result<(), Malformed> {
        let kind = item.string("type")?;
        match kind.as_deref() {
            None | Some("message") if item.has("role") => self.message(item, notes),
            Some("function_call") => self.call(item, ToolKind::Function, "arguments", notes),
            Some("custom_tool_call") => self.call(item, ToolKind::Custom, "input", notes),
            Some("function_call_output") => self.result(item, ToolKind::Function, notes),
            Some("custom_tool_call_output") => self.result(item, ToolKind::Custom, notes),
            Some("reasoning") => self.thoughts(item),
            // Something that a store would know, or that a tool of OpenAI's own has said.
            Some("item_reference") | None if item.has("id") => {
                notes.meaning(item.path());
                Ok(())
            }
            Some("message") | None => Err(item.wrong("role", "user, assistant, system or developer")),
            Some(_) => {
                notes.meaning(item.path_of("type"));
                Ok(())
            }
        }
    }

    fn message(&mut self, mut item: Fields, notes: &mut Notes) -> Result<(), Malformed> {
        let role = match item.needed_string("role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "developer" => Role::Developer,
            _ => return Err(item.wrong("role", "user, assistant, system or developer")),
        };
        let parts = media::read_content(item.needed_content("content")?, notes)?;
        // Which message is a remark and which is the answer: the model's own provider wants to be told.
        if item.take("phase").is_some() {
            notes.hint("input[].phase");
        }
        match role {
            Role::Assistant => self.assistant().parts.extend(parts),
            _ => self.messages.push(Message { role, parts }),
        }
        forget(&mut item);
        notes.rest(&item, &[]);
        Ok(())
    }

    fn call(
        &mut self,
        mut item: Fields,
        kind: ToolKind,
        arguments: &'static str,
        notes: &mut Notes,
    ) -> Result<(), Malformed> {
        let call = ToolCall {
            id: item.needed_string("call_id")?,
            name: item.needed_string("name")?,
            arguments: item.needed_string(arguments)?,
            kind,
            seal: None,
        };
        self.assistant().parts.push(Part::ToolCall(call));
        forget(&mut item);
        notes.rest(&item, &[]);
        Ok(())
    }

    fn result(&mut self, mut item: Fields, kind: ToolKind, notes: &mut Notes) -> Result<(), Malformed> {
        let call_id = item.needed_string("call_id")?;
        let parts = media::read_content(item.needed_content("output")?, notes)?;
        let result = ToolResult { call_id, name: item.string("name")?, kind, parts, is_error: false };
        forget(&mut item);
        notes.rest(&item, &[]);
        let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
        match self.messages.last_mut() {
            Some(last) if last.role == Role::User && last.parts.iter().all(is_result) && !last.parts.is_empty() => {
                last.parts.push(Part::ToolResult(result));
            }
            _ => self.messages.push(Message { role: Role::User, parts: vec![Part::ToolResult(result)] }),
        }
        Ok(())
    }

    /// Thoughts, whose encrypted content is a seal if this proxy has told it, and else nobody's who will be asked.
    fn thoughts(&mut self, mut item: Fields) -> Result<(), Malformed> {
        let encrypted_content = item.string("encrypted_content")?.unwrap_or_default();
        let seal = match Seal::parse_on(&encrypted_content) {
            Some((seal, On::Thoughts)) => Some(seal),
            Some((seal, on)) => {
                self.attach(seal, &on);
                return Ok(());
            }
            None => None,
        };
        let mut texts = read_texts(item.list("summary")?);
        if texts.is_empty() {
            texts = read_texts(item.list("content")?);
        }
        let text = texts.join("\n\n");
        if !text.is_empty() || seal.is_some() {
            self.assistant().parts.push(Part::Reasoning { text, seal });
        }
        Ok(())
    }

    /// Puts a seal back on the call or the text that it belongs to.
    fn attach(&mut self, mark: Seal, on: &On) {
        let said = self.messages.iter_mut().rev().filter(|message| message.role == Role::Assistant);
        for part in said.flat_map(|message| message.parts.iter_mut().rev()) {
            match (part, on) {
                (Part::ToolCall(call), On::Call(id)) if call.id == *id => return call.seal = Some(mark),
                (Part::Text(text), On::Text) => return text.seal = Some(mark),
                _ => {}
            }
        }
    }

    /// The model's turn.
    fn assistant(&mut self) -> &mut Message {
        if self.messages.last().is_none_or(|last| last.role != Role::Assistant) {
            self.messages.push(Message { role: Role::Assistant, parts: Vec::new() });
        }
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }
}

/// What every item may have and nobody needs.
fn forget(item: &mut Fields) {
    for name in ["id", "status", "namespace", "caller", "prompt_cache_breakpoint"] {
        item.take(name);
    }
}

fn read_texts(parts: Vec<Value>) -> Vec<String> {
    let text = |part: Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
    parts.into_iter().filter_map(text).filter(|text| !text.is_empty()).collect()
}
