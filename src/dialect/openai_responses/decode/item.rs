//! What has been told of one item, and what is left to tell.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::seal;
use super::super::wire::{self, Item, Kind, Part, list_of, text_of};
use super::tool_kind;
use crate::canonical::{Annotation, ChatEvent};
use crate::dialect::Sink;
use crate::dialect::json::Str;

/// What has been told of one item.
#[derive(Debug)]
pub(super) struct Told {
    /// Its place in the output.
    pub(super) index: u32,
    /// A piece of the part that is told now, or of the call's arguments.
    pub(super) spoken: bool,
    /// Nothing more of it is told.
    pub(super) ended: bool,
    /// The call, with its name.
    called: bool,
    /// The part that is told now.
    part: u32,
    /// Annotations of that part.
    annotations: usize,
    /// Which of the two kinds of thoughts is told: some servers send the same words as both.
    thoughts: Option<Thoughts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thoughts {
    Raw,
    Summary,
}

impl Told {
    pub(super) fn new(index: u32) -> Self {
        Self { index, spoken: false, ended: false, called: false, part: 0, annotations: 0, thoughts: None }
    }

    pub(super) fn is_called(&self) -> bool {
        self.called
    }

    /// Whether something of the text at `part` has been told.
    pub(super) fn has_spoken(&self, part: Option<u32>) -> bool {
        self.spoken && self.part == part.unwrap_or(0)
    }

    /// What comes is of the text at `part`. Another text is a part of its own.
    pub(super) fn turn_to(&mut self, part: Option<u32>, sink: Sink<'_>) {
        let part = part.unwrap_or(0);
        if self.part != part {
            if std::mem::take(&mut self.spoken) {
                sink(ChatEvent::Boundary);
            }
            (self.part, self.annotations) = (part, 0);
        }
    }

    /// The item as it begins: of a call the name, else nothing.
    pub(super) fn begin(&mut self, item: &RawValue, sink: Sink<'_>) {
        match serde_json::from_str::<Item<'_>>(item.get()) {
            Ok(item) if tool_kind(&item.r#type).is_some() => self.call(&item, sink),
            _ => {}
        }
    }

    /// The whole item: tells what has not been told of it.
    pub(super) fn end(&mut self, item: &RawValue, sink: Sink<'_>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let Ok(item) = serde_json::from_str::<Item<'_>>(item.get()) else {
            // Items of other kinds may have anything in fields of these names.
            let kind = serde_json::from_str::<Kind<'_>>(item.get());
            return kind.map_or((), |kind| sink(ChatEvent::Unmapped(kind.r#type)));
        };
        match &*item.r#type {
            "message" => {
                for (index, part) in (0..).zip(item.content.into_iter().flatten()) {
                    // What came before the part that was told last has been told.
                    if index >= self.part {
                        self.part(index, part, sink);
                    }
                }
            }
            "reasoning" => self.all_thoughts(&item, sink),
            kind if tool_kind(kind).is_some() => {
                self.call(&item, sink);
                let arguments = item.arguments.or(item.input).map(text_of).filter(|text| !text.is_empty());
                if let Some(fragment) = arguments.filter(|_| self.called && !self.spoken) {
                    sink(ChatEvent::Arguments { key: self.index, fragment });
                }
            }
            kind => return sink(ChatEvent::Unmapped(Cow::Borrowed(kind))),
        }
        sink(ChatEvent::Boundary);
    }

    /// The whole of one part of a message.
    pub(super) fn part(&mut self, index: u32, part: Part<'_>, sink: Sink<'_>) {
        match &*part.r#type {
            "output_text" | "text" => {
                self.turn_to(Some(index), sink);
                if let Some(Str(text)) = part.text.filter(|_| !self.spoken) {
                    self.spoken = true;
                    sink(ChatEvent::Text { text, logprobs: list_of::<wire::Logprob, _>(part.logprobs) });
                }
                for annotation in list_of::<wire::Annotation, _>(part.annotations).into_iter().skip(self.annotations) {
                    self.annotations += 1;
                    sink(ChatEvent::Annotation(annotation));
                }
            }
            "refusal" => {
                self.turn_to(Some(index), sink);
                if let Some(Str(text)) = part.refusal.filter(|_| !self.spoken) {
                    self.spoken = true;
                    sink(ChatEvent::Refusal(text));
                }
            }
            // In a reasoning item, where the same is told once more.
            "reasoning_text" => {}
            kind => sink(ChatEvent::Unmapped(Cow::Borrowed(kind))),
        }
    }

    pub(super) fn annotation(&mut self, part: Option<u32>, annotation: wire::Annotation, sink: Sink<'_>) {
        self.turn_to(part, sink);
        self.annotations += 1;
        sink(ChatEvent::Annotation(Annotation::from(annotation)));
    }

    /// More thoughts, of the part at `index`. The parts of one item are thoughts of one kind, an empty line between them.
    pub(super) fn thoughts(&mut self, index: Option<u32>, text: &str, is_summary: bool, sink: Sink<'_>) {
        let kind = if is_summary { Thoughts::Summary } else { Thoughts::Raw };
        if *self.thoughts.get_or_insert(kind) != kind || text.is_empty() {
            return;
        }
        let index = index.unwrap_or(0);
        if std::mem::replace(&mut self.part, index) != index && self.spoken {
            sink(ChatEvent::Reasoning(Cow::Borrowed("\n\n")));
        }
        self.spoken = true;
        sink(ChatEvent::Reasoning(Cow::Borrowed(text)));
    }

    fn all_thoughts(&mut self, item: &Item<'_>, sink: Sink<'_>) {
        let is_raw = item.content.iter().flatten().any(|part| part.text.is_some());
        if !self.spoken {
            let parts = if is_raw { &item.content } else { &item.summary };
            for (index, part) in (0..).zip(parts.iter().flatten()) {
                self.thoughts(Some(index), part.text.as_ref().map_or("", |text| &*text.0), !is_raw, sink);
            }
        }
        let id = item.id.as_ref().map_or("", |id| &*id.0);
        let encrypted = item.encrypted_content.as_ref().map_or("", |content| &*content.0);
        if encrypted.is_empty() && !is_raw {
            return;
        }
        // A seal without thoughts is on nothing that was told before.
        if !self.spoken {
            sink(ChatEvent::Boundary);
        }
        sink(ChatEvent::Seal(Cow::Owned(seal::pack(id, encrypted))));
    }

    fn call(&mut self, item: &Item<'_>, sink: Sink<'_>) {
        let name = item.name.as_ref().map_or("", |name| &*name.0);
        let (false, Some(kind), false) = (self.called, tool_kind(&item.r#type), name.is_empty()) else { return };
        self.called = true;
        let id = item.call_id.as_ref().or(item.id.as_ref()).map(|id| Cow::Borrowed(&*id.0));
        sink(ChatEvent::ToolCall { key: self.index, id, name: Cow::Borrowed(name), kind });
    }
}
