//! OpenRouter. <https://openrouter.ai/docs/api-reference/overview>

use super::Provider;
use crate::dialect::{Anthropic, OpenAiChat};

pub(super) const PROVIDER: Provider = Provider {
    kind: "openrouter",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: Some("https://openrouter.ai/api/v1"),
    api_key_variable: Some("OPENROUTER_API_KEY"),
};
