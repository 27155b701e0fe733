//! Writes the lines of a stream, and an answer that is one line of it.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use super::call::Call;
use crate::canonical::{FinishReason, Logprob, Usage};
use crate::dialect::json::write_json;
use crate::dialect::{AnswerContext, Shape};

/// What a line says.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) content: &'a str,
    pub(super) thinking: &'a str,
    pub(super) tool_calls: &'a [Call<'a>],
    pub(super) logprobs: &'a [Logprob],
}

/// What the last line says of all of it.
#[derive(Debug, Serialize)]
pub(super) struct End {
    done: bool,
    done_reason: &'static str,
    /// Tokens that a client could send to go on from here. They are the model's own, which nobody here knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<[u32; 0]>,
    total_duration: u64,
    load_duration: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_eval_count: Option<u64>,
    prompt_eval_duration: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_count: Option<u64>,
    eval_duration: u64,
}

/// How long an answer took, by its phases.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Durations {
    /// From the request to the answer's end.
    pub(super) total: Duration,
    /// From the request until the upstream began to answer.
    pub(super) load: Duration,
    /// From there until the model said something.
    pub(super) prompt: Duration,
    /// From there to the end.
    pub(super) answer: Duration,
}

impl End {
    pub(super) fn new(shape: Shape, reason: FinishReason, usage: Option<Usage>, took: Durations) -> Self {
        Self {
            done: true,
            done_reason: match reason {
                FinishReason::Length | FinishReason::ContextFull => "length",
                _ => "stop",
            },
            context: (shape == Shape::Completion).then_some([]),
            total_duration: nanoseconds(took.total),
            load_duration: nanoseconds(took.load),
            prompt_eval_count: usage.map(|usage| usage.input_tokens),
            prompt_eval_duration: nanoseconds(took.prompt),
            eval_count: usage.map(|usage| usage.output_tokens),
            // What came all at once was generated before it came.
            eval_duration: nanoseconds(if took.answer.is_zero() { took.total } else { took.answer }),
        }
    }
}

/// Clients divide by durations, so none is zero.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// Writes the lines of one answer.
#[derive(Debug)]
pub(super) struct LineWriter {
    shape: Shape,
    /// The beginning of every line, up to its date.
    head: Vec<u8>,
    /// When the request came, since 1970.
    created: Duration,
}

impl LineWriter {
    pub(super) fn new(context: &AnswerContext) -> Self {
        let created = Duration::new(context.created, context.created_nanos);
        let mut writer = Self { shape: context.shape, head: Vec::new(), created };
        // Ollama calls a model what its client calls it.
        writer.call_model(&context.request.model);
        writer
    }

    /// From now on the model is called `model`.
    pub(super) fn call_model(&mut self, model: &str) {
        self.head = b"{\"model\":".to_vec();
        write_json(model, &mut self.head);
        self.head.extend_from_slice(b",\"created_at\":\"");
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Writes one line that comes `elapsed` after the request.
    pub(super) fn write(&self, elapsed: Duration, said: &Said<'_>, end: Option<&End>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(date(self.created.saturating_add(elapsed)).as_bytes());
        let is_chat = self.shape != Shape::Completion;
        out.extend_from_slice(if is_chat {
            b"\",\"message\":{\"role\":\"assistant\",\"content\":"
        } else {
            b"\",\"response\":"
        });
        write_json(said.content, out);
        if !said.thinking.is_empty() {
            out.extend_from_slice(b",\"thinking\":");
            write_json(said.thinking, out);
        }
        if !said.tool_calls.is_empty() {
            out.extend_from_slice(b",\"tool_calls\":");
            write_json(said.tool_calls, out);
        }
        if is_chat {
            out.push(b'}');
        }
        if !said.logprobs.is_empty() {
            out.extend_from_slice(b",\"logprobs\":");
            write_json(&said.logprobs.iter().map(WireLogprob::from).collect::<Vec<_>>(), out);
        }
        match end {
            None => out.extend_from_slice(b",\"done\":false}\n"),
            Some(end) => {
                // Its fields are some of the line's.
                let mut fields = Vec::new();
                write_json(end, &mut fields);
                fields[0] = b',';
                out.extend_from_slice(&fields);
                out.push(b'\n');
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct WireLogprob<'a> {
    token: &'a str,
    logprob: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<&'a [u8]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top_logprobs: Vec<Self>,
}

impl<'a> From<&'a Logprob> for WireLogprob<'a> {
    fn from(own: &'a Logprob) -> Self {
        let top_logprobs = own.top.iter().map(Self::from).collect();
        Self { token: &own.token, logprob: own.logprob, bytes: own.bytes.as_deref(), top_logprobs }
    }
}

/// The moment `since_1970`, as Go writes it.
pub(super) fn date(since_1970: Duration) -> String {
    let moment = UNIX_EPOCH.checked_add(since_1970).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_nanos(moment).to_string()
}
