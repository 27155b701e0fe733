//! A whole answer.

use super::event::Finish;
use super::message::Part;
use super::usage::Usage;

/// All that a model answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatAnswer {
    /// The upstream's name for it.
    pub id: Option<String>,
    /// The model that answered, as the upstream calls it.
    pub model: Option<String>,
    /// When it began, in seconds since 1970, if the upstream told.
    pub created: Option<u64>,
    /// What it said, in its order: texts, refusals, thoughts and calls of tools.
    pub parts: Vec<Part>,
    /// Why it stopped. Always known of an answer that is whole.
    pub finish: Option<Finish<'static>>,
    /// The tokens it used, if the provider told.
    pub usage: Option<Usage>,
}

impl ChatAnswer {
    /// The texts in it, as one.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(&*text.text),
            _ => None,
        });
        texts.collect()
    }

    /// Whether a tool is called in it.
    pub fn calls_tools(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
    }
}
