//! DeepSeek. <https://api-docs.deepseek.com>

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    kind: "deepseek",
    base_url: Some("https://api.deepseek.com/v1"),
    api_key_variable: Some("DEEPSEEK_API_KEY"),
};
