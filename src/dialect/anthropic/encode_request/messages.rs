//! Writes what has been said, turn by turn.
//!
//! Anthropic wants turns of users and of the model, with the results of all calls at the beginning of the turn that follows
//! them. <https://docs.claude.com/en/docs/agents-and-tools/tool-use/implement-tool-use>

use serde_json::{Value, json};

use super::calls::Calls;
use super::media;
use crate::canonical::{ChatRequest, Field, Losses, Message, Part, Role, Seal, ToolCall, ToolKind, ToolResult};
use crate::dialect::Recipient;
use crate::dialect::anthropic::NAME;
use crate::dialect::anthropic::decode::REDACTED;
use crate::dialect::anthropic::encode::text_input;

/// A conversation as Anthropic wants it.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    instructions: Vec<String>,
    turns: Vec<Turn>,
}

#[derive(Debug)]
struct Turn {
    is_models: bool,
    /// Results of the calls in the turn before.
    results: Vec<Value>,
    blocks: Vec<Value>,
}

impl Conversation {
    /// One more instruction, behind all others.
    pub(super) fn instruct(&mut self, text: &str) {
        self.instructions.push(text.to_owned());
    }

    /// The instructions, as one text.
    pub(super) fn system(&self) -> Option<String> {
        (!self.instructions.is_empty()).then(|| self.instructions.join("\n\n"))
    }

    pub(super) fn into_messages(self) -> Value {
        let message = |turn: Turn| {
            let role = if turn.is_models { "assistant" } else { "user" };
            let content: Vec<Value> = turn.results.into_iter().chain(turn.blocks).collect();
            json!({ "role": role, "content": content })
        };
        self.turns.into_iter().map(message).collect()
    }

    /// Whether the turn that the model is to go on with, if there is one, begins with its thoughts. It goes on where the user
    /// has said nothing since but the results of its calls.
    pub(super) fn shows_its_thoughts(&self) -> bool {
        let going_on = self.turns.iter().rev().take_while(|turn| turn.is_models || !turn.results.is_empty());
        let first = going_on.filter(|turn| turn.is_models).last().and_then(|turn| turn.blocks.first());
        first.is_none_or(|block| block["type"] == "thinking" || block["type"] == "redacted_thinking")
    }
}

pub(super) fn encode(request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Conversation {
    let mut writer = Writer { to, losses, calls: Calls::default(), conversation: Conversation::default() };
    let (instructions, said) = request.split_instructions();
    for message in instructions {
        let texts = writer.texts(message);
        writer.conversation.instructions.extend(texts);
    }
    for message in said {
        if message.is_instruction() {
            writer.late_instruction(message);
        } else {
            writer.message(message);
        }
    }
    writer.end()
}

struct Writer<'a, 'l> {
    to: &'a Recipient<'a>,
    losses: &'a mut Losses<'l>,
    calls: Calls,
    conversation: Conversation,
}

impl Writer<'_, '_> {
    /// The texts of an instruction.
    fn texts(&mut self, message: &Message) -> Vec<String> {
        let mut texts = Vec::new();
        for part in &message.parts {
            match part {
                Part::Text(text) if text.text.trim().is_empty() => {}
                Part::Text(text) => texts.push(text.text.clone()),
                _ => self.losses.meaning(Field::Messages, "instructions for Anthropic's models are text"),
            }
        }
        texts
    }

    /// An instruction behind the beginning, which is told where it stands.
    fn late_instruction(&mut self, message: &Message) {
        for text in self.texts(message) {
            self.losses.hint(
                Field::Messages,
                "Anthropic's instructions stand at the beginning; later ones are told by the user",
            );
            self.block(false, json!({ "type": "text", "text": format!("<system>\n{text}\n</system>") }));
        }
    }

    fn message(&mut self, message: &Message) {
        let is_models = message.role == Role::Assistant;
        for part in &message.parts {
            match part {
                Part::Reasoning { text, seal } => self.thoughts(text, seal.as_ref()),
                Part::ToolCall(call) => self.call(call),
                Part::ToolResult(result) => self.result(result),
                _ => {
                    if let Some(block) = self.said(part, is_models) {
                        self.block(is_models, block);
                    }
                }
            }
        }
    }

    /// What anyone may say. Anthropic refuses empty texts.
    fn said(&mut self, part: &Part, is_models: bool) -> Option<Value> {
        match part {
            Part::Text(text) => text_block(&text.text),
            Part::Refusal(text) => text_block(text),
            Part::Image(_) | Part::File(_) if is_models => {
                self.losses.meaning(Field::Messages, "Anthropic's models say nothing but text");
                None
            }
            Part::Image(media) => media::picture(media, self.losses),
            Part::File(media) => media::document(media, self.losses),
            _ => {
                self.losses.meaning(Field::Messages, "Anthropic's models cannot hear");
                None
            }
        }
    }

    /// Thoughts without a mark of this provider's are refused by it.
    fn thoughts(&mut self, text: &str, seal: Option<&Seal>) {
        let Some(mark) = seal.and_then(|seal| seal.for_provider(NAME, self.to.provider)) else {
            return self
                .losses
                .hint(Field::Messages, "thoughts that are not this provider's own cannot be shown to it");
        };
        let block = match mark.strip_prefix(REDACTED) {
            Some(data) => json!({ "type": "redacted_thinking", "data": data }),
            None => json!({ "type": "thinking", "thinking": text, "signature": mark }),
        };
        self.block(true, block);
    }

    fn call(&mut self, call: &ToolCall) {
        let arguments = call.json_arguments().filter(|_| call.kind == ToolKind::Function);
        let object = arguments.and_then(|arguments| serde_json::from_str(arguments).ok());
        let input: Value = object.unwrap_or_else(|| text_input(&call.arguments));
        // The turn must have begun before its calls are counted.
        self.turn(true);
        let id = self.calls.begin(call);
        self.block(true, json!({ "type": "tool_use", "id": id, "name": call.name, "input": input }));
    }

    fn result(&mut self, result: &ToolResult) {
        let parts: Vec<Value> = result.parts.iter().filter_map(|part| self.said(part, false)).collect();
        let Some(id) = self.calls.answer(result) else {
            self.losses.hint(Field::Messages, "a result of no call in the turn before is told as the user's words");
            return parts.into_iter().for_each(|block| self.block(false, block));
        };
        let mut block = json!({ "type": "tool_result", "tool_use_id": id });
        match &*parts {
            [] => {}
            [only] if only["type"] == "text" => block["content"] = only["text"].clone(),
            _ => block["content"] = parts.into(),
        }
        if result.is_error {
            block["is_error"] = true.into();
        }
        self.turn(false).results.push(block);
    }

    fn block(&mut self, is_models: bool, block: Value) {
        self.turn(is_models).blocks.push(block);
    }

    /// The turn of the model or of the user that is going on, or a new one.
    fn turn(&mut self, is_models: bool) -> &mut Turn {
        let turns = &self.conversation.turns;
        if turns.last().is_none_or(|turn| turn.is_models != is_models) {
            self.settle();
            self.conversation.turns.push(Turn { is_models, results: Vec::new(), blocks: Vec::new() });
        }
        let last = self.conversation.turns.len() - 1;
        &mut self.conversation.turns[last]
    }

    /// The user's turn is at its end. A call that has not been answered would make the whole conversation invalid.
    fn settle(&mut self) {
        let Some(turn) = self.conversation.turns.last_mut().filter(|turn| !turn.is_models) else { return };
        for id in self.calls.give_up() {
            self.losses.hint(Field::Messages, "a call without a result is told to have failed");
            let content = "There is no result.";
            turn.results
                .push(json!({ "type": "tool_result", "tool_use_id": id, "content": content, "is_error": true }));
        }
    }

    fn end(mut self) -> Conversation {
        self.settle();
        let conversation = &mut self.conversation;
        match conversation.turns.last_mut() {
            // A model goes on with what it has begun to say, and refuses to go on behind white space.
            Some(turn) if turn.is_models => {
                if let Some(Value::String(text)) = turn.blocks.last_mut().and_then(|block| block.get_mut("text")) {
                    text.truncate(text.trim_end().len());
                }
            }
            Some(_) => {}
            None => {
                let blocks: Vec<Value> =
                    conversation.instructions.drain(..).filter_map(|text| text_block(&text)).collect();
                if !blocks.is_empty() {
                    self.losses.hint(
                        Field::Messages,
                        "Anthropic wants a user to say something; the instructions are told by one",
                    );
                    conversation.turns.push(Turn { is_models: false, results: Vec::new(), blocks });
                }
            }
        }
        self.conversation
    }
}

fn text_block(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| json!({ "type": "text", "text": text }))
}
