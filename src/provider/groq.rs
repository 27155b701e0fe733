//! Groq. <https://console.groq.com/docs/openai>

use super::Provider;
use crate::dialect::OpenAiChat;

pub(super) const PROVIDER: Provider = Provider {
    kind: "groq",
    dialects: &[&OpenAiChat],
    base_url: Some("https://api.groq.com/openai/v1"),
    api_key_variable: Some("GROQ_API_KEY"),
};
