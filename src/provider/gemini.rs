//! Google Gemini. <https://ai.google.dev/gemini-api/docs/api-key>

use super::Provider;
use crate::dialect::{Gemini, Quirks};

pub(super) const PROVIDER: Provider = Provider {
    kind: "gemini",
    dialects: &[&Gemini],
    base_url: Some("https://generativelanguage.googleapis.com/v1beta"),
    api_key_variable: Some("GEMINI_API_KEY"),
    key_header: None,
    quirks: Quirks::NONE,
};
