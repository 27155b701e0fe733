//! The conversation so far.

use serde_json::{Map, Value, json};

use super::super::OpenAiChat;
use super::super::details;
use super::super::encode::words_of;
use crate::canonical::{
    ChatRequest, Field, Losses, Media, Message, OpenCalls, Part, Role, Seal, Source, ToolCall, ToolKind, ToolResult,
    ids,
};
use crate::dialect::quirks::ChatQuirks;
use crate::dialect::{Dialect, Recipient};

pub(super) fn encode(request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Vec<Value> {
    let quirks = &to.quirks.chat;
    let (written, shown, open) = (Vec::new(), Vec::new(), OpenCalls::default());
    let mut writer = Writer { to, quirks, losses, written, shown, open, calls: 0 };
    for message in &request.messages {
        writer.message(message);
    }
    writer.show(Vec::new());
    // Where such an end must be announced, it is refused otherwise.
    if let Some(last) = writer.written.last_mut().filter(|last| quirks.prefix && last["role"] == "assistant")
        && last["content"].is_string()
    {
        last["prefix"] = true.into();
    }
    writer.written
}

struct Writer<'a, 'l> {
    to: &'a Recipient<'a>,
    quirks: &'a ChatQuirks,
    losses: &'a mut Losses<'l>,
    written: Vec<Value>,
    /// What results of tools show and only a user can.
    shown: Vec<Value>,
    /// The calls of the model's last turn.
    open: OpenCalls,
    calls: usize,
}

impl Writer<'_, '_> {
    fn message(&mut self, message: &Message) {
        match message.role {
            Role::System | Role::Developer => self.instructions(message),
            Role::User => self.user(message),
            Role::Assistant => self.assistant(message),
        }
    }

    fn instructions(&mut self, message: &Message) {
        self.show(Vec::new());
        let role = if message.role == Role::Developer && self.quirks.developer_role { "developer" } else { "system" };
        if message.parts.iter().any(|part| !matches!(part, Part::Text(_))) {
            self.losses.meaning(Field::Messages, "instructions are text in Chat Completions");
        }
        let content = texts(&message.parts).join("\n\n");
        if !content.is_empty() {
            self.written.push(json!({ "role": role, "content": content }));
        }
    }

    /// The results of tools come first: nothing may stand between them and their calls, be it in one message or in several.
    fn user(&mut self, message: &Message) {
        let (mut content, mut has_results) = (Vec::new(), false);
        for part in &message.parts {
            if let Part::ToolResult(result) = part {
                self.result(result);
                has_results = true;
            } else {
                content.extend(self.part(part));
            }
        }
        if has_results && !self.open.is_empty() {
            self.shown.append(&mut content);
        } else if !content.is_empty() {
            self.show(content);
        }
    }

    /// Writes what only a user can show, and `content` behind it.
    fn show(&mut self, mut content: Vec<Value>) {
        let mut all = std::mem::take(&mut self.shown);
        all.append(&mut content);
        let content = match all.as_slice() {
            [] => return,
            [part] if part["type"] == "text" => part["text"].clone(),
            _ => all.into(),
        };
        self.written.push(json!({ "role": "user", "content": content }));
    }

    fn result(&mut self, result: &ToolResult) {
        let call = self.open.answer(result);
        let id = call.map_or_else(|| self.fit(&result.call_id), |call| call.native);
        let mut text = texts(&result.parts).join("\n\n");
        if result.is_error {
            text.insert_str(0, "Error: ");
        }
        let media = result.parts.iter().filter(|part| matches!(part, Part::Image(_) | Part::Audio(_) | Part::File(_)));
        let media: Vec<Value> = media.filter_map(|part| self.part(part)).collect();
        if !media.is_empty() {
            if text.is_empty() {
                "The result is in the next message.".clone_into(&mut text);
            }
            self.shown.push(json!({ "type": "text", "text": format!("Of the result of {id}:") }));
            self.shown.extend(media);
        }
        self.written.push(json!({ "role": "tool", "tool_call_id": id, "content": text }));
    }

    fn fit(&self, id: &str) -> String {
        if self.quirks.short_ids {
            ids::fit(id, "", 9, |id| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        } else {
            // OpenAI takes no longer ones.
            ids::fit(id, "call_", 24, |id| (1..=40).contains(&id.len()))
        }
    }

    /// A part of what a user says.
    fn part(&mut self, part: &Part) -> Option<Value> {
        let (written, why) = match part {
            Part::Text(text) => (Some(json!({ "type": "text", "text": text.text })), ""),
            Part::Refusal(text) => (Some(json!({ "type": "text", "text": text })), ""),
            Part::Image(media) => (image(media), "a picture that was uploaded to another provider is not there"),
            Part::Audio(media) => (audio(media), "a recording must be sent itself in Chat Completions"),
            Part::File(media) => (file(media), "a document must be sent itself in Chat Completions"),
            _ => (None, "what a model says is not a user's in Chat Completions"),
        };
        if written.is_none() {
            self.losses.meaning(Field::Messages, why);
        }
        written
    }

    fn assistant(&mut self, message: &Message) {
        self.show(Vec::new());
        self.open = OpenCalls::default();
        let (mut content, mut thoughts, mut calls, mut marked) =
            (None::<String>, String::new(), Vec::new(), Vec::new());
        for part in &message.parts {
            match part {
                Part::Text(text) => {
                    content.get_or_insert_default().push_str(&text.text);
                    marked.extend(self.details(text.seal.as_ref(), ""));
                }
                Part::Refusal(text) => content.get_or_insert_default().push_str(text),
                Part::Reasoning { text, seal } => {
                    thoughts.push_str(text);
                    marked.extend(self.details(seal.as_ref(), text));
                }
                Part::ToolCall(call) => {
                    marked.extend(self.details(call.seal.as_ref(), ""));
                    calls.push(self.call(call));
                }
                _ => self.losses.meaning(Field::Messages, "a model says nothing but text in Chat Completions"),
            }
        }
        let mut fields = Map::new();
        fields.insert("role".to_owned(), "assistant".into());
        fields.insert("content".to_owned(), content.into());
        match self.quirks.thoughts {
            _ if !marked.is_empty() => {
                fields.insert("reasoning_details".to_owned(), marked.into());
            }
            Some(name) if !thoughts.is_empty() || (self.quirks.demands_thoughts && !calls.is_empty()) => {
                fields.insert(name.to_owned(), thoughts.into());
            }
            _ => {}
        }
        if !calls.is_empty() {
            fields.insert("tool_calls".to_owned(), calls.into());
        } else if fields["content"].is_null() {
            // Nothing is left but thoughts, which may have no place.
            if fields.len() == 2 {
                return;
            }
            fields.insert("content".to_owned(), "".into());
        }
        self.written.push(fields.into());
    }

    fn call(&mut self, call: &ToolCall) -> Value {
        self.calls += 1;
        let id = if call.id.is_empty() { ids::call_id("conversation", self.calls) } else { call.id.clone() };
        let id = self.fit(&id);
        self.open.push(call, &*id);
        let mut written = match (call.kind, self.quirks.custom_tools) {
            // A provider that knows no such tools is shown what has been said as a function's call.
            (ToolKind::Custom, false) => {
                let arguments = json!({ "input": call.arguments }).to_string();
                json!({ "id": id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
            }
            (kind, _) => {
                let (word, name) = words_of(kind);
                let is_nothing = kind == ToolKind::Function && call.arguments.trim().is_empty();
                let arguments = if is_nothing { "{}" } else { &call.arguments };
                json!({ "id": id, "type": word, word: { "name": call.name, name: arguments } })
            }
        };
        let mark = call.seal.as_ref().and_then(|seal| self.mark(seal));
        if let Some(extra) = mark.and_then(|mark| serde_json::from_str::<Map<String, Value>>(mark).ok())
            && let Some(extra) = extra.get("extra_content")
        {
            written["extra_content"] = extra.clone();
        }
        written
    }

    /// What `seal` keeps of `reasoning_details`, with the `text` it is on.
    fn details(&self, seal: Option<&Seal>, text: &str) -> Vec<Value> {
        seal.and_then(|seal| details::restore(self.mark(seal)?, text)).unwrap_or_default()
    }

    /// The mark, if it is this provider's.
    fn mark<'s>(&self, seal: &'s Seal) -> Option<&'s str> {
        seal.for_provider(OpenAiChat.name(), self.to.provider)
    }
}

fn texts(parts: &[Part]) -> Vec<&str> {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(&*text.text),
        Part::Refusal(text) => Some(&**text),
        _ => None,
    });
    texts.collect()
}

fn image(media: &Media) -> Option<Value> {
    let mut image = json!({ "url": media.to_url("image/png")? });
    if let Some(detail) = &media.detail {
        image["detail"] = detail.as_str().into();
    }
    Some(json!({ "type": "image_url", "image_url": image }))
}

fn audio(media: &Media) -> Option<Value> {
    let Source::Data(data) = &media.source else { return None };
    let format = match media.media_type.as_deref() {
        Some("audio/mpeg" | "audio/mp3") => "mp3",
        Some("audio/wav" | "audio/x-wav" | "audio/wave") | None => "wav",
        Some(other) => other.rsplit('/').next()?,
    };
    Some(json!({ "type": "input_audio", "input_audio": { "data": data, "format": format } }))
}

fn file(media: &Media) -> Option<Value> {
    let Source::Data(_) = &media.source else { return None };
    let name = media.name.as_deref().unwrap_or("document.pdf");
    Some(json!({ "type": "file", "file": { "filename": name, "file_data": media.to_url("application/pdf")? } }))
}
