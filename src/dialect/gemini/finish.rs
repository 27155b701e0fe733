//! Why a model stops, in Google's words.
//!
//! <https://ai.google.dev/api/generate-content#FinishReason>

use crate::canonical::{ChatAnswer, FinishReason, Part, ToolKind};

/// What Google's `word` for it means.
pub(super) fn reason_of(word: &str) -> FinishReason {
    match word {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::Refusal,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => FinishReason::MalformedToolCall,
        "CONTINUATION" => FinishReason::Pause,
        _ => FinishReason::Other,
    }
}

/// How an answer ends.
pub(super) struct End<'a> {
    /// Google's word for it.
    pub(super) word: &'static str,
    /// More about it.
    pub(super) message: Option<&'a str>,
}

/// How Google would say that `answer` ended.
pub(super) fn of(answer: &ChatAnswer) -> End<'_> {
    let finish = answer.finish.as_ref();
    let message = finish.and_then(|finish| finish.explanation.as_deref());
    let word = match finish.map_or(FinishReason::Stop, |finish| finish.reason) {
        FinishReason::Length | FinishReason::ContextFull => "MAX_TOKENS",
        FinishReason::Refusal => "SAFETY",
        FinishReason::MalformedToolCall => "MALFORMED_FUNCTION_CALL",
        _ if answer.parts.iter().any(|part| matches!(part, Part::Refusal(_))) => "SAFETY",
        FinishReason::Other => "OTHER",
        // A call that cannot be told as an object has been left out, and must not look like an end.
        _ => match broken_call(answer) {
            Some(arguments) => return End { word: "MALFORMED_FUNCTION_CALL", message: Some(arguments) },
            None => "STOP",
        },
    };
    End { word, message }
}

fn broken_call(answer: &ChatAnswer) -> Option<&str> {
    answer.parts.iter().find_map(|part| match part {
        Part::ToolCall(call) if call.kind == ToolKind::Function && call.json_arguments().is_none() => {
            Some(&*call.arguments)
        }
        _ => None,
    })
}
