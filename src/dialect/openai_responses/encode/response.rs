//! The response object, which stands at the beginning and the end of a stream and is the whole of an answer without one.

use std::time::Duration;

use serde_json::{Value, json};

use super::event::member;
use crate::canonical::{FinishReason, Usage};
use crate::dialect::AnswerContext;
use crate::dialect::json::write_json;

use super::super::settings;

/// What is the same in every response object of one stream.
#[derive(Debug)]
pub(super) struct Frame {
    /// The name that the names of everything in it are made of.
    pub(super) id: String,
    created: u64,
    /// From the request until now.
    pub(super) elapsed: Duration,
    /// The settings of the request, as members of an object.
    settings: Vec<u8>,
}

/// How a response stands.
#[derive(Debug)]
pub(super) enum End {
    Queued,
    NotYet,
    Completed,
    /// It was cut off for this reason.
    Incomplete(&'static str),
    /// It failed with this error.
    Failed(Value),
}

impl End {
    /// The end that goes with `reason`.
    pub(super) fn of(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Length | FinishReason::ContextFull => Self::Incomplete("max_output_tokens"),
            FinishReason::Refusal => Self::Incomplete("content_filter"),
            // An agent that was told of a good end would think its task done.
            FinishReason::MalformedToolCall => Self::Failed(json!({
                "code": "server_error",
                "message": "The model tried to call a tool and got it wrong. Send the request again.",
            })),
            _ => Self::Completed,
        }
    }

    /// The event that tells it.
    pub(super) fn event(&self) -> &'static str {
        match self {
            Self::Queued => "response.queued",
            Self::NotYet => "response.in_progress",
            Self::Completed => "response.completed",
            Self::Incomplete(_) => "response.incomplete",
            Self::Failed(_) => "response.failed",
        }
    }

    fn status(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::NotYet => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }
}

impl Frame {
    pub(super) fn new(context: &AnswerContext) -> Self {
        let mut settings = Vec::new();
        for (name, value) in settings::of_response(&context.request) {
            member(&mut settings, &name, &value);
        }
        Self { id: context.id.clone(), created: context.created, elapsed: context.elapsed, settings }
    }

    /// The object as the member `response` of an event.
    pub(super) fn write_member(&self, end: &End, output: &[u8], usage: Option<&Usage>, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"response\":");
        self.write(end, output, usage, out);
    }

    /// The object, with the items in `output`.
    pub(super) fn write(&self, end: &End, output: &[u8], usage: Option<&Usage>, out: &mut Vec<u8>) {
        let completed_at = matches!(end, End::Completed).then(|| self.created + self.elapsed.as_secs());
        let error = if let End::Failed(error) = end { error.clone() } else { Value::Null };
        let incomplete = if let End::Incomplete(reason) = end { json!({ "reason": reason }) } else { Value::Null };
        out.extend_from_slice(b"{\"id\":");
        write_json(&format!("resp_{}", self.id), out);
        member(out, "object", "response");
        member(out, "created_at", &self.created);
        member(out, "status", end.status());
        member(out, "background", &false);
        member(out, "completed_at", &completed_at);
        member(out, "error", &error);
        member(out, "incomplete_details", &incomplete);
        out.extend_from_slice(&self.settings);
        out.extend_from_slice(b",\"output\":[");
        out.extend_from_slice(output);
        out.push(b']');
        match (end, usage) {
            (End::Queued | End::NotYet, _) | (End::Failed(_), None) => member(out, "usage", &Value::Null),
            // Clients want numbers at the end, known or not.
            (_, usage) => member(out, "usage", &tell(&usage.copied().unwrap_or_default())),
        }
        out.push(b'}');
    }
}

fn tell(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_input_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning_output_tokens },
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
    })
}
