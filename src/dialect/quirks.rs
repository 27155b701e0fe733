//! What is peculiar to a provider within its dialect. Plain data: a provider's file says what it has, a dialect heeds it.

/// The peculiarities of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// How it takes OpenAI Chat Completions.
    pub chat: ChatQuirks,
    /// How many tokens its models may generate at most, by the beginnings of their names, the first that fits; for a dialect
    /// that demands a limit where the client set none. The last one fits every name.
    pub max_output_tokens: &'static [(&'static str, u64)],
}

impl Quirks {
    /// A provider without any.
    pub const NONE: Self = Self { chat: ChatQuirks::NONE, max_output_tokens: &[("", 32_000)] };

    /// How many tokens `model` may generate.
    pub fn max_output_tokens(&self, model: &str) -> u64 {
        let known = self.max_output_tokens.iter().find(|(beginning, _)| model.starts_with(beginning));
        known.map_or(32_000, |(_, tokens)| *tokens)
    }
}

/// How a provider takes chat completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatQuirks {
    /// The name of the limit of output tokens: `max_completion_tokens` for OpenAI, `max_tokens` for nearly all others.
    pub output_limit: &'static str,
}

impl ChatQuirks {
    /// What most servers understand that call themselves compatible.
    pub const NONE: Self = Self { output_limit: "max_tokens" };
}
