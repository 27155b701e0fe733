//! Anthropic. <https://docs.claude.com/en/api/overview>

use super::Provider;
use crate::dialect::Anthropic;

pub(super) const PROVIDER: Provider = Provider {
    kind: "anthropic",
    dialects: &[&Anthropic],
    base_url: Some("https://api.anthropic.com/v1"),
    api_key_variable: Some("ANTHROPIC_API_KEY"),
};
