//! Fireworks AI. <https://docs.fireworks.ai/tools-sdks/openai-compatibility>

use super::Provider;
use crate::dialect::quirks::ChatQuirks;
use crate::dialect::{Anthropic, OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "fireworks",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: Some("https://api.fireworks.ai/inference/v1"),
    api_key_variable: Some("FIREWORKS_API_KEY"),
    key_header: None,
    quirks: Quirks { chat: ChatQuirks { thoughts: Some("reasoning_content"), ..ChatQuirks::NONE }, ..Quirks::NONE },
};
