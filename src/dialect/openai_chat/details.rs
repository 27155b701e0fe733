//! `reasoning_details`: thoughts with what their provider wants to see again, as OpenRouter has them.
//!
//! <https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning>

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::message::Loose;

/// One entry, or a piece of one.
#[derive(Debug, Deserialize)]
pub(super) struct Detail<'a> {
    #[serde(borrow, default)]
    r#type: Loose<'a>,
    #[serde(borrow, default)]
    text: Loose<'a>,
    #[serde(borrow, default)]
    summary: Loose<'a>,
    #[serde(borrow, default)]
    data: Loose<'a>,
    #[serde(borrow, default)]
    signature: Loose<'a>,
    #[serde(borrow, default)]
    id: Loose<'a>,
    #[serde(borrow, default)]
    format: Loose<'a>,
    #[serde(default)]
    index: Option<i64>,
}

impl Detail<'_> {
    /// The thoughts told in it.
    pub(super) fn text(&self) -> &str {
        self.text.non_empty().unwrap_or(&self.summary.0)
    }
}

/// An entry without its text: what a seal keeps.
#[derive(Debug, Serialize)]
struct Kept {
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<i64>,
}

impl Kept {
    fn of(detail: &Detail<'_>) -> Self {
        let own = |text: &Loose<'_>| text.non_empty().map(str::to_owned);
        Self {
            r#type: detail.r#type.non_empty().unwrap_or("reasoning.text").to_owned(),
            signature: own(&detail.signature),
            data: own(&detail.data),
            id: own(&detail.id),
            format: own(&detail.format),
            index: detail.index,
        }
    }
}

/// Reads the entries of one answer, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Details {
    /// The entry of the text that no mark has ended.
    text: Option<Kept>,
}

impl Details {
    /// The mark on what has been thought, if `detail` has it: the entries to be sent back, without their text. A signature
    /// comes behind the text that it signs, in an entry of its own or in that of the text.
    pub(super) fn mark(&mut self, detail: &Detail<'_>) -> Option<String> {
        let kept = Kept::of(detail);
        let entries = if kept.data.is_some() {
            let text = self.text.take();
            text.into_iter().chain([kept]).collect()
        } else if kept.signature.is_some() {
            let text = self.text.take().unwrap_or_else(|| Kept::of(detail));
            vec![Kept { signature: kept.signature, ..text }]
        } else {
            if !detail.text().is_empty() {
                self.text.get_or_insert(kept);
            }
            return None;
        };
        serde_json::to_string::<Vec<Kept>>(&entries).ok()
    }
}

/// The entries that `mark` keeps, with their `text`. `None` if it keeps something else.
pub(super) fn restore(mark: &str, text: &str) -> Option<Vec<Value>> {
    let mut entries: Vec<Map<String, Value>> = serde_json::from_str(mark).ok()?;
    let of_text = |entry: &Map<String, Value>| match entry.get("type").and_then(Value::as_str) {
        Some("reasoning.text") => Some("text"),
        Some("reasoning.summary") => Some("summary"),
        _ => None,
    };
    if !text.is_empty()
        && let Some((entry, name)) = entries.iter_mut().find_map(|entry| of_text(entry).map(|name| (entry, name)))
    {
        entry.insert(name.to_owned(), text.into());
    }
    // A text that stands with another part, and has no mark of its own, is not sent twice.
    let says_something = |entry: &Map<String, Value>| {
        ["text", "summary", "signature", "data"].iter().any(|name| entry.contains_key(*name))
    };
    Some(entries.into_iter().filter(says_something).map(Value::Object).collect())
}
