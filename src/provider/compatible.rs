//! Any server that speaks OpenAI Chat Completions.
//!
//! Many such servers speak Anthropic Messages too. Whether this one does it says itself, unless the configuration names its
//! dialect.

use super::Provider;
use crate::dialect::{Anthropic, OpenAiChat, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "compatible",
    dialects: &[&OpenAiChat, &Anthropic],
    base_url: None,
    api_key_variable: None,
    key_header: None,
    quirks: Quirks::NONE,
};
