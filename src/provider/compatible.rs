//! Any server that speaks OpenAI Chat Completions.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider { kind: "compatible", base_url: None, api_key_variable: None };
