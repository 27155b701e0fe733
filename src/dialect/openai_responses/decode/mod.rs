//! Reads the stream of an upstream.
//!
//! Everything in it is told twice or thrice: in pieces, whole when it is finished, and once more at the very end. What has
//! been told in pieces is not told again; what some servers tell only at the end is told then. Items are known by their
//! place in the output, because some gateways change their names with every event.

mod item;

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::wire::{self, Event, Response, text_of};
use crate::canonical::{ChatEvent, Finish, FinishReason, Logprob, ToolKind, Usage};
use crate::dialect::json::Str;
use crate::dialect::{Decoder, Sink};
use crate::framing::sse;

use item::Told;

/// Reads one stream, or one answer.
#[derive(Debug, Default)]
pub(super) struct StreamDecoder {
    items: Vec<Told>,
    /// The place of the item that was told last.
    last: Option<u32>,
}

impl Decoder for StreamDecoder {
    fn decode(&mut self, frame: &sse::Event<'_>, data: &str, sink: Sink<'_>) {
        let Ok(event) = serde_json::from_str::<Event<'_>>(data) else { return };
        let name = frame.event.and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
        let kind = if event.r#type.is_empty() { name } else { &*event.r#type };
        match kind {
            "response.output_text.delta" => {
                let logprobs = wire::list_of::<wire::Logprob, _>(event.logprobs);
                self.text(&event, event.delta.as_ref(), logprobs, sink);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.arguments(&event, event.delta.as_ref().map(|delta| &*delta.0), sink);
            }
            // Open Responses has a shorter name for it.
            "response.reasoning_text.delta" | "response.reasoning.delta" => self.thoughts(&event, false, sink),
            "response.reasoning_summary_text.delta" => self.thoughts(&event, true, sink),
            "response.refusal.delta" => self.refusal(&event, event.delta.as_ref(), sink),
            _ => self.whole(kind, &event, sink),
        }
    }
}

impl StreamDecoder {
    /// An event that is no piece: there are few of them.
    fn whole(&mut self, kind: &str, event: &Event<'_>, sink: Sink<'_>) {
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(response) = response_of(event) {
                    start(&response, sink);
                }
            }
            "response.output_text.done" if !self.item(event, sink).has_spoken(event.content_index) => {
                let logprobs = wire::list_of::<wire::Logprob, _>(event.logprobs);
                self.text(event, event.text.as_ref(), logprobs, sink);
            }
            "response.refusal.done" if !self.item(event, sink).has_spoken(event.content_index) => {
                self.refusal(event, event.refusal.as_ref(), sink);
            }
            "response.output_text.annotation.added" => {
                let annotation = event.annotation.and_then(|value| serde_json::from_str(value.get()).ok());
                if let Some(annotation) = annotation {
                    self.item(event, sink).annotation(event.content_index, annotation, sink);
                }
            }
            "response.content_part.done" => {
                let part = event.part.and_then(|part| serde_json::from_str(part.get()).ok());
                if let Some(part) = part {
                    self.item(event, sink).part(event.content_index.unwrap_or(0), part, sink);
                }
            }
            "response.function_call_arguments.done" => self.all_arguments(event, event.arguments, sink),
            "response.custom_tool_call_input.done" => self.all_arguments(event, event.input, sink),
            "response.output_item.added" => {
                if let Some(item) = event.item {
                    self.item(event, sink).begin(item, sink);
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    self.item(event, sink).end(item, sink);
                }
            }
            "response.completed" | "response.incomplete" => {
                if let Some(response) = response_of(event) {
                    self.end(response, sink);
                }
            }
            _ => {}
        }
    }

    /// The whole response. What has not been told of it is told.
    pub(super) fn end(&mut self, response: Response<'_>, sink: Sink<'_>) {
        start(&response, sink);
        let finish = finish_of(response.incomplete_reason());
        for (index, item) in (0..).zip(response.output.into_iter().flatten()) {
            self.at(index, sink).end(item, sink);
        }
        if let Some(usage) = response.usage {
            sink(ChatEvent::Usage(Usage::from(usage)));
        }
        sink(ChatEvent::Finish(finish));
    }

    fn text(&mut self, event: &Event<'_>, text: Option<&Str<'_>>, logprobs: Vec<Logprob>, sink: Sink<'_>) {
        let item = self.item(event, sink);
        item.turn_to(event.content_index, sink);
        if let Some(Str(text)) = text {
            item.spoken = true;
            sink(ChatEvent::Text { text: Cow::Borrowed(text), logprobs });
        }
    }

    fn refusal(&mut self, event: &Event<'_>, text: Option<&Str<'_>>, sink: Sink<'_>) {
        let item = self.item(event, sink);
        item.turn_to(event.content_index, sink);
        if let Some(Str(text)) = text {
            item.spoken = true;
            sink(ChatEvent::Refusal(Cow::Borrowed(text)));
        }
    }

    fn thoughts(&mut self, event: &Event<'_>, is_summary: bool, sink: Sink<'_>) {
        let index = if is_summary { event.summary_index } else { event.content_index };
        let item = self.item(event, sink);
        if let Some(Str(text)) = &event.delta {
            item.thoughts(index, text, is_summary, sink);
        }
    }

    fn arguments(&mut self, event: &Event<'_>, fragment: Option<&str>, sink: Sink<'_>) {
        let item = self.item(event, sink);
        if let Some(fragment) = fragment.filter(|fragment| item.is_called() && !fragment.is_empty()) {
            item.spoken = true;
            sink(ChatEvent::Arguments { key: item.index, fragment: Cow::Borrowed(fragment) });
        }
    }

    /// For a call without arguments, and for servers that do not cut them in pieces, this is all of it.
    fn all_arguments(&mut self, event: &Event<'_>, arguments: Option<&RawValue>, sink: Sink<'_>) {
        if !self.item(event, sink).spoken {
            self.arguments(event, arguments.map(text_of).as_deref(), sink);
        }
    }

    fn item(&mut self, event: &Event<'_>, sink: Sink<'_>) -> &mut Told {
        self.at(event.output_index.or(self.last).unwrap_or(0), sink)
    }

    /// What has been told of the item at `index`. Whatever else was being told is finished by it, but for a call, whose
    /// pieces find it again.
    fn at(&mut self, index: u32, sink: Sink<'_>) -> &mut Told {
        if self.last != Some(index) {
            let last = self.items.iter().find(|item| Some(item.index) == self.last);
            if last.is_some_and(|last| !last.ended && !last.is_called()) {
                sink(ChatEvent::Boundary);
            }
            self.last = Some(index);
        }
        // Nearly always the last one.
        let known = self.items.iter().rposition(|item| item.index == index);
        let at = known.unwrap_or_else(|| {
            self.items.push(Told::new(index));
            self.items.len() - 1
        });
        &mut self.items[at]
    }
}

fn response_of<'a>(event: &Event<'a>) -> Option<Response<'a>> {
    event.response.and_then(|response| serde_json::from_str(response.get()).ok())
}

fn start(response: &Response<'_>, sink: Sink<'_>) {
    let text = |text: &Option<Str<'_>>| text.as_ref().map(|text| Cow::Owned(text.0.clone().into_owned()));
    sink(ChatEvent::Start { id: text(&response.id), model: text(&response.model), created: None });
}

/// There is no reason for the usual end, and a call is among the items.
fn finish_of(incomplete: Option<&str>) -> Finish<'static> {
    let (reason, word) = match incomplete {
        None => (FinishReason::Stop, "completed"),
        Some(word @ "max_output_tokens") => (FinishReason::Length, word),
        Some(word @ "content_filter") => (FinishReason::Refusal, word),
        Some(word) => (FinishReason::Other, word),
    };
    Finish::new(reason, word).into_owned()
}

/// The kind of tool that an item of the kind `word` calls.
fn tool_kind(word: &str) -> Option<ToolKind> {
    match word {
        "function_call" => Some(ToolKind::Function),
        "custom_tool_call" => Some(ToolKind::Custom),
        _ => None,
    }
}
