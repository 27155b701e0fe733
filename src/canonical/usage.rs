//! Token counts of one generation.

/// Tokens as the provider counted them, named after the OpenTelemetry GenAI conventions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, those read from or written to a cache included.
    pub input_tokens: u64,
    /// Tokens generated, reasoning included.
    pub output_tokens: u64,
    /// The part of `input_tokens` that came from the provider's cache.
    pub cached_input_tokens: u64,
    /// The part of `input_tokens` that was written to the provider's cache, where that is counted.
    pub cache_write_input_tokens: u64,
    /// The part of `output_tokens` that was reasoning.
    pub reasoning_output_tokens: u64,
}

impl Usage {
    /// The part of `input_tokens` that no cache had to do with.
    pub fn plain_input_tokens(&self) -> u64 {
        self.input_tokens.saturating_sub(self.cached_input_tokens).saturating_sub(self.cache_write_input_tokens)
    }
}
