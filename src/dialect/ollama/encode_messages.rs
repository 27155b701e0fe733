//! Writes the conversation of a request.

use std::collections::HashMap;

use serde::Serialize;

use super::call::Call;
use crate::canonical::{self, Field, Losses, Media, Part, Role, Source, ToolCall, ToolResult};

#[derive(Debug, Default, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

pub(super) fn encode<'a>(messages: &'a [canonical::Message], losses: &mut Losses<'_>) -> Vec<Message<'a>> {
    let mut writer = Writer { messages: Vec::new(), names: HashMap::new() };
    for message in messages {
        match message.role {
            Role::System | Role::Developer => writer.turn("system", &message.parts, losses),
            Role::User => writer.turn("user", &message.parts, losses),
            Role::Assistant => writer.assistant(&message.parts, losses),
        }
    }
    writer.messages
}

struct Writer<'a> {
    messages: Vec<Message<'a>>,
    /// The names of the tools called so far, by the call's id: a result says which tool it is of.
    names: HashMap<&'a str, &'a str>,
}

impl<'a> Writer<'a> {
    /// A turn of anyone but the model. A model is shown the pictures of a message before its text, so a picture behind a text
    /// begins a new message.
    fn turn(&mut self, role: &'static str, parts: &'a [Part], losses: &mut Losses<'_>) {
        let mut message = Message { role, ..Message::default() };
        for part in parts {
            match part {
                Part::Text(text) => append(&mut message.content, &text.text),
                Part::Refusal(text) | Part::Reasoning { text, .. } => append(&mut message.content, text),
                Part::Image(media) => {
                    if let Some(image) = image(media, losses) {
                        if !message.content.is_empty() {
                            self.push(std::mem::replace(&mut message, Message { role, ..Message::default() }));
                        }
                        message.images.push(image);
                    }
                }
                Part::ToolResult(result) => {
                    self.push(std::mem::replace(&mut message, Message { role, ..Message::default() }));
                    let result = self.result(result, losses);
                    self.messages.push(result);
                }
                Part::Audio(_) | Part::File(_) | Part::ToolCall(_) => lose(part, losses),
            }
        }
        self.push(message);
    }

    fn assistant(&mut self, parts: &'a [Part], losses: &mut Losses<'_>) {
        let mut message = Message { role: "assistant", ..Message::default() };
        for part in parts {
            match part {
                // Texts of one answer are pieces of one text.
                Part::Text(text) => message.content.push_str(&text.text),
                Part::Refusal(text) => message.content.push_str(text),
                Part::Reasoning { text, .. } => append(&mut message.thinking, text),
                Part::ToolCall(call) => {
                    self.names.insert(&call.id, &call.name);
                    message.tool_calls.extend(tool_call(message.tool_calls.len(), call, losses));
                }
                Part::Image(media) => message.images.extend(image(media, losses)),
                Part::Audio(_) | Part::File(_) | Part::ToolResult(_) => lose(part, losses),
            }
        }
        self.push(message);
    }

    fn result(&self, result: &'a ToolResult, losses: &mut Losses<'_>) -> Message<'a> {
        let mut message = Message {
            role: "tool",
            tool_name: result.name.as_deref().or_else(|| self.names.get(&*result.call_id).copied()),
            tool_call_id: Some(&*result.call_id).filter(|id| !id.is_empty()),
            ..Message::default()
        };
        for part in &result.parts {
            match part {
                Part::Text(text) => append(&mut message.content, &text.text),
                Part::Image(media) => message.images.extend(image(media, losses)),
                _ => lose(part, losses),
            }
        }
        if result.is_error {
            message.content.insert_str(0, "Error: ");
        }
        message
    }

    /// Whatever says nothing is left out.
    fn push(&mut self, message: Message<'a>) {
        let Message { content, thinking, images, tool_calls, .. } = &message;
        if !(content.is_empty() && thinking.is_empty() && images.is_empty() && tool_calls.is_empty()) {
            self.messages.push(message);
        }
    }
}

/// Texts that were said apart stay apart.
fn append(content: &mut String, text: &str) {
    if !content.is_empty() && !text.is_empty() {
        content.push_str("\n\n");
    }
    content.push_str(text);
}

fn tool_call<'a>(index: usize, call: &'a ToolCall, losses: &mut Losses<'_>) -> Option<Call<'a>> {
    Call::new(index, call).or_else(|| {
        losses.hint(Field::Messages, "Ollama takes arguments that are objects, so others are sent as `input` of one");
        Call::with_input(index, call)
    })
}

fn image<'a>(media: &'a Media, losses: &mut Losses<'_>) -> Option<&'a str> {
    let Source::Data(data) = &media.source else {
        losses.meaning(Field::Messages, "Ollama takes pictures in base64 only, and none is fetched for it");
        return None;
    };
    if media.detail.as_ref().is_some_and(|detail| detail != "auto") {
        losses.hint(Field::Messages, "Ollama cannot be told how closely to look at a picture");
    }
    Some(data)
}

fn lose(part: &Part, losses: &mut Losses<'_>) {
    let why = match part {
        Part::Audio(_) => "Ollama takes no recordings",
        Part::File(_) => "Ollama takes no documents",
        _ => "Ollama has no place for this part of a message",
    };
    losses.meaning(Field::Messages, why);
}
