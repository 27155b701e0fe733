//! What is peculiar to a provider within its dialect. Plain data: a provider's file says what it has, a dialect heeds it.

pub use crate::canonical::Effort;

/// The peculiarities of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// How it takes OpenAI Chat Completions.
    pub chat: ChatQuirks,
    /// How many tokens its models may generate at most, by the beginnings of their names, the first that fits; for a dialect
    /// that demands a limit where the client set none. The last one fits every name.
    pub max_output_tokens: &'static [(&'static str, u64)],
    /// Whether it keeps its responses, and makes them in the background where it is asked to.
    pub stores_responses: bool,
}

impl Quirks {
    /// A provider without any.
    pub const NONE: Self = Self { chat: ChatQuirks::NONE, max_output_tokens: &[("", 32_000)], stores_responses: false };

    /// How many tokens `model` may generate.
    pub fn max_output_tokens(&self, model: &str) -> u64 {
        let known = self.max_output_tokens.iter().find(|(beginning, _)| model.starts_with(beginning));
        known.map_or(32_000, |(_, tokens)| *tokens)
    }
}

/// How a provider takes chat completions. What it is said not to take it may refuse, so it is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatQuirks {
    /// The name of the limit of output tokens: `max_completion_tokens` for OpenAI, `max_tokens` for nearly all others.
    pub output_limit: &'static str,
    /// How it is told how much to think.
    pub reasoning: ReasoningStyle,
    /// The field of an assistant's message in which it takes back what its model thought; `None` if it takes none.
    pub thoughts: Option<&'static str>,
    /// Whether it refuses a turn that called tools without that field, be it empty.
    pub demands_thoughts: bool,
    /// What it calls the seed.
    pub seed: Option<&'static str>,
    /// What it calls whoever asks.
    pub user: Option<&'static str>,
    /// Whether it takes `top_k`.
    pub top_k: bool,
    /// Whether it takes `presence_penalty` and `frequency_penalty`.
    pub penalties: bool,
    /// Whether it tells probabilities.
    pub logprobs: bool,
    /// Whether it can be held to a JSON Schema.
    pub json_schema: bool,
    /// Whether it can be held to one call of a tool at a time.
    pub parallel_tool_calls: bool,
    /// Whether it knows tools that take text, and a choice among some of the tools.
    pub custom_tools: bool,
    /// Whether it takes `verbosity`.
    pub verbosity: bool,
    /// Whether it knows the role `developer`.
    pub developer_role: bool,
    /// Whether a stream's usage must be asked for by `stream_options`; others tell it unasked.
    pub stream_options: bool,
    /// Whether an answer that the client began must be marked by `prefix`.
    pub prefix: bool,
    /// Whether the ids of calls must be nine letters and digits.
    pub short_ids: bool,
}

impl ChatQuirks {
    /// What most servers understand that call themselves compatible.
    pub const NONE: Self = Self {
        output_limit: "max_tokens",
        reasoning: ReasoningStyle::Effort(&[]),
        thoughts: None,
        demands_thoughts: false,
        seed: Some("seed"),
        user: Some("user"),
        top_k: true,
        penalties: true,
        logprobs: true,
        json_schema: true,
        parallel_tool_calls: true,
        custom_tools: false,
        verbosity: false,
        developer_role: false,
        stream_options: true,
        prefix: false,
        short_ids: false,
    };

    /// OpenAI's own service.
    pub const OPENAI: Self = Self {
        output_limit: "max_completion_tokens",
        user: Some("safety_identifier"),
        top_k: false,
        custom_tools: true,
        verbosity: true,
        developer_role: true,
        ..Self::NONE
    };
}

/// How a provider is told how much to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningStyle {
    /// `reasoning_effort`, one of these words; any word if there are none.
    Effort(&'static [Effort]),
    /// OpenRouter's object `reasoning`, which can say all there is to say.
    Object,
    /// DeepSeek's switch `thinking`, with `reasoning_effort` beside it.
    Thinking,
    /// A switch in `chat_template_kwargs` for the model's template, with `reasoning_effort` beside it.
    Template,
}
