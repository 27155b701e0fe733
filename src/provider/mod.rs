//! Who serves models: where they are found and how a request to them is signed.
//!
//! A provider is one file with one constant and one line in [`ALL`]. Whoever speaks a known dialect needs no file at all:
//! `kind = "compatible"`, a `base_url` and a `dialect` in the configuration.

mod anthropic;
mod azure;
mod compatible;
mod deepseek;
mod fireworks;
mod gemini;
mod groq;
mod llama_cpp;
mod lm_studio;
mod mistral;
mod ollama;
mod openai;
mod openrouter;
mod together;
mod vllm;
mod xai;

use crate::dialect::{Dialect, Quirks};

/// What is known of a provider beforehand. The configuration may override the URL and the key.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// The name used as `kind` in the configuration.
    pub kind: &'static str,
    /// What it speaks below its base URL, its own language first: in that its key is sent and its models are listed.
    pub dialects: &'static [&'static dyn Dialect],
    /// The URL that `/chat/completions` or `/messages` is appended to; `None` if it must be configured.
    pub base_url: Option<&'static str>,
    /// The environment variable that holds the API key; `None` if no key is needed.
    pub api_key_variable: Option<&'static str>,
    /// The header field that carries the key, bare, where it is not its dialect's.
    pub key_header: Option<&'static str>,
    /// What is peculiar to it within its dialects.
    pub quirks: Quirks,
}

/// Every known provider. The order is that of discovery from the environment.
pub const ALL: &[&Provider] = &[
    &openai::PROVIDER,
    &anthropic::PROVIDER,
    &gemini::PROVIDER,
    &openrouter::PROVIDER,
    &groq::PROVIDER,
    &mistral::PROVIDER,
    &deepseek::PROVIDER,
    &xai::PROVIDER,
    &azure::PROVIDER,
    &together::PROVIDER,
    &fireworks::PROVIDER,
    &ollama::PROVIDER,
    &vllm::PROVIDER,
    &llama_cpp::PROVIDER,
    &lm_studio::PROVIDER,
    &compatible::PROVIDER,
];

/// The provider called `kind`.
pub fn find(kind: &str) -> Option<&'static Provider> {
    ALL.iter().copied().find(|provider| provider.kind == kind)
}
