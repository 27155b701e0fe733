//! OpenAI. <https://platform.openai.com/docs/api-reference>

use super::Provider;
use crate::dialect::quirks::ChatQuirks;
use crate::dialect::{OpenAiChat, OpenAiResponses, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "openai",
    dialects: &[&OpenAiChat, &OpenAiResponses],
    base_url: Some("https://api.openai.com/v1"),
    api_key_variable: Some("OPENAI_API_KEY"),
    key_header: None,
    quirks: Quirks { chat: ChatQuirks::OPENAI, stores_responses: true, ..Quirks::NONE },
};
