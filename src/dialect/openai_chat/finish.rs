//! Why a model stopped, in OpenAI's words and those of its speakers.

use std::borrow::Cow;

use super::message::{Choice, Loose, parse};
use crate::canonical::{Finish, FinishReason};

/// Why the choice ended, if it says so. An empty word says nothing.
pub(super) fn read<'a>(choice: &Choice<'a>) -> Option<Finish<'a>> {
    let word = &choice.finish_reason.0;
    if word.is_empty() {
        return None;
    }
    let native = &choice.native_finish_reason.0;
    let mut finish = Finish {
        reason: reason_of(word).or_else(|| reason_of(native)).unwrap_or(FinishReason::Other),
        native: Some(if native.is_empty() { word.clone() } else { native.clone() }),
        stop_sequence: None,
        explanation: None,
    };
    let stop = [choice.stop_reason, choice.matched_stop].into_iter().find_map(parse::<Cow<'_, str>>);
    // Others have their native reason in such a field.
    if let Some(text) = stop.filter(|text| !text.is_empty() && reason_of(text).is_none())
        && finish.reason == FinishReason::Stop
    {
        (finish.reason, finish.stop_sequence) = (FinishReason::StopSequence, Some(text));
    }
    Some(finish)
}

/// What `word` means, if it means anything. OpenAI has the first of each line; the others are its speakers'.
fn reason_of(word: &str) -> Option<FinishReason> {
    match word {
        "stop" | "eos" | "eos_token" | "end_turn" | "STOP" => Some(FinishReason::Stop),
        "stop_sequence" => Some(FinishReason::StopSequence),
        "length" | "max_tokens" | "MAX_TOKENS" => Some(FinishReason::Length),
        "model_length" | "model_context_window_exceeded" => Some(FinishReason::ContextFull),
        "tool_calls" | "function_call" | "tool_use" => Some(FinishReason::ToolCalls),
        "content_filter" | "sensitive" | "refusal" | "safety" | "SAFETY" => Some(FinishReason::Refusal),
        "malformed_function_call" | "MALFORMED_FUNCTION_CALL" => Some(FinishReason::MalformedToolCall),
        _ => None,
    }
}

/// OpenAI's word for `reason`.
pub(super) fn word_of(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextFull => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Refusal => "content_filter",
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::Pause
        | FinishReason::MalformedToolCall
        | FinishReason::Other => "stop",
    }
}

impl Loose<'_> {
    /// The text, if there is any.
    pub(super) fn non_empty(&self) -> Option<&str> {
        (!self.is_empty()).then_some(&*self.0)
    }
}
