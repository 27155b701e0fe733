//! xAI. <https://docs.x.ai/docs/api-reference>

use super::Provider;
use crate::dialect::quirks::{ChatQuirks, Effort, ReasoningStyle};
use crate::dialect::{OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "xai",
    dialects: &[&OpenAiChat],
    base_url: Some("https://api.x.ai/v1"),
    api_key_variable: Some("XAI_API_KEY"),
    key_header: None,
    quirks: Quirks {
        chat: ChatQuirks {
            output_limit: "max_completion_tokens",
            reasoning: ReasoningStyle::Effort(&[Effort::None, Effort::Low, Effort::Medium, Effort::High]),
            top_k: false,
            ..ChatQuirks::NONE
        },
        ..Quirks::NONE
    },
};
