//! Ollama on this machine. Its base URL is that of its OpenAI-compatible endpoint; its own language is spoken beside that.
//! <https://github.com/ollama/ollama/blob/main/docs/openai.md>

use super::Provider;
use crate::dialect::quirks::ChatQuirks;
use crate::dialect::{Anthropic, Ollama, OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "ollama",
    dialects: &[&OpenAiChat, &Anthropic, &Ollama],
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
