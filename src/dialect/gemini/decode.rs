//! Reads streams and answers of upstreams.

use std::borrow::Cow;

use serde::de::Error;
use serde_json::value::RawValue;

use super::partial::Partial;
use super::wire::{Candidate, Chunk, FunctionCall, Part, UsageMetadata};
use super::{finish, grounding, logprobs};
use crate::canonical::{Annotation, ChatEvent, Finish, FinishReason, Logprob, ToolKind};
use crate::dialect::json::Str;
use crate::dialect::{Decoder, Sink};
use crate::framing::sse::Event;

/// Reads an answer that did not stream: a stream of one chunk.
pub(super) fn decode_answer(body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
    let chunk: Chunk<'_> = serde_json::from_slice(body)?;
    if chunk.candidates.is_none() && chunk.refusal().is_none() {
        return Err(serde_json::Error::custom("neither candidates nor the refusal of a prompt"));
    }
    let mut reader = Reader::default();
    reader.read(&chunk, sink);
    reader.finish(sink);
    Ok(())
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    /// How many calls there were.
    calls: u32,
    /// The call whose arguments are arriving.
    partial: Option<Partial>,
    /// All that was said as text: facts are told by their places in it.
    said: String,
    /// Where in it the text that is being said begins.
    begin: usize,
    /// What was said last is text.
    is_text_last: bool,
    /// The sources told: Gemini repeats itself.
    told: Vec<Annotation>,
    /// There was a chunk that could not be read.
    has_missed: bool,
}

impl Decoder for Reader {
    fn decode(&mut self, _event: &Event<'_>, data: &str, sink: Sink<'_>) {
        match serde_json::from_str(data) {
            Ok(chunk) => self.read(&chunk, sink),
            Err(_) => self.has_missed = true,
        }
    }

    fn has_told_all(&self, _parts: usize) -> bool {
        !self.has_missed
    }

    fn finish(&mut self, sink: Sink<'_>) {
        self.end_partial(sink);
    }
}

impl Reader {
    fn read(&mut self, chunk: &Chunk<'_>, sink: Sink<'_>) {
        let own = |text: &Option<Str<'_>>| text.as_ref().map(|text| Cow::Owned(text.0.to_string()));
        if !self.started && (chunk.response_id.is_some() || chunk.model_version.is_some()) {
            self.started = true;
            let (id, model) = (own(&chunk.response_id), own(&chunk.model_version));
            sink(ChatEvent::Start { id, model, created: None });
        }
        for candidate in chunk.candidates.iter().flatten() {
            match candidate.index {
                None | Some(0) => self.candidate(candidate, sink),
                Some(_) => sink(ChatEvent::Unmapped(Cow::Borrowed("candidates"))),
            }
        }
        if let Some(usage) = chunk.usage_metadata.as_ref().and_then(UsageMetadata::usage) {
            sink(ChatEvent::Usage(usage));
        }
        if let Some((reason, message)) = chunk.refusal() {
            let explanation = message.map(|message| Cow::Borrowed(&*message.0));
            sink(ChatEvent::Finish(Finish { explanation, ..Finish::new(FinishReason::Refusal, &reason.0) }));
        }
    }

    fn candidate(&mut self, candidate: &Candidate<'_>, sink: Sink<'_>) {
        let mut logprobs = candidate.logprobs_result.map(logprobs::read).unwrap_or_default();
        for part in candidate.parts() {
            match part {
                Part { call: Some(call), .. } => self.call(call, part.signature.as_deref(), sink),
                Part { other: Some(kind), .. } => {
                    self.end_partial(sink);
                    // Its signature, if it has one, is on nothing that can be told.
                    sink(ChatEvent::Unmapped(Cow::Borrowed(kind)));
                }
                Part { thought: true, text, .. } => self.thought(text.as_deref().unwrap_or_default(), sink),
                Part { text, .. } => {
                    let logprobs = std::mem::take(&mut logprobs);
                    self.text(text.as_deref().unwrap_or_default(), logprobs, sink);
                }
            }
            if let Part { call: None, other: None, signature: Some(signature), .. } = part {
                sink(ChatEvent::Seal(Cow::Borrowed(signature)));
            }
        }
        if !logprobs.is_empty() {
            self.text("", logprobs, sink);
        }
        if grounding::is_in(candidate) {
            self.sources(candidate, sink);
        }
        if let Some(word) = candidate.finish_reason() {
            let explanation = candidate.finish_message.as_ref().map(|message| Cow::Borrowed(&*message.0));
            sink(ChatEvent::Finish(Finish { explanation, ..Finish::new(finish::reason_of(word), word) }));
        }
    }

    fn text(&mut self, text: &str, logprobs: Vec<Logprob>, sink: Sink<'_>) {
        self.end_partial(sink);
        if text.is_empty() && logprobs.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.is_text_last, true) {
            self.begin = self.said.len();
        }
        self.said.push_str(text);
        sink(ChatEvent::Text { text: Cow::Borrowed(text), logprobs });
    }

    fn thought(&mut self, text: &str, sink: Sink<'_>) {
        self.end_partial(sink);
        self.is_text_last &= text.is_empty();
        sink(ChatEvent::Reasoning(Cow::Borrowed(text)));
    }

    /// A call that comes whole, or the beginning, a piece or the end of one.
    fn call(&mut self, call: &FunctionCall<'_>, signature: Option<&str>, sink: Sink<'_>) {
        if let Some(name) = call.name.as_ref().filter(|name| !name.0.is_empty()) {
            self.end_partial(sink);
            let key = self.calls;
            self.calls += 1;
            self.is_text_last = false;
            let id = call.id.as_ref().map(|id| Cow::Borrowed(&*id.0));
            sink(ChatEvent::ToolCall { key, id, name: Cow::Borrowed(&name.0), kind: ToolKind::Function });
            if !call.will_continue() && call.partial_args.is_none() {
                let arguments = call.args.map_or_else(|| "{}".to_owned(), compact);
                return end_call(key, &arguments, signature, sink);
            }
            self.partial = Some(Partial::new(key));
        }
        let Some(partial) = &mut self.partial else { return };
        call.partial_args.iter().flatten().for_each(|arg| partial.add(arg));
        if let Some(signature) = signature {
            partial.signature = Some(signature.to_owned());
        }
        if !call.will_continue() {
            self.end_partial(sink);
        }
    }

    /// Tells the call whose arguments were arriving: its own end is sometimes left out.
    fn end_partial(&mut self, sink: Sink<'_>) {
        if let Some(partial) = self.partial.take() {
            end_call(partial.key, &partial.arguments(), partial.signature.as_deref(), sink);
        }
    }

    fn sources(&mut self, candidate: &Candidate<'_>, sink: Sink<'_>) {
        for annotation in grounding::annotations(candidate, &self.said, self.begin) {
            if !self.is_text_last {
                // It is about a text that has been closed.
                sink(ChatEvent::Unmapped(Cow::Borrowed("groundingMetadata")));
            } else if !self.told.contains(&annotation) {
                self.told.push(annotation.clone());
                sink(ChatEvent::Annotation(annotation));
            }
        }
    }
}

/// The signature first: where calls have no place for it, it can be told before the call.
fn end_call(key: u32, arguments: &str, signature: Option<&str>, sink: Sink<'_>) {
    if let Some(signature) = signature {
        sink(ChatEvent::Seal(Cow::Borrowed(signature)));
    }
    sink(ChatEvent::Arguments { key, fragment: Cow::Borrowed(arguments) });
    sink(ChatEvent::Boundary);
}

/// `json` without the white space around its values. Numbers and the order of keys stay as they are.
fn compact(json: &RawValue) -> String {
    let json = json.get();
    let (mut in_string, mut escaped) = (false, false);
    let is_needed = move |character: &char| {
        let was_escaped = std::mem::take(&mut escaped);
        match *character {
            '"' if !was_escaped => in_string = !in_string,
            '\\' if in_string && !was_escaped => escaped = true,
            _ => {}
        }
        in_string || !character.is_ascii_whitespace()
    };
    json.chars().filter(is_needed).collect()
}
