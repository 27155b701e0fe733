//! What a client asks of a model.

use serde_json::Value;

use super::loss::Weight;
use super::message::Message;

/// A chat request, in no dialect's words. What is absent is left to the model's provider.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatRequest {
    /// The model asked for.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether a stream is to tell its usage, where the dialect leaves that to the client.
    pub include_usage: bool,
    /// The conversation so far, instructions included, in its order.
    pub messages: Vec<Message>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Which of them it must or must not call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// How many tokens it may generate, reasoning included.
    pub max_output_tokens: Option<u64>,
    /// 0 to 2, as OpenAI counts it.
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<f64>,
    /// How many of the likeliest tokens are sampled from.
    pub top_k: Option<u64>,
    /// The seed of sampling.
    pub seed: Option<i64>,
    /// -2 to 2.
    pub presence_penalty: Option<f64>,
    /// -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How many alternatives are to be told with each token's probability; `None` if probabilities are not asked for.
    pub logprobs: Option<u32>,
    /// What the answer's text must be.
    pub output: OutputFormat,
    /// How much the model is to think, and whether to tell.
    pub reasoning: Reasoning,
    /// `low`, `medium` or `high`: how long the answer should be.
    pub verbosity: Option<String>,
    /// Who asks, as the client's own users go: for the provider's watch over abuse.
    pub user: Option<String>,
    /// What the client said that has no place above.
    pub unmapped: Vec<Unmapped>,
}

impl ChatRequest {
    /// The instructions before the conversation, and the conversation.
    pub fn split_instructions(&self) -> (&[Message], &[Message]) {
        let leading = self.messages.iter().take_while(|message| message.is_instruction()).count();
        self.messages.split_at(leading)
    }
}

/// A part of a request that this vocabulary has no word for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// Its name in the client's dialect, as a path where it is not at the top: `logit_bias`, `tools[1].type`.
    pub param: String,
    /// Whether an answer without it is another answer.
    pub weight: Weight,
}

/// What the text of an answer must be.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum OutputFormat {
    /// Anything.
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON after a schema.
    Schema {
        /// Its name, where it was given one.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The JSON Schema.
        schema: Value,
        /// Whether the provider must hold the model to it.
        strict: Option<bool>,
    },
}

/// How much a model is to think before it answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasoning {
    /// By word.
    pub effort: Option<Effort>,
    /// By number of tokens.
    pub budget_tokens: Option<u64>,
    /// On or off, where the client said no more than that. An effort of [`Effort::None`] is off, too.
    pub enabled: Option<bool>,
    /// Whether its thoughts, or a summary of them, are to be told.
    pub visible: Option<bool>,
}

impl Reasoning {
    /// Whether the client said nothing about it.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the client wants none.
    pub fn is_off(&self) -> bool {
        self.enabled == Some(false) || self.effort == Some(Effort::None) || self.budget_tokens == Some(0)
    }

    /// The effort asked for, be it by word, by number or by the wish alone.
    pub fn as_effort(&self) -> Option<Effort> {
        if self.is_off() {
            return Some(Effort::None);
        }
        self.effort.or_else(|| self.budget_tokens.map(Effort::of_budget)).or(self.enabled.map(|_| Effort::Medium))
    }

    /// The budget asked for, be it by number, by word or by the wish alone; 0 where none is wanted.
    pub fn as_budget(&self) -> Option<u64> {
        if self.is_off() {
            return Some(0);
        }
        self.budget_tokens.or_else(|| self.as_effort().map(Effort::budget))
    }
}

/// How hard to think, in the words of OpenAI's `reasoning_effort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as the model can.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// Hard.
    High,
    /// Harder.
    XHigh,
    /// As hard as the model can.
    Max,
}

impl Effort {
    const WORDS: [(Self, &'static str); 7] = [
        (Self::None, "none"),
        (Self::Minimal, "minimal"),
        (Self::Low, "low"),
        (Self::Medium, "medium"),
        (Self::High, "high"),
        (Self::XHigh, "xhigh"),
        (Self::Max, "max"),
    ];

    /// The effort that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, own)| *own == word).map(|(effort, _)| *effort)
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(own, _)| *own == self).map_or("medium", |(_, word)| word)
    }

    /// How many tokens of thought it stands for where only numbers are understood. The steps up to `high` are LiteLLM's,
    /// which much software has come to expect.
    pub fn budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal => 512,
            Self::Low => 1024,
            Self::Medium => 2048,
            Self::High => 4096,
            Self::XHigh => 16_384,
            Self::Max => 32_768,
        }
    }

    /// The word for a budget of `tokens` where only words are understood.
    pub fn of_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..1024 => Self::Minimal,
            1024..2048 => Self::Low,
            2048..4096 => Self::Medium,
            4096..16_384 => Self::High,
            16_384..32_768 => Self::XHigh,
            _ => Self::Max,
        }
    }
}

/// Something the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// What it takes.
    pub input: ToolInput,
}

/// What a tool takes.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolInput {
    /// A JSON object: a function's arguments.
    Json {
        /// Its JSON Schema; `None` for no arguments.
        schema: Option<Value>,
        /// Whether the provider must hold the model to it.
        strict: Option<bool>,
    },
    /// A text: OpenAI's custom tools.
    Text {
        /// The grammar of the text, as OpenAI writes it.
        format: Option<Value>,
    },
}

/// Which tools the model must or must not call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// None.
    None,
    /// One at least.
    Required,
    /// This one.
    Tool(String),
    /// None but these.
    Allowed {
        /// Whether it must call one of them.
        required: bool,
        /// Their names.
        names: Vec<String>,
    },
}
