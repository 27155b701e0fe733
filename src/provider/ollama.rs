//! Ollama on this machine, by its OpenAI-compatible endpoint. <https://github.com/ollama/ollama/blob/main/docs/openai.md>

use super::Provider;
use crate::dialect::{Anthropic, OpenAiChat};

pub(super) const PROVIDER: Provider = Provider {
    kind: "ollama",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: Some("http://127.0.0.1:11434/v1"),
    api_key_variable: None,
};
