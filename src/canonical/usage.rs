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
    /// What two generations took together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_input_tokens: self.cached_input_tokens.saturating_add(other.cached_input_tokens),
            cache_write_input_tokens: self.cache_write_input_tokens.saturating_add(other.cache_write_input_tokens),
            reasoning_output_tokens: self.reasoning_output_tokens.saturating_add(other.reasoning_output_tokens),
        }
    }

    /// The usage of an answer, as one generation, that another model has written the rest of for `self`. `before` is what its
    /// beginning took, as far as that was told, and `generated` how many tokens that beginning has, if that was.
    ///
    /// The model that goes on counts the beginning among its input. So each token is counted once: as output where its number
    /// is known or is the difference of the two inputs, and as input where the first told nothing.
    #[must_use]
    pub fn behind(self, before: Option<Self>, generated: Option<u64>) -> Self {
        let Some(before) = before else { return self };
        let begun = generated.unwrap_or_else(|| self.input_tokens.saturating_sub(before.input_tokens));
        let reasoning = self.reasoning_output_tokens.saturating_add(before.reasoning_output_tokens);
        Self { output_tokens: self.output_tokens.saturating_add(begun), reasoning_output_tokens: reasoning, ..before }
    }

    /// The part of `input_tokens` that no cache had to do with.
    pub fn plain_input_tokens(&self) -> u64 {
        self.input_tokens.saturating_sub(self.cached_input_tokens).saturating_sub(self.cache_write_input_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, output_tokens, ..Usage::default() }
    }

    #[test]
    fn each_token_of_an_answer_by_two_models_is_counted_once() {
        // The first read 10 and wrote 4; the second read these and wrote 5.
        let second = usage(14, 5);
        assert_eq!(second.behind(Some(usage(10, 4)), Some(4)), usage(10, 9));
        // Anthropic tells at the beginning what was read, and what was written only at the end.
        assert_eq!(second.behind(Some(usage(10, 1)), None), usage(10, 9));
        assert_eq!(second.behind(None, None), second);
        // Another tokenizer may have made less of both than the first made of one.
        assert_eq!(usage(8, 5).behind(Some(usage(10, 1)), None), usage(10, 5));
    }

    #[test]
    fn what_two_generations_took_is_their_sum() {
        assert_eq!(usage(10, 4).and(usage(14, 5)), usage(24, 9));
    }
}
