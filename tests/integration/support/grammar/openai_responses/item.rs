//! One item of the output: what may come between its beginning and its end.

use serde_json::Value;

use super::super::{array, integer, object, text, word};

/// An item that is open.
pub(super) struct Item {
    pub(super) id: String,
    kind: String,
    /// What does not change: name and call_id of a call.
    fixed: Vec<(&'static str, Value)>,
    part: Option<Part>,
    /// The finished parts of its content, and of a reasoning's summary.
    content: Vec<Value>,
    summary: Vec<Value>,
    arguments: String,
    /// The arguments as their own event told them.
    told: Option<String>,
}

/// A part that is open.
struct Part {
    kind: String,
    text: String,
    annotations: Vec<Value>,
    is_done: bool,
}

impl Item {
    pub(super) fn begin(item: &Value) -> Result<Self, String> {
        let kind = word(item, "type")?.to_owned();
        let mut fixed = Vec::new();
        match kind.as_str() {
            "message" => {
                demand!(item["role"] == "assistant", "the message of another: {item}");
                demand!(array(item, "content")?.is_empty(), "a message that begins with content: {item}");
            }
            "reasoning" => demand!(array(item, "summary")?.is_empty(), "a summary already: {item}"),
            "function_call" | "custom_tool_call" => {
                let arguments = if kind == "function_call" { "arguments" } else { "input" };
                demand!(text(item, arguments)?.is_empty(), "a call that begins with arguments: {item}");
                for name in ["call_id", "name"] {
                    word(item, name)?;
                    fixed.push((name, item[name].clone()));
                }
                demand!(word(item, "call_id")?.len() <= 64, "a call_id of more than 64 characters: {item}");
            }
            // Tools that OpenAI runs itself.
            _ => demand!(kind.ends_with("_call") || kind.contains("tool"), "an item of what: {item}"),
        }
        demand!(kind == "reasoning" || item["status"] == "in_progress", "an item that is not in progress: {item}");
        Ok(Self {
            id: word(item, "id")?.to_owned(),
            kind,
            fixed,
            part: None,
            content: Vec::new(),
            summary: Vec::new(),
            arguments: String::new(),
            told: None,
        })
    }

    /// Whether `item`, which came without a stream, is one.
    pub(super) fn check_whole(item: &Value) -> Result<(), String> {
        word(item, "id")?;
        match word(item, "type")? {
            "message" => {
                demand!(item["role"] == "assistant", "the message of another: {item}");
                for part in array(item, "content")? {
                    match word(part, "type")? {
                        "output_text" => text(part, "text").and(array(part, "annotations")).map(drop)?,
                        "refusal" => text(part, "refusal").map(drop)?,
                        kind => return Err(format!("a part of {kind}: {item}")),
                    }
                }
            }
            "reasoning" => {
                for part in array(item, "summary")? {
                    demand!(part["type"] == "summary_text", "no summary: {item}");
                    text(part, "text")?;
                }
                return Ok(());
            }
            "function_call" => text(item, "arguments").and(word(item, "name")).and(word(item, "call_id")).map(drop)?,
            "custom_tool_call" => text(item, "input").and(word(item, "name")).and(word(item, "call_id")).map(drop)?,
            kind => return Err(format!("an item of {kind}: {item}")),
        }
        demand!(matches!(item["status"].as_str(), Some("completed" | "incomplete")), "an item without an end: {item}");
        Ok(())
    }

    pub(super) fn event(&mut self, name: &str, event: &Value) -> Result<(), String> {
        match (self.kind.as_str(), name) {
            ("message" | "reasoning", "content_part.added") => {
                let is_next = integer(event, "content_index")? == self.content.len() as u64;
                self.part_added(is_next, event)
            }
            ("reasoning", "reasoning_summary_part.added") => {
                let is_next = integer(event, "summary_index")? == self.summary.len() as u64;
                self.part_added(is_next, event)
            }
            ("message" | "reasoning", "content_part.done" | "reasoning_summary_part.done") => self.part_done(event),
            ("message", "output_text.delta") => {
                array(event, "logprobs")?;
                self.part_of("output_text", event)?.text.push_str(text(event, "delta")?);
                Ok(())
            }
            ("message", "output_text.done") => {
                array(event, "logprobs")?;
                self.text_done("output_text", text(event, "text")?, event)
            }
            ("message", "output_text.annotation.added") => {
                let part = self.part_of("output_text", event)?;
                let is_next = integer(event, "annotation_index")? == part.annotations.len() as u64;
                demand!(is_next, "the index is not the next one: {event}");
                part.annotations.push(object(event, "annotation")?.clone());
                Ok(())
            }
            ("message", "refusal.delta") => self.more("refusal", event),
            ("message", "refusal.done") => self.text_done("refusal", text(event, "refusal")?, event),
            ("reasoning", "reasoning_summary_text.delta") => self.more("summary_text", event),
            ("reasoning", "reasoning_summary_text.done") => self.text_done("summary_text", text(event, "text")?, event),
            ("reasoning", "reasoning_text.delta") => self.more("reasoning_text", event),
            ("reasoning", "reasoning_text.done") => self.text_done("reasoning_text", text(event, "text")?, event),
            ("function_call", "function_call_arguments.delta")
            | ("custom_tool_call", "custom_tool_call_input.delta") => {
                demand!(self.told.is_none(), "more arguments behind their end: {event}");
                self.arguments.push_str(text(event, "delta")?);
                Ok(())
            }
            ("function_call", "function_call_arguments.done") => {
                // A field of its own since 2025; SDKs read it.
                demand!(
                    event.get("name").is_none_or(|name| self.fixed.contains(&("name", name.clone()))),
                    "another's: {event}"
                );
                self.arguments_done(text(event, "arguments")?)
            }
            ("custom_tool_call", "custom_tool_call_input.done") => self.arguments_done(text(event, "input")?),
            (kind, name) if kind.ends_with("_call") && name.starts_with(kind) => Ok(()),
            (kind, name) => Err(format!("{name} in an item of {kind}")),
        }
    }

    fn part_added(&mut self, is_next: bool, event: &Value) -> Result<(), String> {
        demand!(is_next, "the index is not the next one: {event}");
        demand!(self.part.is_none(), "a part begins while another is open: {event}");
        let part = object(event, "part")?;
        let kind = word(part, "type")?;
        let is_summary = event.get("summary_index").is_some();
        let kinds: &[&str] = match (self.kind.as_str(), is_summary) {
            ("message", false) => &["output_text", "refusal"],
            ("reasoning", false) => &["reasoning_text"],
            _ => &["summary_text"],
        };
        demand!(kinds.contains(&kind), "a part of {kind}: {event}");
        demand!(text(part, if kind == "refusal" { kind } else { "text" })?.is_empty(), "a part with text: {event}");
        if kind == "output_text" {
            demand!(array(part, "annotations")?.is_empty(), "a part with annotations: {event}");
        }
        self.part = Some(Part { kind: kind.to_owned(), text: String::new(), annotations: Vec::new(), is_done: false });
        Ok(())
    }

    fn part_of(&mut self, kind: &str, event: &Value) -> Result<&mut Part, String> {
        let (index, count) = if kind == "summary_text" {
            (integer(event, "summary_index")?, self.summary.len())
        } else {
            (integer(event, "content_index")?, self.content.len())
        };
        demand!(index == count as u64, "another part's: {event}");
        match &mut self.part {
            Some(part) if part.kind == kind && !part.is_done => Ok(part),
            _ => Err(format!("no such part is open: {event}")),
        }
    }

    fn more(&mut self, kind: &str, event: &Value) -> Result<(), String> {
        self.part_of(kind, event)?.text.push_str(text(event, "delta")?);
        Ok(())
    }

    fn text_done(&mut self, kind: &str, whole: &str, event: &Value) -> Result<(), String> {
        let part = self.part_of(kind, event)?;
        demand!(part.text == whole, "the whole is not what was told: {event}");
        part.is_done = true;
        Ok(())
    }

    fn part_done(&mut self, event: &Value) -> Result<(), String> {
        let Some(open) = self.part.take() else { return Err(format!("no part is open: {event}")) };
        let part = object(event, "part")?;
        demand!(open.is_done, "a part ends before its text: {event}");
        demand!(word(part, "type")? == open.kind, "another part: {event}");
        let whole = text(part, if open.kind == "refusal" { "refusal" } else { "text" })?;
        demand!(whole == open.text, "the whole is not what was told: {event}");
        if open.kind == "output_text" {
            demand!(*array(part, "annotations")? == open.annotations, "not the annotations that were told: {event}");
        }
        let (index, parts) = if open.kind == "summary_text" {
            (integer(event, "summary_index")?, &mut self.summary)
        } else {
            (integer(event, "content_index")?, &mut self.content)
        };
        demand!(index == parts.len() as u64, "another part's: {event}");
        parts.push(part.clone());
        Ok(())
    }

    fn arguments_done(&mut self, whole: &str) -> Result<(), String> {
        demand!(self.told.is_none(), "the arguments end twice");
        // Arguments of nothing may be told only here.
        demand!(self.arguments == whole || self.arguments.is_empty(), "the whole is not what was told: {whole}");
        self.told = Some(whole.to_owned());
        Ok(())
    }

    /// Whether `item` is what has been told of it.
    pub(super) fn end(self, item: &Value) -> Result<(), String> {
        demand!(self.part.is_none(), "an item ends while a part is open: {item}");
        demand!(item["id"] == *self.id && item["type"] == *self.kind, "another item: {item}");
        for (name, value) in &self.fixed {
            demand!(item[name] == *value, "{name} changes: {item}");
        }
        match self.kind.as_str() {
            "message" => {
                demand!(item["role"] == "assistant", "the message of another: {item}");
                demand!(*array(item, "content")? == self.content, "not the content that was told: {item}");
            }
            "reasoning" => {
                demand!(*array(item, "summary")? == self.summary, "not the summary that was told: {item}");
                let content = item["content"].as_array().map_or(&[][..], Vec::as_slice);
                demand!(content == self.content, "not the content that was told: {item}");
            }
            "function_call" | "custom_tool_call" => {
                let whole = text(item, if self.kind == "function_call" { "arguments" } else { "input" })?;
                demand!(self.told.as_deref() == Some(whole), "not the arguments that were told: {item}");
            }
            _ => return Ok(()),
        }
        let is_ended = matches!(item["status"].as_str(), Some("completed" | "incomplete"));
        demand!(is_ended || self.kind == "reasoning", "an item that is not completed: {item}");
        Ok(())
    }
}
