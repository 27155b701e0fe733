//! A stream told in a few events with names, the same for every dialect: for an `EventSource`, whose page wants to know nothing
//! of dialects.
//!
//! It is made by each reader that wants it, from the frames that are kept. Whoever comes back is told again from the beginning,
//! and spared what they have: what the events mean depends on all that came before.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::id::{Position, StreamId};
use crate::canonical::{ChatAnswer, FinishReason, Part, ToolKind, Usage};
use crate::dialect::{Decoder, Delta, Dialect, Encoder, Observer, Sequencer};
use crate::error::Error;
use crate::framing::Framing;
use crate::framing::sse;

/// Tells one stream to one reader.
pub(super) struct Named {
    stream: StreamId,
    dialect: &'static dyn Dialect,
    decoder: Box<dyn Decoder>,
    sequencer: Sequencer,
    observer: Observer,
    /// How many frames have been told.
    told: u64,
    /// What the reader has received.
    received: Position,
    /// When clients are to come back; told with the first event.
    retry: Duration,
    begun: bool,
}

impl Named {
    /// Tells `stream`, whose frames are in `dialect`, to a reader that has `received` some of it.
    pub(super) fn new(stream: StreamId, dialect: &'static dyn Dialect, received: Position, retry: Duration) -> Self {
        let encoder = Box::new(Teller { calls: 0 });
        let sequencer = Sequencer::new(encoder, dialect.name(), String::new(), stream.short());
        let (decoder, observer) = (dialect.decoder(), Observer::new(dialect, 1));
        Self { stream, dialect, decoder, sequencer, observer, told: 0, received, retry, begun: false }
    }

    /// What is to be told of the next `frame`; often nothing.
    pub(super) fn tell(&mut self, frame: &[u8]) -> Bytes {
        self.observer.observe(frame);
        let mut out = Vec::new();
        let Self { decoder, sequencer, .. } = self;
        for event in self.dialect.framing().events(frame) {
            let Some(data) = event.data.as_deref().filter(|_| !self.dialect.is_sign_of_life(&event)) else { continue };
            let data = String::from_utf8_lossy(data);
            decoder.decode(&event, &data, &mut |event| sequencer.take(event, &mut out));
        }
        let told = self.number(&out, None);
        self.told += 1;
        told
    }

    /// What is to be told at the end of the stream. Its last event stands behind the stream's own, so that whoever has it is
    /// known to have all.
    pub(super) fn finish(&mut self) -> Bytes {
        let mut out = Vec::new();
        match self.observer.error() {
            None if self.observer.is_complete() => {
                self.decoder.finish(&mut |event| self.sequencer.take(event, &mut out));
                self.sequencer.finish(&mut out);
            }
            error => {
                let message = error.map_or("The stream ended before the answer was finished.", |error| &error.message);
                let code = error.and_then(|error| error.code.as_deref());
                write(&mut out, "error", &Failure { message, code });
            }
        }
        self.number(&out, Some(Position::behind(self.told + 1)))
    }

    /// Gives each event of `run` its id, the last of them `last`, and leaves out what has been received.
    fn number(&mut self, run: &[u8], last: Option<Position>) -> Bytes {
        let mut out = Vec::new();
        let mut events = Framing::EventStream.frames(run).zip(1..).peekable();
        while let Some((event, part)) = events.next() {
            let here = Position { after: self.told, part };
            let position = last.filter(|_| events.peek().is_none()).unwrap_or(here);
            if position <= self.received {
                continue;
            }
            let (id, retry) = (format!("{}:{position}", self.stream), self.retry.as_millis().to_string());
            let fields = [("id", id.as_str()), ("retry", &retry)];
            let is_first = self.received == Position::START && !std::mem::replace(&mut self.begun, true);
            let fields = if is_first { &fields[..] } else { &fields[..1] };
            out.extend_from_slice(&sse::with_fields(event, fields));
        }
        out.into()
    }
}

/// What cannot be told a reader any more, for it to understand.
pub(super) fn lost(error: &Error) -> Bytes {
    let mut out = Vec::new();
    write(&mut out, "error", &Failure { message: &error.to_string(), code: Some(error.kind()) });
    out.into()
}

// === The events ===

#[derive(Serialize)]
struct Piece<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Refusal<'a> {
    text: &'a str,
    refusal: bool,
}

#[derive(Serialize)]
struct Call<'a> {
    index: usize,
    id: &'a str,
    name: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
struct Arguments<'a> {
    index: usize,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Count {
    input_tokens: u64,
    output_tokens: u64,
    cached_input_tokens: u64,
    reasoning_output_tokens: u64,
}

#[derive(Serialize)]
struct Done {
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
    code: Option<&'a str>,
}

fn write(out: &mut Vec<u8>, name: &str, event: &impl Serialize) {
    let json = serde_json::to_vec(event).expect("strings and numbers are JSON");
    out.extend_from_slice(&sse::write_json(Some(name), &json));
}

/// Writes the events of an answer.
struct Teller {
    /// How many calls of tools there have been.
    calls: usize,
}

impl Encoder for Teller {
    fn start(&mut self, _: &ChatAnswer, _: &mut Vec<u8>) {}

    fn open(&mut self, part: &Part, out: &mut Vec<u8>) {
        if let Part::ToolCall(call) = part {
            let kind = match call.kind {
                ToolKind::Function => "function",
                ToolKind::Custom => "custom",
            };
            write(out, "tool_call", &Call { index: self.calls, id: &call.id, name: &call.name, kind });
        }
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text { text, .. } if !text.is_empty() => write(out, "token", &Piece { text }),
            Delta::Refusal(text) => write(out, "token", &Refusal { text, refusal: true }),
            Delta::Reasoning(text) => write(out, "reasoning", &Piece { text }),
            Delta::Arguments(arguments) => write(out, "tool_call", &Arguments { index: self.calls, arguments }),
            // Probabilities, marks and sources are for who speaks the dialect.
            Delta::Text { .. } | Delta::Seal(_) | Delta::Annotation(_) => {}
        }
    }

    fn close(&mut self, part: &Part, _: &mut Vec<u8>) {
        if matches!(part, Part::ToolCall(_)) {
            self.calls += 1;
        }
    }

    fn finish(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) {
        if let Some(usage) = &answer.usage {
            write(out, "usage", &Count::from(usage));
        }
        let reason = answer.finish.as_ref().map_or(FinishReason::Stop, |finish| finish.reason);
        write(out, "done", &Done { finish_reason: word_for(reason) });
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        write(out, "error", &Failure { message: &error.to_string(), code: Some(error.kind()) });
    }
}

impl From<&Usage> for Count {
    fn from(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            reasoning_output_tokens: usage.reasoning_output_tokens,
        }
    }
}

fn word_for(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "length",
        FinishReason::ContextFull => "context_full",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Refusal => "refusal",
        FinishReason::Pause => "pause",
        FinishReason::MalformedToolCall => "malformed_tool_call",
        FinishReason::Other => "other",
    }
}
