//! Why a model stopped, and what each dialect calls it.

use super::Told;

/// Why a model stopped, in no dialect's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Stop,
    StopSequence,
    Length,
    ContextFull,
    ToolCalls,
    Refusal,
    Pause,
    Malformed,
    Other,
}

impl Told {
    /// Why the model of this stream of `dialect` stopped. Whoever has called tools waits for them, whatever the word for it.
    pub fn why(&self, dialect: &str) -> Finish {
        let why = self.finish.as_deref().map_or(Finish::Stop, |word| meaning(dialect, word));
        let is_vague = matches!(why, Finish::Stop | Finish::Pause | Finish::Other);
        if is_vague && !self.calls.is_empty() { Finish::ToolCalls } else { why }
    }
}

fn meaning(dialect: &str, word: &str) -> Finish {
    match (dialect, word) {
        ("openai-chat" | "ollama", "stop")
        | ("openai-responses", "completed")
        | ("anthropic", "end_turn")
        | ("gemini", "STOP") => Finish::Stop,
        ("anthropic", "stop_sequence") => Finish::StopSequence,
        ("openai-chat" | "ollama", "length")
        | ("openai-responses", "incomplete: max_output_tokens")
        | ("anthropic", "max_tokens")
        | ("gemini", "MAX_TOKENS") => Finish::Length,
        ("openai-chat", "model_length") | ("anthropic", "model_context_window_exceeded") => Finish::ContextFull,
        ("openai-chat", "tool_calls" | "function_call") | ("anthropic", "tool_use") => Finish::ToolCalls,
        ("openai-chat", "content_filter")
        | ("openai-responses", "incomplete: content_filter")
        | ("anthropic", "refusal")
        | (
            "gemini",
            "SAFETY" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "RECITATION" | "IMAGE_SAFETY" | "LANGUAGE",
        ) => Finish::Refusal,
        ("anthropic", "pause_turn") => Finish::Pause,
        ("gemini", "MALFORMED_FUNCTION_CALL") => Finish::Malformed,
        _ => Finish::Other,
    }
}

/// The words of `dialect` for it, the best one first.
pub fn words(dialect: &str, why: Finish) -> &'static [&'static str] {
    use Finish::{ContextFull, Length, Malformed, Other, Pause, Refusal, Stop, StopSequence, ToolCalls};
    match (dialect, why) {
        ("openai-chat", Stop | StopSequence | Pause | Other | Malformed) => &["stop"],
        ("openai-chat", Length | ContextFull) | ("ollama", Length | ContextFull) => &["length"],
        ("openai-chat", ToolCalls) => &["tool_calls"],
        ("openai-chat", Refusal) => &["content_filter"],
        ("openai-responses", Stop | StopSequence | Pause | Other | ToolCalls) => &["completed"],
        ("openai-responses", Length | ContextFull) => &["incomplete: max_output_tokens"],
        ("openai-responses", Refusal) => &["incomplete: content_filter"],
        ("openai-responses", Malformed) => &["failed", "completed"],
        ("anthropic", Stop | Other | Malformed) => &["end_turn"],
        ("anthropic", StopSequence) => &["stop_sequence"],
        ("anthropic", Length) => &["max_tokens"],
        ("anthropic", ContextFull) => &["model_context_window_exceeded"],
        ("anthropic", ToolCalls) => &["tool_use"],
        ("anthropic", Refusal) => &["refusal"],
        ("anthropic", Pause) => &["pause_turn"],
        ("gemini", Stop | StopSequence | Pause | ToolCalls) => &["STOP"],
        ("gemini", Length | ContextFull) => &["MAX_TOKENS"],
        // Where the upstream's own word is one of Gemini's, it may be told.
        ("gemini", Refusal) => &["SAFETY"],
        ("gemini", Malformed) => &["MALFORMED_FUNCTION_CALL"],
        ("gemini", Other) => &["OTHER"],
        ("ollama", _) => &["stop"],
        _ => panic!("{dialect} is no dialect"),
    }
}
