//! Writes the stream of a response, and a whole response.
//!
//! Texts and refusals that follow each other are the parts of one message; thoughts and calls are items of their own. An
//! item is told to be done when the next begins, or the end is known: whether it was cut off is said with it.

mod event;
mod item;
mod response;

use std::time::Duration;

use bytes::Bytes;

use super::error;
use crate::canonical::{ChatAnswer, Finish, FinishReason, On, Part, Text, ToolKind};
use crate::dialect::{AnswerContext, Delta, Encoder};
use crate::error::Error;

use event::{Events, Place};
use item::{Item, Message};
use response::{End, Frame};

/// Writes one stream.
#[derive(Debug)]
pub(super) struct StreamEncoder {
    frame: Frame,
    events: Events,
    /// The items that are done, as JSON, commas between them.
    output: Vec<u8>,
    /// How many items have begun.
    begun: u32,
    /// Where the next piece belongs.
    place: Place,
    /// The message whose part is open, or that may get another.
    message: Option<Message>,
    /// An item that is whole but for whether it was cut off.
    held: Option<Item>,
    /// The thoughts that are open have a text.
    thinking: bool,
    /// The piece of a call that is open has come.
    called: bool,
}

/// The whole of an answer: what its stream would have told at its end.
pub(super) fn answer(answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
    let mut encoder = StreamEncoder::new(context);
    let mut unheard = Vec::new();
    for part in &answer.parts {
        encoder.open(part, &mut unheard);
        encoder.close(part, &mut unheard);
    }
    let end = encoder.close_output(answer, &mut unheard);
    let mut out = Vec::with_capacity(2 * encoder.output.len() + 2048);
    encoder.frame.write(&end, &encoder.output, answer.usage.as_ref(), &mut out);
    out.into()
}

/// A response that nothing has been done about.
pub(super) fn queued(context: &AnswerContext) -> Bytes {
    let mut out = Vec::new();
    Frame::new(context).write(&End::Queued, b"", None, &mut out);
    out.into()
}

impl Encoder for StreamEncoder {
    fn tick(&mut self, elapsed: Duration) {
        self.frame.elapsed = elapsed;
    }

    fn start(&mut self, _answer: &ChatAnswer, out: &mut Vec<u8>) {
        for name in ["response.created", "response.in_progress"] {
            self.events.write(name, out, |out| self.frame.write_member(&End::NotYet, b"", None, out));
        }
    }

    fn open(&mut self, part: &Part, out: &mut Vec<u8>) {
        self.settle(false, matches!(part, Part::Text(_) | Part::Refusal(_)), out);
        match part {
            Part::Text(_) | Part::Refusal(_) => {
                if self.message.is_none() {
                    let id = self.begin("msg");
                    let message = Message::new(id, self.begun - 1);
                    self.events.item_added(message.index, out, |out| message.write("in_progress", out));
                    self.message = Some(message);
                }
                let content_index = self.message.as_ref().map_or(0, |message| message.count);
                self.place.part = content_index;
                let empty = if matches!(part, Part::Text(_)) { Part::text("") } else { Part::Refusal(String::new()) };
                self.events.content_part("added", &self.place, &empty, out);
            }
            Part::Reasoning { .. } => {
                self.thinking = false;
                let item = Item::thoughts(self.begin("rs"), self.place.index, "", None);
                self.events.item_added(item.index, out, |out| item.write("in_progress", out));
            }
            Part::ToolCall(call) => {
                self.called = false;
                let prefix = if call.kind == ToolKind::Custom { "ctc" } else { "fc" };
                let item = Item::call(self.begin(prefix), self.place.index, call, "");
                self.events.item_added(item.index, out, |out| item.write("in_progress", out));
                self.place.is_custom = call.kind == ToolKind::Custom;
            }
            _ => {}
        }
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text { text, logprobs } => self.events.text(&self.place, text, logprobs, out),
            Delta::Refusal(text) => self.events.piece("response.refusal.delta", &self.place, text, out),
            Delta::Reasoning(text) => {
                if !std::mem::replace(&mut self.thinking, true) {
                    self.events.summary_part("added", &self.place, "", out);
                }
                self.events.summary(&self.place, text, out);
            }
            Delta::Arguments(fragment) => {
                self.called = true;
                self.events.arguments(&self.place, fragment, out);
            }
            // They are told with the whole of the part.
            Delta::Seal(_) | Delta::Annotation(_) => {}
        }
    }

    fn close(&mut self, part: &Part, out: &mut Vec<u8>) {
        match part {
            Part::Text(text) => {
                self.events.annotations(&self.place, text, out);
                self.events.text_done(&self.place, text, out);
                self.close_part(part, out);
                self.carry(text.seal.as_ref(), &On::Text, out);
            }
            Part::Refusal(refusal) => {
                self.events.refusal_done(&self.place, refusal, out);
                self.close_part(part, out);
            }
            Part::Reasoning { text, seal } => {
                if !text.is_empty() {
                    if !self.thinking {
                        self.events.summary_part("added", &self.place, "", out);
                    }
                    self.events.summary_done(&self.place, text, out);
                    self.events.summary_part("done", &self.place, text, out);
                }
                let encrypted = seal.as_ref().map(|seal| seal.token_on(&On::Thoughts));
                self.held = Some(Item::thoughts(self.place.id.clone(), self.place.index, text, encrypted));
            }
            Part::ToolCall(call) => {
                // Who puts arguments together from their pieces must find an object, too.
                let nothing = if call.kind == ToolKind::Custom { "" } else { "{}" };
                let arguments = if call.arguments.is_empty() { nothing } else { &call.arguments };
                if !self.called && !arguments.is_empty() {
                    self.events.arguments(&self.place, arguments, out);
                }
                self.events.arguments_done(&self.place, arguments, out);
                self.held = Some(Item::call(self.place.id.clone(), self.place.index, call, arguments));
                self.carry(call.seal.as_ref(), &On::Call(call.id.clone()), out);
            }
            _ => {}
        }
    }

    fn finish(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) {
        let end = self.close_output(answer, out);
        let (output, usage) = (&self.output, answer.usage.as_ref());
        self.events.write(end.event(), out, |out| self.frame.write_member(&end, output, usage, out));
        // OpenAI closes without a word; Open Responses demands it, and OpenAI's SDKs take it for the end that it is.
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.events.error(&error::event(error, self.events.next()), out);
        let end = End::Failed(error::of_response(error));
        self.events.write(end.event(), out, |out| self.frame.write_member(&end, &self.output, None, out));
    }
}

impl StreamEncoder {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            frame: Frame::new(context),
            events: Events::default(),
            output: Vec::new(),
            begun: 0,
            place: Place::default(),
            message: None,
            held: None,
            thinking: false,
            called: false,
        }
    }

    /// The name of a new item.
    fn begin(&mut self, prefix: &str) -> String {
        let id = format!("{prefix}_{}_{}", self.frame.id, self.begun);
        self.place = Place { id: id.clone(), index: self.begun, ..Place::default() };
        self.begun += 1;
        id
    }

    /// The part of the message that was open is whole.
    fn close_part(&mut self, part: &Part, out: &mut Vec<u8>) {
        self.events.content_part("done", &self.place, part, out);
        if let Some(message) = &mut self.message {
            message.add(part);
        }
    }

    /// A seal that belongs to what was said last, in an item of its own.
    fn carry(&mut self, seal: Option<&crate::canonical::Seal>, on: &On, out: &mut Vec<u8>) {
        let Some(seal) = seal else { return };
        self.settle(false, false, out);
        let item = Item::thoughts(self.begin("rs"), self.place.index, "", Some(seal.token_on(on)));
        self.events.item_added(item.index, out, |out| item.write("in_progress", out));
        self.held = Some(item);
    }

    /// Tells that what came so far is done, but for a message that may go on.
    fn settle(&mut self, is_cut: bool, goes_on: bool, out: &mut Vec<u8>) {
        let status = if is_cut { "incomplete" } else { "completed" };
        let (events, output) = (&mut self.events, &mut self.output);
        if let Some(item) = self.held.take() {
            events.item_done(item.index, output, out, |out| item.write(status, out));
        }
        if let Some(message) = self.message.take_if(|_| !goes_on) {
            events.item_done(message.index, output, out, |out| message.write(status, out));
        }
    }

    /// Tells that everything is done, and how it ended.
    fn close_output(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) -> End {
        let finish = answer.finish.as_ref();
        if let Some(words) = finish.and_then(|finish| unsaid_refusal(finish, answer)) {
            self.open(&words, out);
            if let Part::Refusal(words) = &words {
                self.delta(Delta::Refusal(words), out);
            }
            self.close(&words, out);
        }
        let end = End::of(finish.map_or(FinishReason::Stop, |finish| finish.reason));
        self.settle(matches!(end, End::Incomplete(_)), false, out);
        end
    }
}

/// Why the provider refused, if nothing else was said.
fn unsaid_refusal(finish: &Finish<'_>, answer: &ChatAnswer) -> Option<Part> {
    let is_silent = !answer.parts.iter().any(|part| match part {
        Part::Text(Text { text, .. }) | Part::Refusal(text) => !text.is_empty(),
        part => matches!(part, Part::ToolCall(_)),
    });
    let words = finish.explanation.as_deref().filter(|_| is_silent && finish.reason == FinishReason::Refusal)?;
    Some(Part::Refusal(words.to_owned()))
}
