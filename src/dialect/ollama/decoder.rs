//! Reads a stream, and an answer that is one line of it.

use serde::de::Error as _;

use super::wire::{Line, Logprob};
use crate::canonical::{ChatEvent, Finish, FinishReason, ToolKind};
use crate::dialect::{Decoder, Sink};
use crate::framing::sse::Event;

#[derive(Debug, Default)]
pub(super) struct OllamaDecoder {
    started: bool,
    /// Calls so far. Each is told once and whole, on whatever line, so its place is its name.
    calls: u32,
    /// There was a line that could not be read.
    has_missed: bool,
}

impl Decoder for OllamaDecoder {
    fn decode(&mut self, _event: &Event<'_>, data: &str, sink: Sink<'_>) {
        match serde_json::from_str::<Line<'_>>(data) {
            Ok(line) if line.is_answer() => self.tell(&line, sink),
            // Errors are the observer's.
            Ok(_) => {}
            Err(_) => self.has_missed = true,
        }
    }

    fn has_told_all(&self, _parts: usize) -> bool {
        !self.has_missed
    }
}

/// Reads `body`, an answer that did not stream.
pub(super) fn decode_answer(body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
    let line: Line<'_> = serde_json::from_slice(body)?;
    if !line.is_answer() {
        return Err(serde_json::Error::custom("it has neither `message` nor `response`"));
    }
    OllamaDecoder::default().tell(&line, sink);
    Ok(())
}

impl OllamaDecoder {
    fn tell(&mut self, line: &Line<'_>, sink: Sink<'_>) {
        if !std::mem::replace(&mut self.started, true) {
            sink(ChatEvent::Start { id: None, model: Some((&*line.model).into()), created: None });
        }
        let (thinking, content) = (line.thinking(), line.content());
        if !thinking.is_empty() {
            sink(ChatEvent::Reasoning(thinking.into()));
        }
        let logprobs = line.logprobs.map(|list| read_logprobs(list.get())).unwrap_or_default();
        if !content.is_empty() || !logprobs.is_empty() {
            sink(ChatEvent::Text { text: content.into(), logprobs });
        }
        self.tell_calls(line, sink);
        if line.has_image() {
            sink(ChatEvent::Unmapped("image".into()));
        }
        if let Some(usage) = line.usage() {
            sink(ChatEvent::Usage(usage));
        }
        // The last line may say something, too.
        if line.is_done() {
            sink(ChatEvent::Finish(Finish::new(reason(&line.done_reason), &line.done_reason)));
        }
    }

    fn tell_calls(&mut self, line: &Line<'_>, sink: Sink<'_>) {
        for call in line.tool_calls() {
            let (key, function) = (self.calls, &call.function);
            self.calls += 1;
            let (id, name) = (Some((&*call.id).into()), (&*function.name).into());
            sink(ChatEvent::ToolCall { key, id, name, kind: ToolKind::Function });
            sink(ChatEvent::Arguments { key, fragment: function.arguments() });
            sink(ChatEvent::Boundary);
        }
    }
}

/// Probabilities in a shape that is not known are none.
fn read_logprobs(list: &str) -> Vec<crate::canonical::Logprob> {
    let list: Option<Vec<Logprob>> = serde_json::from_str(list).unwrap_or_default();
    list.unwrap_or_default().into_iter().map(Into::into).collect()
}

/// Elder servers give no reason.
fn reason(word: &str) -> FinishReason {
    match word {
        "" | "stop" | "load" | "unload" => FinishReason::Stop,
        "length" => FinishReason::Length,
        _ => FinishReason::Other,
    }
}
