//! vLLM on this machine. <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>

use super::Provider;
use crate::dialect::quirks::{ChatQuirks, ReasoningStyle};
use crate::dialect::{Anthropic, OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "vllm",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: Some("http://127.0.0.1:8000/v1"),
    api_key_variable: None,
    key_header: None,
    quirks: Quirks {
        chat: ChatQuirks { reasoning: ReasoningStyle::Template, thoughts: Some("reasoning"), ..ChatQuirks::NONE },
        ..Quirks::NONE
    },
};
