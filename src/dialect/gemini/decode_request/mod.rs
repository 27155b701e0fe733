//! Reads a client's request.
//!
//! <https://ai.google.dev/api/generate-content#request-body>

mod config;
mod contents;
mod tools;

use serde_json::{Map, Value};

use super::fields::Fields;
use crate::canonical::{ChatRequest, Message, Part, Role, Unmapped, Weight};
use crate::dialect::Malformed;
use crate::dialect::request::read;

/// Reads `body`. The model, and whether to stream, is in the URL.
pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, Malformed> {
    let mut fields = Fields::of_request(read::<Map<String, Value>>(body)?);
    let mut request = ChatRequest { include_usage: true, ..ChatRequest::default() };
    if let Some(model) = fields.string("model")? {
        request.model = model.strip_prefix("models/").unwrap_or(&model).to_owned();
    }
    if let Some(instruction) = fields.object("systemInstruction")? {
        system(instruction, &mut request)?;
    }
    let Some(contents) = fields.array("contents")?.filter(|contents| !contents.is_empty()) else {
        let message = "`contents` is missing. Send the conversation in it: \
                       [{\"role\": \"user\", \"parts\": [{\"text\": \"…\"}]}].";
        return Err(Malformed { message: message.to_owned(), param: Some("contents") });
    };
    contents::decode(contents, &mut request)?;
    tools::decode(&mut fields, &mut request)?;
    if let Some(config) = fields.object("generationConfig")? {
        config::decode(config, &mut request)?;
    }
    if let Some(settings) = fields.array("safetySettings")? {
        safety(&settings, &mut request.unmapped);
    }
    for hint in ["labels", "serviceTier", "store"] {
        fields.take_hint(hint, &mut request.unmapped);
    }
    fields.note_rest(&mut request.unmapped);
    Ok(request)
}

/// Instructions: each of its texts is one.
fn system(mut instruction: Fields, request: &mut ChatRequest) -> Result<(), Malformed> {
    instruction.take("role");
    let path = instruction.path_of("parts");
    let mut parts = Vec::new();
    for (index, part) in instruction.array("parts")?.unwrap_or_default().into_iter().enumerate() {
        let mut part = Fields::of(part, format!("{path}[{index}]"), "systemInstruction")?;
        parts.extend(part.string("text")?.filter(|text| !text.is_empty()).map(Part::text));
        part.note_names(&mut request.unmapped);
    }
    if !parts.is_empty() {
        request.messages.push(Message { role: Role::System, parts });
    }
    instruction.note_rest(&mut request.unmapped);
    Ok(())
}

/// What is to be refused, or not, is every provider's own affair. Whoever has switched it all off asks for nothing.
fn safety(settings: &[Value], unmapped: &mut Vec<Unmapped>) {
    let is_off = |setting: &Value| matches!(setting["threshold"].as_str(), Some("OFF" | "BLOCK_NONE"));
    if !settings.is_empty() {
        let weight = if settings.iter().all(is_off) { Weight::Hint } else { Weight::Meaning };
        unmapped.push(Unmapped { param: "safetySettings".to_owned(), weight });
    }
}
