//! vLLM on this machine. <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>

use super::Provider;
use crate::dialect::{Anthropic, OpenAiChat};

pub(super) const PROVIDER: Provider = Provider {
    kind: "vllm",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: Some("http://127.0.0.1:8000/v1"),
    api_key_variable: None,
};
