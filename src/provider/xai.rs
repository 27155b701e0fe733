//! xAI. <https://docs.x.ai/docs/api-reference>

use super::Provider;
use crate::dialect::OpenAiChat;

pub(super) const PROVIDER: Provider = Provider {
    kind: "xai",
    dialects: &[&OpenAiChat],
    base_url: Some("https://api.x.ai/v1"),
    api_key_variable: Some("XAI_API_KEY"),
};
