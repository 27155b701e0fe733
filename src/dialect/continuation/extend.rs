//! A request that is to go on with an answer: the client's own, with a few fields changed and every other byte kept.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Beginning;
use crate::dialect::json::write_json;
use crate::dialect::patch;

/// A request body, and what is to be changed in it.
#[derive(Debug)]
pub(in crate::dialect) struct Extension<'a> {
    body: &'a [u8],
    edits: Vec<(Range<usize>, Vec<u8>)>,
}

/// What marks a turn as one that is to be gone on with.
const PREFIX: &[u8] = b",\"prefix\":true";

/// A turn of a conversation.
#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    tool_calls: Option<IgnoredAny>,
    #[serde(borrow, default)]
    prefix: Option<&'a RawValue>,
}

impl<'a> Extension<'a> {
    /// Nothing is changed yet in `body`, which is a JSON object.
    pub(in crate::dialect) fn of(body: &'a [u8]) -> Self {
        Self { body, edits: Vec::new() }
    }

    /// The body with all changes.
    pub(in crate::dialect) fn into_body(self) -> Bytes {
        patch::apply(self.body, self.edits)
    }

    /// Lets `messages`, a value of the body, end in the model's turn that says `text`, marked as a prefix if it `is_marked`. A turn
    /// that the client has begun itself goes on.
    pub(in crate::dialect) fn say(
        &mut self,
        messages: Option<&RawValue>,
        text: &str,
        is_marked: bool,
    ) -> Result<(), &'static str> {
        let messages = messages.ok_or("it is no conversation")?;
        let turns: Vec<&RawValue> = serde_json::from_str(messages.get()).map_err(|_| "it is no conversation")?;
        let last = turns.last().ok_or("it is no conversation")?;
        let turn: Turn<'_> = serde_json::from_str(last.get()).map_err(|_| "its last turn cannot be read")?;
        if turn.role != "assistant" {
            let mut added = b",{\"role\":\"assistant\",\"content\":".to_vec();
            write_json(text, &mut added);
            added.extend_from_slice(if is_marked { PREFIX } else { b"" });
            added.push(b'}');
            self.insert_at_end_of(messages, added);
            return Ok(());
        }
        let content = turn.content.filter(|_| turn.tool_calls.is_none());
        let begun = content.and_then(|content| serde_json::from_str::<Cow<'_, str>>(content.get()).ok());
        let (Some(content), Some(begun)) = (content, begun) else {
            return Err("its last turn is the model's, and more than a text");
        };
        self.replace(content, &format!("{begun}{text}"));
        match turn.prefix {
            Some(prefix) if is_marked => self.replace(prefix, &true),
            None if is_marked => self.insert_at_end_of(last, PREFIX.to_vec()),
            _ => {}
        }
        Ok(())
    }

    /// Takes the tokens of `beginning` off `limit`, a value of the body, if both are known.
    pub(in crate::dialect) fn shorten(
        &mut self,
        limit: Option<&RawValue>,
        beginning: &Beginning<'_>,
    ) -> Result<(), &'static str> {
        let known = limit.and_then(|limit| Some((limit, limit.get().parse::<u64>().ok()?)));
        if let (Some((value, limit)), Some(tokens)) = (known, beginning.tokens) {
            let left = limit.checked_sub(tokens).filter(|left| *left > 0).ok_or("it has as many tokens as it may")?;
            self.replace(value, &left);
        }
        Ok(())
    }

    /// Sets the field `name` of the body, which has `value` now.
    pub(in crate::dialect) fn set(&mut self, name: &str, value: Option<&RawValue>, new: bool) {
        match value {
            Some(value) => self.replace(value, &new),
            None => {
                let end = self.body.iter().rposition(|byte| *byte == b'}').unwrap_or(self.body.len());
                self.edits.push((end..end, format!(",\"{name}\":{new}").into_bytes()));
            }
        }
    }

    fn replace(&mut self, value: &RawValue, new: &(impl serde::Serialize + ?Sized)) {
        let mut written = Vec::new();
        write_json(new, &mut written);
        self.edits.push((patch::span(self.body, value), written));
    }

    /// Adds a member to an array or a field to an object that is not empty.
    fn insert_at_end_of(&mut self, value: &RawValue, added: Vec<u8>) {
        let end = patch::span(self.body, value).end - 1;
        self.edits.push((end..end, added));
    }
}
