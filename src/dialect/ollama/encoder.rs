//! Writes a stream for a client, and an answer for one that did not ask for a stream.
//!
//! What has no place in a line is not told: marks on thoughts and calls, which therefore do not come back, and where a text
//! has its facts from. A refusal is text.

use std::time::Duration;

use bytes::Bytes;

use super::call::Call;
use super::error;
use super::line::{Durations, End, LineWriter, Said};
use crate::canonical::{ChatAnswer, FinishReason, Logprob, Part, ToolCall};
use crate::dialect::{AnswerContext, Begun, Delta, Encoder};
use crate::error::Error;

#[derive(Debug)]
pub(super) struct OllamaEncoder {
    lines: LineWriter,
    calls: usize,
    /// Since the request.
    now: Duration,
    started: Option<Duration>,
    spoken: Option<Duration>,
}

impl OllamaEncoder {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self { lines: LineWriter::new(context), calls: 0, now: Duration::ZERO, started: None, spoken: None }
    }

    fn say(&self, said: &Said<'_>, out: &mut Vec<u8>) {
        self.lines.write(self.now, said, None, out);
    }

    fn durations(&self) -> Durations {
        let (total, started) = (self.now, self.started.unwrap_or_default());
        let spoken = self.spoken.unwrap_or(total);
        let (prompt, answer) = (spoken.saturating_sub(started), total.saturating_sub(spoken));
        Durations { total, load: started, prompt, answer }
    }
}

impl Encoder for OllamaEncoder {
    fn tick(&mut self, elapsed: Duration) {
        self.now = elapsed;
    }

    fn take_over(&mut self, begun: &Begun<'_>) {
        self.lines.call_model(begun.answer.model.as_deref().unwrap_or_default());
        (self.started, self.spoken) = (Some(self.now), Some(self.now));
    }

    /// Ollama announces nothing.
    fn start(&mut self, _answer: &ChatAnswer, _out: &mut Vec<u8>) {
        self.started = Some(self.now);
    }

    fn open(&mut self, _part: &Part, _out: &mut Vec<u8>) {
        self.spoken.get_or_insert(self.now);
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text { text, logprobs } => self.say(&Said { content: text, logprobs, ..Said::default() }, out),
            Delta::Refusal(text) => self.say(&Said { content: text, ..Said::default() }, out),
            Delta::Reasoning(text) => self.say(&Said { thinking: text, ..Said::default() }, out),
            // A call is told when it is whole.
            Delta::Arguments(_) | Delta::Seal(_) | Delta::Annotation(_) => {}
        }
    }

    fn close(&mut self, part: &Part, out: &mut Vec<u8>) {
        if let Part::ToolCall(call) = part
            && let Some(call) = Call::new(self.calls, call)
        {
            self.calls += 1;
            self.say(&Said { tool_calls: &[call], ..Said::default() }, out);
        }
    }

    fn finish(&mut self, answer: &ChatAnswer, out: &mut Vec<u8>) {
        let end = End::new(self.lines.shape(), reason(answer), answer.usage, self.durations());
        let content = last_words(answer);
        self.lines.write(self.now, &Said { content: &content, ..Said::default() }, Some(&end), out);
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(&error::frame(error));
    }
}

/// Writes `answer`, whole.
pub(super) fn encode_answer(answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
    let (mut content, mut thinking) = (String::new(), String::new());
    let (mut calls, mut logprobs): (Vec<Call<'_>>, Vec<Logprob>) = (Vec::new(), Vec::new());
    for part in &answer.parts {
        match part {
            Part::Text(text) => {
                content.push_str(&text.text);
                logprobs.extend_from_slice(&text.logprobs);
            }
            Part::Refusal(text) => content.push_str(text),
            Part::Reasoning { text, .. } => thinking.push_str(text),
            Part::ToolCall(call) => calls.extend(Call::new(calls.len(), call)),
            Part::Image(_) | Part::Audio(_) | Part::File(_) | Part::ToolResult(_) => {}
        }
    }
    content.push_str(&last_words(answer));
    let said = Said { content: &content, thinking: &thinking, tool_calls: &calls, logprobs: &logprobs };
    // When the model began to speak is not known of an answer that came at once.
    let took = Durations { total: context.elapsed, answer: context.elapsed, ..Durations::default() };
    let end = End::new(context.shape, reason(answer), answer.usage, took);
    let mut out = Vec::new();
    LineWriter::new(context).write(context.elapsed, &said, Some(&end), &mut out);
    out.truncate(out.len() - 1);
    out.into()
}

fn reason(answer: &ChatAnswer) -> FinishReason {
    answer.finish.as_ref().map_or(FinishReason::Stop, |finish| finish.reason)
}

/// What is known only at the end: why a model refused that said nothing, and calls that could not be told as such, unless they
/// were cut off. Ollama itself tells a call that it cannot read as text.
fn last_words(answer: &ChatAnswer) -> String {
    let is_cut = matches!(reason(answer), FinishReason::Length | FinishReason::ContextFull);
    let broken = answer.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) if !is_cut && Call::new(0, call).is_none() => Some(as_text(call)),
        _ => None,
    });
    let mut words: String = broken.collect();
    if reason(answer) == FinishReason::Refusal && answer.parts.is_empty() {
        let explanation = answer.finish.as_ref().and_then(|finish| finish.explanation.as_deref());
        words.push_str(explanation.unwrap_or_default());
    }
    words
}

fn as_text(call: &ToolCall) -> String {
    format!("{}({})", call.name, call.arguments)
}
