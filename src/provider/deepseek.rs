//! DeepSeek. <https://api-docs.deepseek.com>

use super::Provider;
use crate::dialect::OpenAiChat;

pub(super) const PROVIDER: Provider = Provider {
    kind: "deepseek",
    dialects: &[&OpenAiChat],
    base_url: Some("https://api.deepseek.com/v1"),
    api_key_variable: Some("DEEPSEEK_API_KEY"),
};
