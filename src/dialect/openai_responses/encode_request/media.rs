//! The parts of messages and of results.

use serde_json::{Value, json};

use crate::canonical::{Field, Losses, Media, Part, Source};

/// `parts` as the content of a message or a result: plain text if it is no more than that.
pub(super) fn content(parts: &[&Part], losses: &mut Losses<'_>) -> Value {
    match parts {
        [] => json!(""),
        [Part::Text(text)] => json!(text.text),
        parts => Value::Array(parts.iter().filter_map(|part| part_of(part, losses)).collect()),
    }
}

fn part_of(part: &Part, losses: &mut Losses<'_>) -> Option<Value> {
    match part {
        Part::Text(text) => Some(json!({ "type": "input_text", "text": text.text })),
        Part::Refusal(text) => Some(json!({ "type": "input_text", "text": text })),
        Part::Image(image) => image_of(image, losses),
        Part::File(file) => file_of(file, losses),
        Part::Audio(_) => {
            losses.meaning(Field::Messages, "OpenAI Responses takes no recordings");
            None
        }
        // The model's, which are items of their own.
        Part::Reasoning { .. } | Part::ToolCall(_) | Part::ToolResult(_) => None,
    }
}

fn image_of(image: &Media, losses: &mut Losses<'_>) -> Option<Value> {
    let Some(url) = image.to_url("image/png") else { return unknown(losses) };
    Some(json!({ "type": "input_image", "image_url": url, "detail": image.detail.as_deref().unwrap_or("auto") }))
}

fn file_of(file: &Media, losses: &mut Losses<'_>) -> Option<Value> {
    let mut part = match &file.source {
        Source::Url(url) => json!({ "type": "input_file", "file_url": url }),
        Source::Data(_) => {
            let name = file.name.as_deref().unwrap_or_else(|| default_name(file.media_type.as_deref()));
            json!({ "type": "input_file", "filename": name, "file_data": file.to_url("application/pdf") })
        }
        Source::Id(_) => return unknown(losses),
    };
    // A file behind a URL has its own name.
    if let (Source::Url(_), Some(name)) = (&file.source, &file.name) {
        part["filename"] = json!(name);
    }
    Some(part)
}

/// OpenAI wants a name for bytes, and tells by it what they are.
fn default_name(media_type: Option<&str>) -> &'static str {
    match media_type {
        Some("text/plain") => "document.txt",
        Some("text/markdown") => "document.md",
        Some("text/html") => "document.html",
        Some("text/csv") => "document.csv",
        Some("application/json") => "document.json",
        _ => "document.pdf",
    }
}

fn unknown<T>(losses: &mut Losses<'_>) -> Option<T> {
    losses.meaning(Field::Messages, "a file that was uploaded to another provider is unknown to this one");
    None
}
