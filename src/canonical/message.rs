//! What has been said, by whom.

use super::media::Media;
use super::seal::Seal;

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in its order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::text(text)] }
    }

    /// Whether it is of whoever runs the service.
    pub fn is_instruction(&self) -> bool {
        matches!(self.role, Role::System | Role::Developer)
    }
}

/// Who speaks. Results of tools are the user's: where a dialect has a role for them, it is by their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Whoever runs the service.
    System,
    /// The same, as OpenAI has called it since its reasoning models.
    Developer,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text.
    Text(Text),
    /// A picture.
    Image(Media),
    /// A recording.
    Audio(Media),
    /// A document.
    File(Media),
    /// What the model said in place of an answer it would not give.
    Refusal(String),
    /// What the model thought.
    Reasoning {
        /// Its thoughts or their summary; empty if they are not told.
        text: String,
        /// What its provider wants to see again.
        seal: Option<Seal>,
    },
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
}

impl Part {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text { text: text.into(), ..Text::default() })
    }
}

/// Text, and what is known of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Where it has its facts from.
    pub annotations: Vec<Annotation>,
    /// How likely its tokens were, where that was asked for.
    pub logprobs: Vec<Logprob>,
    /// What its provider wants to see again: Gemini signs texts, too.
    pub seal: Option<Seal>,
}

/// A call of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// What its result refers to.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// What it is called with: the text of a JSON object, or any text for a tool that takes text. Empty for nothing.
    pub arguments: String,
    /// What the tool takes.
    pub kind: ToolKind,
    /// What the provider wants to see again with it.
    pub seal: Option<Seal>,
}

impl ToolCall {
    /// The arguments as the text of a JSON object: no arguments are an empty one. `None` if they are no object, as when the
    /// model was cut off in the middle of them.
    pub fn json_arguments(&self) -> Option<&str> {
        let arguments = self.arguments.trim();
        match arguments {
            "" | "null" => Some("{}"),
            _ if !arguments.starts_with('{') => None,
            _ => serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok().then_some(arguments),
        }
    }
}

/// What a tool takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToolKind {
    /// A JSON object.
    #[default]
    Function,
    /// A text.
    Custom,
}

/// What a tool answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolResult {
    /// The call it answers; empty if the client does not say, as Ollama's need not.
    pub call_id: String,
    /// The tool's name, where it is told.
    pub name: Option<String>,
    /// What the tool takes, where it is told.
    pub kind: ToolKind,
    /// The answer.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// Where a text has a fact from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotation {
    /// The page.
    pub url: Option<String>,
    /// The title of the page or document.
    pub title: Option<String>,
    /// The words there.
    pub cited_text: Option<String>,
    /// Where the statement begins and ends, in characters of the part's text; `None` if it is the whole of it.
    pub span: Option<(u64, u64)>,
}

/// How likely a token was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logprob {
    /// The token.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// Its bytes, where they are told.
    pub bytes: Option<Vec<u8>>,
    /// What else might have stood there. Their own lists are empty.
    pub top: Vec<Self>,
}
