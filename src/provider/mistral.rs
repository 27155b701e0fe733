//! Mistral. <https://docs.mistral.ai/api/>

use super::Provider;
use crate::dialect::quirks::{ChatQuirks, Effort, ReasoningStyle};
use crate::dialect::{OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "mistral",
    dialects: &[&OpenAiChat],
    base_url: Some("https://api.mistral.ai/v1"),
    api_key_variable: Some("MISTRAL_API_KEY"),
    key_header: None,
    quirks: Quirks {
        chat: ChatQuirks {
            reasoning: ReasoningStyle::Effort(&[Effort::None, Effort::High]),
            seed: Some("random_seed"),
            user: None,
            top_k: false,
            logprobs: false,
            stream_options: false,
            prefix: true,
            short_ids: true,
            ..ChatQuirks::NONE
        },
        ..Quirks::NONE
    },
};
