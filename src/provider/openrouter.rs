//! OpenRouter. <https://openrouter.ai/docs/api-reference/overview>

use super::Provider;
use crate::dialect::quirks::{ChatQuirks, ReasoningStyle};
use crate::dialect::{Anthropic, OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "openrouter",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: Some("https://openrouter.ai/api/v1"),
    api_key_variable: Some("OPENROUTER_API_KEY"),
    key_header: None,
    quirks: Quirks {
        chat: ChatQuirks {
            reasoning: ReasoningStyle::Object,
            thoughts: Some("reasoning"),
            verbosity: true,
            ..ChatQuirks::NONE
        },
        ..Quirks::NONE
    },
};
