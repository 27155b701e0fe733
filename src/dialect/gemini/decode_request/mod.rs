//! Reads a client's request.
//!
//! <https://ai.google.dev/api/generate-content#request-body>

mod config;
mod contents;
mod tools;

use serde_json::Value;

use crate::canonical::{ChatRequest, Message, Part, Role, Weight};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

/// Reads `body`. The model, and whether to stream, is in the URL.
pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, Malformed> {
    let mut fields = Fields::of_proto(body)?;
    let mut notes = Notes::default();
    let mut request = ChatRequest { include_usage: true, ..ChatRequest::default() };
    if let Some(model) = fields.string("model")? {
        request.model = model.strip_prefix("models/").unwrap_or(&model).to_owned();
    }
    if let Some(instruction) = fields.object("systemInstruction")? {
        request.messages.extend(system(instruction, &mut notes)?);
    }
    let contents = fields.objects("contents")?;
    if contents.is_empty() {
        let conversation = r#"the conversation: [{"role": "user", "parts": [{"text": "…"}]}]"#;
        return Err(fields.wrong("contents", conversation));
    }
    request.messages.extend(contents::decode(contents, &mut notes)?);
    tools::decode(&mut fields, &mut request, &mut notes)?;
    if let Some(config) = fields.object("generationConfig")? {
        config::decode(config, &mut request, &mut notes)?;
    }
    safety(&fields.list("safetySettings")?, &mut notes);
    for hint in ["labels", "serviceTier", "store"] {
        fields.take_hint(hint, &mut notes);
    }
    notes.rest(&fields, &[]);
    Ok(ChatRequest { unmapped: notes.into_list(), ..request })
}

/// Notes all that is left of `fields`, also what is empty: its name alone means something.
fn note_names(fields: &Fields, notes: &mut Notes) {
    for name in fields.names() {
        notes.meaning(fields.path_of(name));
    }
}

/// Instructions: each of its texts is one.
fn system(mut instruction: Fields, notes: &mut Notes) -> Result<Option<Message>, Malformed> {
    instruction.take("role");
    let mut parts = Vec::new();
    for mut part in instruction.objects("parts")? {
        parts.extend(part.text("text")?.map(Part::text));
        note_names(&part, notes);
    }
    notes.rest(&instruction, &[]);
    Ok((!parts.is_empty()).then_some(Message { role: Role::System, parts }))
}

/// What is to be refused, or not, is every provider's own affair. Whoever has switched it all off asks for nothing.
fn safety(settings: &[Value], notes: &mut Notes) {
    let is_off = |setting: &Value| matches!(setting["threshold"].as_str(), Some("OFF" | "BLOCK_NONE"));
    if !settings.is_empty() {
        let weight = if settings.iter().all(is_off) { Weight::Hint } else { Weight::Meaning };
        notes.add("safetySettings", weight);
    }
}
