//! Single events, each with the number that follows the one before.

use serde::Serialize;
use serde_json::Value;

use super::item::{write_annotation, write_logprobs, write_part};
use crate::canonical::{Logprob, Part, Text};
use crate::dialect::json::write_json;

/// Writes events and counts them.
#[derive(Debug, Default)]
pub(super) struct Events {
    next: u64,
}

/// Where a piece belongs.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The name of the item.
    pub(super) id: String,
    /// Its place in the output.
    pub(super) index: u32,
    /// The part of a message.
    pub(super) part: u32,
    /// A call of a tool that takes text.
    pub(super) is_custom: bool,
}

impl Events {
    /// The number of the event that comes next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// An event called `name` with what `fields` writes: members, each with a comma before it.
    pub(super) fn write(&mut self, name: &str, out: &mut Vec<u8>, fields: impl FnOnce(&mut Vec<u8>)) {
        for text in ["event: ", name, "\ndata: {\"type\":\"", name, "\",\"sequence_number\":"] {
            out.extend_from_slice(text.as_bytes());
        }
        write_json(&self.next, out);
        self.next += 1;
        fields(out);
        out.extend_from_slice(b"}\n\n");
    }

    /// An error, with its number in it.
    pub(super) fn error(&mut self, event: &Value, out: &mut Vec<u8>) {
        self.next += 1;
        out.extend_from_slice(b"event: error\ndata: ");
        write_json(event, out);
        out.extend_from_slice(b"\n\n");
    }

    pub(super) fn item_added(&mut self, index: u32, out: &mut Vec<u8>, item: impl FnOnce(&mut Vec<u8>)) {
        self.write("response.output_item.added", out, |out| {
            member(out, "output_index", &index);
            out.extend_from_slice(b",\"item\":");
            item(out);
        });
    }

    /// Tells that an item is done, and adds it to `output`.
    pub(super) fn item_done(
        &mut self,
        index: u32,
        output: &mut Vec<u8>,
        out: &mut Vec<u8>,
        item: impl FnOnce(&mut Vec<u8>),
    ) {
        if !output.is_empty() {
            output.push(b',');
        }
        let start = output.len();
        item(output);
        self.write("response.output_item.done", out, |out| {
            member(out, "output_index", &index);
            out.extend_from_slice(b",\"item\":");
            out.extend_from_slice(&output[start..]);
        });
    }

    pub(super) fn text(&mut self, place: &Place, text: &str, logprobs: &[Logprob], out: &mut Vec<u8>) {
        self.write("response.output_text.delta", out, |out| {
            content(out, place);
            member(out, "delta", text);
            out.extend_from_slice(b",\"logprobs\":");
            write_logprobs(out, logprobs);
        });
    }

    pub(super) fn piece(&mut self, name: &str, place: &Place, text: &str, out: &mut Vec<u8>) {
        self.write(name, out, |out| {
            content(out, place);
            member(out, "delta", text);
        });
    }

    pub(super) fn annotations(&mut self, place: &Place, text: &Text, out: &mut Vec<u8>) {
        for (index, annotation) in text.annotations.iter().enumerate() {
            self.write("response.output_text.annotation.added", out, |out| {
                content(out, place);
                member(out, "annotation_index", &index);
                out.extend_from_slice(b",\"annotation\":");
                write_annotation(out, annotation, &text.text);
            });
        }
    }

    pub(super) fn text_done(&mut self, place: &Place, text: &Text, out: &mut Vec<u8>) {
        self.write("response.output_text.done", out, |out| {
            content(out, place);
            member(out, "text", &text.text);
            out.extend_from_slice(b",\"logprobs\":");
            write_logprobs(out, &text.logprobs);
        });
    }

    pub(super) fn refusal_done(&mut self, place: &Place, refusal: &str, out: &mut Vec<u8>) {
        self.write("response.refusal.done", out, |out| {
            content(out, place);
            member(out, "refusal", refusal);
        });
    }

    pub(super) fn content_part(&mut self, what: &str, place: &Place, part: &Part, out: &mut Vec<u8>) {
        self.write(&format!("response.content_part.{what}"), out, |out| {
            content(out, place);
            out.extend_from_slice(b",\"part\":");
            write_part(out, part);
        });
    }

    pub(super) fn summary(&mut self, place: &Place, text: &str, out: &mut Vec<u8>) {
        self.write("response.reasoning_summary_text.delta", out, |out| {
            summary(out, place);
            member(out, "delta", text);
        });
    }

    pub(super) fn summary_done(&mut self, place: &Place, text: &str, out: &mut Vec<u8>) {
        self.write("response.reasoning_summary_text.done", out, |out| {
            summary(out, place);
            member(out, "text", text);
        });
    }

    pub(super) fn summary_part(&mut self, what: &str, place: &Place, text: &str, out: &mut Vec<u8>) {
        self.write(&format!("response.reasoning_summary_part.{what}"), out, |out| {
            summary(out, place);
            out.extend_from_slice(b",\"part\":{\"type\":\"summary_text\"");
            member(out, "text", text);
            out.push(b'}');
        });
    }

    pub(super) fn arguments(&mut self, place: &Place, fragment: &str, out: &mut Vec<u8>) {
        let names = ["response.function_call_arguments.delta", "response.custom_tool_call_input.delta"];
        self.write(names[usize::from(place.is_custom)], out, |out| {
            item(out, place);
            member(out, "delta", fragment);
        });
    }

    pub(super) fn arguments_done(&mut self, place: &Place, arguments: &str, out: &mut Vec<u8>) {
        let names = ["response.function_call_arguments.done", "response.custom_tool_call_input.done"];
        self.write(names[usize::from(place.is_custom)], out, |out| {
            item(out, place);
            member(out, if place.is_custom { "input" } else { "arguments" }, arguments);
        });
    }
}

/// One member of an object, with a comma before it.
pub(super) fn member(out: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_json(value, out);
}

fn item(out: &mut Vec<u8>, place: &Place) {
    member(out, "item_id", &place.id);
    member(out, "output_index", &place.index);
}

fn content(out: &mut Vec<u8>, place: &Place) {
    item(out, place);
    member(out, "content_index", &place.part);
}

/// All thoughts of an item are one part of their summary.
fn summary(out: &mut Vec<u8>, place: &Place) {
    item(out, place);
    member(out, "summary_index", &0);
}
