//! Ollama on this machine, by its OpenAI-compatible endpoint. <https://github.com/ollama/ollama/blob/main/docs/openai.md>

use super::Provider;
use crate::dialect::quirks::ChatQuirks;
use crate::dialect::{Anthropic, OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "ollama",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: Some("http://127.0.0.1:11434/v1"),
    api_key_variable: None,
    key_header: None,
    quirks: Quirks {
        chat: ChatQuirks {
            thoughts: Some("reasoning"),
            user: None,
            top_k: false,
            parallel_tool_calls: false,
            ..ChatQuirks::NONE
        },
        ..Quirks::NONE
    },
};
