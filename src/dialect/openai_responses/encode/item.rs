//! The items of an output, and what is in them, as JSON.

use serde::Serialize;

use super::event::member;
use crate::canonical::{Annotation, Logprob, Part, ToolCall, ToolKind};
use crate::dialect::json::write_json;

/// Thoughts or a call.
#[derive(Debug)]
pub(super) struct Item {
    id: String,
    pub(super) index: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Thoughts { text: String, encrypted_content: Option<String> },
    Call { id: String, name: String, arguments: String, kind: ToolKind },
}

impl Item {
    pub(super) fn thoughts(id: String, index: u32, text: &str, encrypted_content: Option<String>) -> Self {
        Self { id, index, kind: Kind::Thoughts { text: text.to_owned(), encrypted_content } }
    }

    /// `call`, with what is known of its arguments.
    pub(super) fn call(id: String, index: u32, call: &ToolCall, arguments: &str) -> Self {
        let (name, arguments) = (call.name.clone(), arguments.to_owned());
        Self { id, index, kind: Kind::Call { id: call.id.clone(), name, arguments, kind: call.kind } }
    }

    pub(super) fn write(&self, status: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":");
        write_json(&self.id, out);
        match &self.kind {
            Kind::Thoughts { text, encrypted_content } => {
                member(out, "type", "reasoning");
                member(out, "status", status);
                out.extend_from_slice(b",\"summary\":[");
                if !text.is_empty() {
                    out.extend_from_slice(b"{\"type\":\"summary_text\"");
                    member(out, "text", text);
                    out.push(b'}');
                }
                out.push(b']');
                if let Some(encrypted_content) = encrypted_content {
                    member(out, "encrypted_content", encrypted_content);
                }
            }
            Kind::Call { id, name, arguments, kind } => {
                let is_custom = *kind == ToolKind::Custom;
                member(out, "type", if is_custom { "custom_tool_call" } else { "function_call" });
                member(out, "status", status);
                member(out, "call_id", id);
                member(out, "name", name);
                member(out, if is_custom { "input" } else { "arguments" }, arguments);
            }
        }
        out.push(b'}');
    }
}

/// A message, and its parts that are whole.
#[derive(Debug)]
pub(super) struct Message {
    id: String,
    pub(super) index: u32,
    /// How many parts it has.
    pub(super) count: u32,
    parts: Vec<u8>,
}

impl Message {
    pub(super) fn new(id: String, index: u32) -> Self {
        Self { id, index, count: 0, parts: Vec::new() }
    }

    pub(super) fn add(&mut self, part: &Part) {
        if self.count > 0 {
            self.parts.push(b',');
        }
        self.count += 1;
        write_part(&mut self.parts, part);
    }

    pub(super) fn write(&self, status: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":");
        write_json(&self.id, out);
        member(out, "type", "message");
        member(out, "status", status);
        member(out, "role", "assistant");
        out.extend_from_slice(b",\"content\":[");
        out.extend_from_slice(&self.parts);
        out.extend_from_slice(b"]}");
    }
}

/// A part of a message.
pub(super) fn write_part(out: &mut Vec<u8>, part: &Part) {
    match part {
        Part::Text(text) => {
            out.extend_from_slice(b"{\"type\":\"output_text\",\"annotations\":[");
            for (index, annotation) in text.annotations.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_annotation(out, annotation, &text.text);
            }
            out.extend_from_slice(b"],\"logprobs\":");
            write_logprobs(out, &text.logprobs);
            member(out, "text", &text.text);
        }
        Part::Refusal(refusal) => {
            out.extend_from_slice(b"{\"type\":\"refusal\"");
            member(out, "refusal", refusal);
        }
        _ => out.push(b'{'),
    }
    out.push(b'}');
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Citation<'a> {
    UrlCitation { url: &'a str, title: &'a str, start_index: u64, end_index: u64 },
    FileCitation { file_id: &'a str, filename: &'a str, index: u64 },
}

/// Where a fact in `text` is from. What has no URL is a document that the client has given, known by its title.
pub(super) fn write_annotation(out: &mut Vec<u8>, annotation: &Annotation, text: &str) {
    let all = || (0, text.chars().count() as u64);
    let (start_index, end_index) = annotation.span.unwrap_or_else(all);
    let title = annotation.title.as_deref().unwrap_or_default();
    let citation = match annotation.url.as_deref() {
        Some(url) => Citation::UrlCitation { url, title, start_index, end_index },
        None => Citation::FileCitation { file_id: "", filename: title, index: end_index },
    };
    write_json(&citation, out);
}

#[derive(Serialize)]
struct Probability<'a> {
    token: &'a str,
    bytes: &'a [u8],
    logprob: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Self>>,
}

impl<'a> Probability<'a> {
    fn of(logprob: &'a Logprob) -> Self {
        let bytes = logprob.bytes.as_deref().unwrap_or(logprob.token.as_bytes());
        Self { token: &logprob.token, bytes, logprob: logprob.logprob, top_logprobs: None }
    }
}

pub(super) fn write_logprobs(out: &mut Vec<u8>, logprobs: &[Logprob]) {
    if logprobs.is_empty() {
        return out.extend_from_slice(b"[]");
    }
    let told = logprobs.iter().map(|logprob| {
        let top_logprobs = Some(logprob.top.iter().map(Probability::of).collect());
        Probability { top_logprobs, ..Probability::of(logprob) }
    });
    write_json(&told.collect::<Vec<_>>(), out);
}
