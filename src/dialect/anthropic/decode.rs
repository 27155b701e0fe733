//! Reads what a model says: a stream of events, or a whole message, told the same way.

use std::borrow::Cow;

use super::blocks::{Block, Delta, Event, Message, Stop};
use super::wire;
use crate::canonical::{ChatEvent, Finish, FinishReason, ToolKind, Usage};
use crate::dialect::{Decoder, Sink};
use crate::framing::sse;

/// What stands before the data of redacted thinking in a seal. A signature is base64 and has no colon.
pub(super) const REDACTED: &str = "redacted:";

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct MessageDecoder {
    reader: Reader,
    /// There was an event that could not be read.
    has_missed: bool,
}

impl Decoder for MessageDecoder {
    fn decode(&mut self, event: &sse::Event<'_>, data: &str, sink: Sink<'_>) {
        if event.event == Some(b"error") {
            return;
        }
        match serde_json::from_str::<Event<'_>>(data) {
            Ok(event) => self.reader.event(event, sink),
            // JSON of a shape that is not known yet says something. What is no JSON is the observer's affair.
            Err(error) if error.is_data() => sink(ChatEvent::Unmapped("event of an unknown shape".into())),
            Err(_) => self.has_missed = true,
        }
    }

    /// Clients know blocks by their numbers, and one without a word is no part.
    fn has_told_all(&self, parts: usize) -> bool {
        !self.has_missed && self.reader.blocks == parts
    }

    fn finish(&mut self, sink: Sink<'_>) {
        self.reader.stop_all(sink);
    }
}

/// Reads a whole message.
pub(super) fn answer(body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
    let message: Message<'_> = serde_json::from_slice(body)?;
    if message.content.is_none() {
        return Err(serde::de::Error::missing_field("content"));
    }
    Reader::default().message(message, sink);
    Ok(())
}

#[derive(Debug, Default)]
struct Reader {
    /// The name of the message that has begun.
    id: Option<String>,
    usage: Option<Usage>,
    calls: u32,
    /// How many blocks have begun.
    blocks: usize,
    /// Blocks that have begun and not ended. One at a time as far as is known.
    open: Vec<OpenBlock>,
}

#[derive(Debug)]
struct OpenBlock {
    index: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Its deltas say what they are.
    Told,
    /// A call of one of the client's tools.
    Call {
        key: u32,
        /// The input that it began with, which counts if no other comes.
        input: Option<String>,
        has_arguments: bool,
    },
    /// Of no kind that could be told.
    Unmapped,
}

impl Reader {
    fn event(&mut self, event: Event<'_>, sink: Sink<'_>) {
        match (&*event.r#type, event.delta, event.content_block, event.message) {
            ("content_block_delta", Some(delta), ..) => self.delta(event.index, delta, sink),
            ("content_block_start", _, Some(block), _) => self.start(event.index, block, sink),
            ("content_block_stop", ..) => self.stop(event.index, sink),
            ("message_start", .., Some(message)) => self.message(message, sink),
            ("message_delta", delta, ..) => {
                self.usage(event.usage.as_ref(), sink);
                if let Some(delta) = delta {
                    tell_stop(delta.into_stop(), sink);
                }
            }
            // Pings, ends, errors, and what is not known yet: clients are asked to ignore events that they do not know.
            _ => {}
        }
    }

    /// A message begins; it may be whole already.
    fn message(&mut self, message: Message<'_>, sink: Sink<'_>) {
        // Some proxies announce it twice.
        if self.id.as_deref() == Some(&*message.id) {
            return;
        }
        if self.id.is_some() {
            // The upstream has begun anew, and what it said before is said.
            self.stop_all(sink);
            self.usage = None;
            sink(ChatEvent::Unmapped("second message_start".into()));
        }
        self.id = Some(message.id.to_string());
        sink(ChatEvent::Start { id: Some(message.id), model: Some(message.model), created: None });
        self.usage(message.usage.as_ref(), sink);
        for (index, block) in (0..).zip(message.content.into_iter().flatten()) {
            self.start(index, block, sink);
            self.stop(index, sink);
        }
        tell_stop(message.stop, sink);
    }

    fn usage(&mut self, usage: Option<&wire::Usage>, sink: Sink<'_>) {
        if let Some(usage) = usage {
            let usage = usage.over(self.usage);
            self.usage = Some(usage);
            sink(ChatEvent::Usage(usage));
        }
    }

    fn start(&mut self, index: u64, block: Block<'_>, sink: Sink<'_>) {
        sink(ChatEvent::Boundary);
        self.blocks += 1;
        let kind = match &*block.r#type {
            "text" => {
                sink(ChatEvent::Text { text: block.text, logprobs: Vec::new() });
                for citation in block.citations.into_iter().flatten() {
                    sink(ChatEvent::Annotation(citation.into()));
                }
                Kind::Told
            }
            "thinking" => {
                sink(ChatEvent::Reasoning(block.thinking));
                tell_seal(block.signature, sink);
                Kind::Told
            }
            "redacted_thinking" => {
                if !block.data.is_empty() {
                    sink(ChatEvent::Seal(format!("{REDACTED}{}", block.data).into()));
                }
                Kind::Told
            }
            "tool_use" => self.call(block, sink),
            _ => {
                sink(ChatEvent::Unmapped(block.r#type));
                Kind::Unmapped
            }
        };
        self.open.push(OpenBlock { index, kind });
    }

    fn call(&mut self, block: Block<'_>, sink: Sink<'_>) -> Kind {
        let key = self.calls;
        self.calls += 1;
        sink(ChatEvent::ToolCall { key, id: Some(block.id), name: block.name, kind: ToolKind::Function });
        let input = block.input.map(|input| input.get().to_owned()).filter(|input| input.starts_with('{'));
        Kind::Call { key, input, has_arguments: false }
    }

    fn delta(&mut self, index: u64, delta: Delta<'_>, sink: Sink<'_>) {
        let open = self.open.iter_mut().rfind(|open| open.index == index).map(|open| &mut open.kind);
        match (&*delta.r#type, open) {
            (_, Some(Kind::Unmapped)) => {}
            ("text_delta", _) => sink(ChatEvent::Text { text: delta.text, logprobs: Vec::new() }),
            ("thinking_delta", _) => sink(ChatEvent::Reasoning(delta.thinking)),
            ("signature_delta", _) => tell_seal(delta.signature, sink),
            ("citations_delta", _) => {
                if let Some(citation) = delta.citation {
                    sink(ChatEvent::Annotation(citation.into()));
                }
            }
            ("input_json_delta", Some(Kind::Call { key, has_arguments, .. })) => {
                *has_arguments |= !delta.partial_json.is_empty();
                sink(ChatEvent::Arguments { key: *key, fragment: delta.partial_json });
            }
            _ => sink(ChatEvent::Unmapped(delta.r#type)),
        }
    }

    fn stop(&mut self, index: u64, sink: Sink<'_>) {
        if let Some(at) = self.open.iter().rposition(|open| open.index == index) {
            end(self.open.remove(at), sink);
        }
    }

    fn stop_all(&mut self, sink: Sink<'_>) {
        for open in self.open.drain(..) {
            end(open, sink);
        }
    }
}

fn end(block: OpenBlock, sink: Sink<'_>) {
    if let Kind::Call { key, input, has_arguments: false } = block.kind {
        let fragment = input.map_or(Cow::Borrowed("{}"), Cow::Owned);
        sink(ChatEvent::Arguments { key, fragment });
    }
    sink(ChatEvent::Boundary);
}

fn tell_seal(signature: Cow<'_, str>, sink: Sink<'_>) {
    if !signature.is_empty() {
        sink(ChatEvent::Seal(signature));
    }
}

/// A reason that is null is none, and takes nothing back.
fn tell_stop(stop: Stop, sink: Sink<'_>) {
    if let Some(word) = stop.reason.filter(|reason| !reason.is_empty()) {
        sink(ChatEvent::Finish(Finish {
            reason: reason_of(&word),
            native: Some(word.into()),
            stop_sequence: stop.sequence.map(Cow::Owned),
            explanation: stop.details.and_then(|details| details.explanation).map(Cow::Owned),
        }));
    }
}

/// <https://docs.claude.com/en/api/handling-stop-reasons>
fn reason_of(word: &str) -> FinishReason {
    match word {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" => FinishReason::Length,
        "model_context_window_exceeded" => FinishReason::ContextFull,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::Refusal,
        "pause_turn" => FinishReason::Pause,
        _ => FinishReason::Other,
    }
}
