//! Anthropic. <https://docs.claude.com/en/api/overview>

use super::Provider;
use crate::dialect::{Anthropic, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "anthropic",
    dialects: &[&Anthropic],
    base_url: Some("https://api.anthropic.com/v1"),
    api_key_variable: Some("ANTHROPIC_API_KEY"),
    key_header: None,
    quirks: Quirks {
        // <https://docs.claude.com/en/docs/about-claude/models/overview>. Where the sources differ, the smaller number.
        max_output_tokens: &[
            ("claude-opus-4-0", 32_000),
            ("claude-opus-4-1", 32_000),
            ("claude-opus-4-2025", 32_000),
            ("claude-opus-4-5", 64_000),
            ("claude-opus-4", 128_000),
            ("claude-3-7", 64_000),
            ("claude-3-5", 8_192),
            ("claude-3", 4_096),
            ("claude-2", 4_096),
            ("", 64_000),
        ],
        ..Quirks::NONE
    },
};
