//! DeepSeek. <https://api-docs.deepseek.com>

use super::Provider;
use crate::dialect::quirks::{ChatQuirks, ReasoningStyle};
use crate::dialect::{OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "deepseek",
    dialects: &[&OpenAiChat],
    base_url: Some("https://api.deepseek.com/v1"),
    api_key_variable: Some("DEEPSEEK_API_KEY"),
    key_header: None,
    quirks: Quirks {
        chat: ChatQuirks {
            reasoning: ReasoningStyle::Thinking,
            thoughts: Some("reasoning_content"),
            demands_thoughts: true,
            seed: None,
            user: None,
            top_k: false,
            json_schema: false,
            parallel_tool_calls: false,
            ..ChatQuirks::NONE
        },
        ..Quirks::NONE
    },
};
