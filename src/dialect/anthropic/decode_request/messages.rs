//! Reads what has been said.
//!
//! <https://docs.claude.com/en/api/messages#body-messages>

use serde_json::{Value, json};

use super::note_rest;
use crate::canonical::{Annotation, Media, Message, On, Part, Role, Seal, Source, Text, ToolCall, ToolResult};
use crate::dialect::Malformed;
use crate::dialect::fields::{Content, Fields, Notes};

pub(super) fn decode(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Message>, Malformed> {
    let turns = fields.objects("messages")?;
    if turns.is_empty() {
        return Err(fields.wrong("messages", "a list of at least one message"));
    }
    let mut messages = Vec::with_capacity(turns.len());
    for mut turn in turns {
        let role = match &*turn.needed_string("role")? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(turn.wrong("role", "`user`, `assistant` or `system`")),
        };
        let (mut parts, mut instructions, mut marks) = (Vec::new(), Vec::new(), Vec::new());
        match turn.needed_content("content")? {
            Content::Text(text) => parts.extend(said(text)),
            Content::Objects(blocks) => {
                for block in blocks {
                    if let Some(mark) = mark_on_call(&block) {
                        marks.push(mark);
                        continue;
                    }
                    // Instructions inside another's turn, which stand at its end.
                    let place = if block.is("type", "mid_conv_system") { &mut instructions } else { &mut parts };
                    read_block(block, place, notes)?;
                }
            }
        }
        give_back(marks, &mut parts);
        let said = [Message { role, parts }, Message { role: Role::System, parts: instructions }];
        messages.extend(said.into_iter().filter(|message| !message.parts.is_empty()));
        note_rest(&turn, notes);
    }
    Ok(messages)
}

/// What stands in the field `name`, a string or a list of blocks.
pub(super) fn content(fields: &mut Fields, name: &'static str, notes: &mut Notes) -> Result<Vec<Part>, Malformed> {
    let mut parts = Vec::new();
    match fields.content(name)? {
        None => {}
        Some(Content::Text(text)) => parts.extend(said(text)),
        Some(Content::Objects(blocks)) => {
            for block in blocks {
                read_block(block, &mut parts, notes)?;
            }
        }
    }
    Ok(parts)
}

/// Empty text is nothing.
fn said(text: String) -> Option<Part> {
    (!text.is_empty()).then(|| Part::text(text))
}

fn read_block(mut block: Fields, parts: &mut Vec<Part>, notes: &mut Notes) -> Result<(), Malformed> {
    match &*block.needed_string("type")? {
        "text" => parts.extend(text(&mut block)?),
        "image" => parts.extend(image(&mut block, notes)?),
        "document" => document(&mut block, parts, notes)?,
        "search_result" => search_result(&mut block, parts, notes)?,
        "thinking" => parts.extend(thinking(&mut block, notes)?),
        "redacted_thinking" => parts.extend(redacted_thinking(&mut block, notes)?),
        "tool_use" => parts.push(tool_use(&mut block, notes)?),
        "tool_result" => parts.push(tool_result(&mut block, notes)?),
        "mid_conv_system" => parts.extend(content(&mut block, "content", notes)?),
        // What a provider's own tools did, and whatever is new.
        kind => {
            let path = block.path_of("type");
            notes.meaning(format!("{path}: {kind}"));
            return Ok(());
        }
    }
    note_rest(&block, notes);
    Ok(())
}

fn text(block: &mut Fields) -> Result<Option<Part>, Malformed> {
    let text = block.needed_string("text")?;
    let citations = block.objects("citations")?.into_iter().map(Fields::into_value);
    let annotations = citations.map(|citation| annotation(&citation)).collect();
    Ok((!text.is_empty()).then(|| Part::Text(Text { text, annotations, ..Text::default() })))
}

fn annotation(citation: &Value) -> Annotation {
    let field = |name: &str| citation[name].as_str().map(str::to_owned);
    let source = field("source").filter(|source| source.starts_with("http"));
    Annotation {
        url: field("url").or(source),
        title: field("title").or_else(|| field("document_title")),
        cited_text: field("cited_text"),
        span: None,
    }
}

fn image(block: &mut Fields, notes: &mut Notes) -> Result<Option<Part>, Malformed> {
    let mut source = block.needed_object("source")?;
    let kind = source.needed_string("type")?;
    let media = media(&kind, &mut source, notes)?;
    note_rest(&source, notes);
    Ok(media.map(Part::Image))
}

/// A document of plain text, or of blocks, is told as what it consists of: every model can read that.
fn document(block: &mut Fields, parts: &mut Vec<Part>, notes: &mut Notes) -> Result<(), Malformed> {
    let title = block.string("title")?;
    parts.extend(block.string("context")?.and_then(said));
    cites(block, notes)?;
    let mut source = block.needed_object("source")?;
    match &*source.needed_string("type")? {
        "text" => {
            parts.extend(title.and_then(said));
            parts.extend(said(source.needed_string("data")?));
            source.take("media_type");
        }
        "content" => {
            parts.extend(title.and_then(said));
            parts.extend(content(&mut source, "content", notes)?);
        }
        kind => parts.extend(media(kind, &mut source, notes)?.map(|media| {
            // What is behind a URL is a PDF: Anthropic fetches no other documents.
            let is_url = matches!(media.source, Source::Url(_));
            let media_type = media.media_type.or_else(|| is_url.then(|| "application/pdf".to_owned()));
            Part::File(Media { source: media.source, media_type, name: title, detail: None })
        })),
    }
    note_rest(&source, notes);
    Ok(())
}

/// Where the bytes of a picture or document are; `None` if that is not understood, which is noted.
fn media(kind: &str, source: &mut Fields, notes: &mut Notes) -> Result<Option<Media>, Malformed> {
    Ok(Some(match kind {
        "base64" => {
            let media_type = source.needed_string("media_type")?;
            Media::from_data(source.needed_string("data")?, media_type)
        }
        "url" => Media::from_url(&source.needed_string("url")?),
        "file" => Source::Id(source.needed_string("file_id")?).into(),
        _ => {
            notes.meaning(source.path_of("type"));
            return Ok(None);
        }
    }))
}

fn search_result(block: &mut Fields, parts: &mut Vec<Part>, notes: &mut Notes) -> Result<(), Malformed> {
    let (title, source) = (block.string("title")?.unwrap_or_default(), block.string("source")?.unwrap_or_default());
    cites(block, notes)?;
    parts.extend(said(format!("{title} ({source})")));
    parts.extend(content(block, "content", notes)?);
    Ok(())
}

/// Whether the answer is to say where it has its facts from.
fn cites(block: &mut Fields, notes: &mut Notes) -> Result<(), Malformed> {
    if let Some(mut citations) = block.object("citations")?
        && citations.boolean("enabled")? == Some(true)
    {
        notes.meaning("citations");
    }
    Ok(())
}

/// Thoughts, with a mark if we know whose it is. One that Anthropic gave means nothing to whoever is asked here.
fn thinking(block: &mut Fields, notes: &mut Notes) -> Result<Option<Part>, Malformed> {
    let text = block.string("thinking")?.unwrap_or_default();
    let seal = seal(block.string("signature")?, "signature", notes);
    Ok((!text.is_empty() || seal.is_some()).then_some(Part::Reasoning { text, seal }))
}

fn redacted_thinking(block: &mut Fields, notes: &mut Notes) -> Result<Option<Part>, Malformed> {
    let seal = seal(block.string("data")?, "redacted_thinking", notes);
    Ok(seal.map(|seal| Part::Reasoning { text: String::new(), seal: Some(seal) }))
}

/// A mark on a call, and the id of that, in a block that we have told.
fn mark_on_call(block: &Fields) -> Option<(String, Seal)> {
    let data = block.peek("data").filter(|_| block.is("type", "redacted_thinking"))?;
    match Seal::parse_on(data.as_str()?)? {
        (seal, On::Call(id)) => Some((id, seal)),
        _ => None,
    }
}

/// Puts `marks` back on their calls.
fn give_back(mut marks: Vec<(String, Seal)>, parts: &mut [Part]) {
    for part in parts {
        if let Part::ToolCall(call) = part
            && let Some(at) = marks.iter().position(|(id, _)| *id == call.id)
        {
            call.seal = Some(marks.swap_remove(at).1);
        }
    }
}

fn seal(token: Option<String>, name: &str, notes: &mut Notes) -> Option<Seal> {
    let token = token.filter(|token| !token.is_empty())?;
    let seal = Seal::parse(&token);
    if seal.is_none() {
        notes.hint(name);
    }
    // The one that marks nothing was made for want of another.
    seal.filter(|seal| !seal.data.is_empty())
}

fn tool_use(block: &mut Fields, notes: &mut Notes) -> Result<Part, Malformed> {
    // The model itself, unless said otherwise.
    if block.take("caller").is_some_and(|caller| caller["type"] != "direct") {
        notes.hint("caller");
    }
    let input = block.object("input")?.map_or_else(|| json!({}), Fields::into_value);
    Ok(Part::ToolCall(ToolCall {
        id: block.needed_string("id")?,
        name: block.needed_string("name")?,
        arguments: input.to_string(),
        ..ToolCall::default()
    }))
}

fn tool_result(block: &mut Fields, notes: &mut Notes) -> Result<Part, Malformed> {
    Ok(Part::ToolResult(ToolResult {
        call_id: block.needed_string("tool_use_id")?,
        parts: content(block, "content", notes)?,
        is_error: block.boolean("is_error")?.unwrap_or(false),
        ..ToolResult::default()
    }))
}
