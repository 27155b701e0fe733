//! LM Studio on this machine. <https://lmstudio.ai/docs/api/openai-api>

use super::Provider;
use crate::dialect::{Anthropic, OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "lm-studio",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: Some("http://127.0.0.1:1234/v1"),
    api_key_variable: None,
    key_header: None,
    quirks: Quirks::NONE,
};
