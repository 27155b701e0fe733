//! Any server that speaks OpenAI Chat Completions, unless the configuration says that it speaks something else, or more.

use super::Provider;
use crate::dialect::{OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "compatible",
    dialects: &[&OpenAiChat],
    base_url: None,
    api_key_variable: None,
    key_header: None,
    quirks: Quirks::NONE,
};
