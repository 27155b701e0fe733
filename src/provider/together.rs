//! Together AI. <https://docs.together.ai/docs/openai-api-compatibility>

use super::Provider;
use crate::dialect::{OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "together",
    dialects: &[&OpenAiChat],
    base_url: Some("https://api.together.xyz/v1"),
    api_key_variable: Some("TOGETHER_API_KEY"),
    key_header: None,
    quirks: Quirks::NONE,
};
