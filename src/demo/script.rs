//! What will be said, and when: a reply as a list of timed beats.
//!
//! A script is complete before the first byte is sent; nothing about a reply is decided while it is played.

use std::time::Duration;

use serde::Serialize;

/// A reply that has only to be played.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) beats: Vec<Beat>,
    pub(super) usage: Usage,
}

/// One thing that happens, and the pause before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beat {
    pub(super) after: Duration,
    pub(super) step: Step,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A token of thought.
    Reasoning(String),
    /// A token of the answer.
    Text(String),
    /// A tool call begins.
    Call { index: usize, id: String, name: String },
    /// A token of the arguments of a tool call.
    Arguments { index: usize, fragment: String },
    /// The reply is complete.
    Finish(Finish),
    /// The connection breaks while this token is on its way.
    Cut(String),
    /// Nothing will ever happen again.
    Hang,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Finish {
    Stop,
    Length,
    ToolCalls,
}

/// The bill, with the fields and the nesting of OpenAI's `usage` object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: usize,
    pub(super) completion_tokens: usize,
    pub(super) total_tokens: usize,
    prompt_tokens_details: PromptDetails,
    pub(super) completion_tokens_details: CompletionDetails,
}

/// The `usage` field of one chunk or document, in a reply that reports usage at all.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Billing<'a> {
    /// `null`: the bill comes at the end.
    Later,
    Now(&'a Usage),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct PromptDetails {
    cached_tokens: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct CompletionDetails {
    pub(super) reasoning_tokens: usize,
}

impl Step {
    /// Whether this costs the client a token.
    pub(super) fn is_token(&self) -> bool {
        !matches!(self, Self::Finish(_) | Self::Hang)
    }
}

impl Usage {
    /// What `beats` cost on top of a prompt.
    pub(super) fn for_beats(prompt_tokens: usize, beats: &[Beat]) -> Self {
        let completion_tokens = beats.iter().filter(|beat| beat.step.is_token()).count();
        let reasoning_tokens = beats.iter().filter(|beat| matches!(beat.step, Step::Reasoning(_))).count();
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details: PromptDetails { cached_tokens: 0 },
            completion_tokens_details: CompletionDetails { reasoning_tokens },
        }
    }
}
