//! Groq. <https://console.groq.com/docs/openai>

use super::Provider;
use crate::dialect::quirks::{ChatQuirks, Effort, ReasoningStyle};
use crate::dialect::{OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "groq",
    dialects: &[&OpenAiChat],
    base_url: Some("https://api.groq.com/openai/v1"),
    api_key_variable: Some("GROQ_API_KEY"),
    key_header: None,
    quirks: Quirks {
        chat: ChatQuirks {
            output_limit: "max_completion_tokens",
            reasoning: ReasoningStyle::Effort(&[Effort::None, Effort::Low, Effort::Medium, Effort::High]),
            top_k: false,
            logprobs: false,
            ..ChatQuirks::NONE
        },
        ..Quirks::NONE
    },
};
