//! Mistral. <https://docs.mistral.ai/api/>

use super::Provider;
use crate::dialect::OpenAiChat;

pub(super) const PROVIDER: Provider = Provider {
    kind: "mistral",
    dialects: &[&OpenAiChat],
    base_url: Some("https://api.mistral.ai/v1"),
    api_key_variable: Some("MISTRAL_API_KEY"),
};
