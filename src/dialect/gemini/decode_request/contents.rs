//! The conversation: `contents`.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value;

use super::note_names;
use crate::canonical::{Media, Message, Part, Role, Seal, Source, Text, ToolCall, ToolKind, ToolResult, ids};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

pub(super) fn decode(contents: Vec<Fields>, notes: &mut Notes) -> Result<Vec<Message>, Malformed> {
    let mut messages: Vec<Message> = Vec::new();
    let mut history = History { notes, calls: Vec::new(), count: 0 };
    let mut was_model = false;
    for mut content in contents {
        let is_model = match content.string("role")?.as_deref() {
            Some("model") => true,
            None | Some("" | "user" | "function") => false,
            Some(_) => return Err(content.wrong("role", "\"user\" or \"model\"")),
        };
        // Clients keep a streamed answer as it came, a content for each chunk.
        let mut parts = match messages.pop_if(|_| is_model && was_model) {
            Some(message) => message.parts,
            None => Vec::new(),
        };
        for part in content.objects("parts")? {
            history.part(part, is_model, &mut parts)?;
        }
        history.notes.rest(&content, &[]);
        let role = if is_model { Role::Assistant } else { Role::User };
        messages.push(Message { role, parts });
        was_model = is_model;
    }
    messages.retain(|message| !message.parts.is_empty());
    Ok(messages)
}

/// What must be known of the conversation so far.
struct History<'a> {
    notes: &'a mut Notes,
    /// The calls that wait for their results.
    calls: Vec<OpenCall>,
    /// How many calls and results without a name of their own there were.
    count: usize,
}

struct OpenCall {
    id: String,
    name: String,
    /// The client named it.
    is_named: bool,
}

impl History<'_> {
    fn part(&mut self, mut part: Fields, is_model: bool, parts: &mut Vec<Part>) -> Result<(), Malformed> {
        let is_thought = part.boolean("thought")? == Some(true) && is_model;
        let seal = part.string("thoughtSignature")?.and_then(|signature| unseal(&signature));
        for hint in ["mediaResolution", "partMetadata"] {
            part.take_hint(hint, self.notes);
        }
        if let Some(text) = part.string("text")? {
            match is_model {
                true => say(text, is_thought, seal, parts),
                false => parts.extend((!text.is_empty()).then(|| Part::text(text))),
            }
        } else if let Some(call) = part.object("functionCall")? {
            parts.push(Part::ToolCall(self.call(call, seal)?));
        } else if let Some(response) = part.object("functionResponse")? {
            parts.push(Part::ToolResult(self.result(response)?));
        } else if let Some(data) = part.object("inlineData")? {
            parts.push(self.inline(data)?);
        } else if let Some(file) = part.object("fileData")? {
            parts.push(self.file(file)?);
        } else if let Some(seal) = seal {
            say(String::new(), is_thought, Some(seal), parts);
        }
        // What Google's own tools did, among others.
        note_names(&part, self.notes);
        Ok(())
    }

    fn call(&mut self, mut call: Fields, seal: Option<Seal>) -> Result<ToolCall, Malformed> {
        let name = call.needed_text("name")?;
        let own = call.text("id")?;
        let is_named = own.is_some();
        let id = own.unwrap_or_else(|| self.made_id(&name));
        let arguments = call.object("args")?.map_or_else(|| "{}".to_owned(), |args| args.into_value().to_string());
        self.notes.rest(&call, &[]);
        self.calls.push(OpenCall { id: id.clone(), name: name.clone(), is_named });
        Ok(ToolCall { id, name, arguments, kind: ToolKind::Function, seal })
    }

    fn result(&mut self, mut response: Fields) -> Result<ToolResult, Malformed> {
        let name = response.needed_text("name")?;
        let own = response.text("id")?;
        let call_id = self.called(own, &name);
        let (text, is_error) = match response.object("response")? {
            Some(response) => told(&response.into_value()),
            None => (String::new(), false),
        };
        let mut parts: Vec<Part> = (!text.is_empty()).then(|| Part::text(text)).into_iter().collect();
        for part in response.objects("parts")? {
            self.part(part, false, &mut parts)?;
        }
        self.notes.rest(&response, &[]);
        Ok(ToolResult { call_id, name: Some(name), kind: ToolKind::Function, parts, is_error })
    }

    /// The call that a result of the tool `name` answers: the one it names, else the first of that tool that waits.
    fn called(&mut self, id: Option<String>, name: &str) -> String {
        let found = match &id {
            Some(id) => self.calls.iter().position(|call| call.id == *id),
            None => None,
        };
        let found =
            found.or_else(|| self.calls.iter().position(|call| call.name == name && (id.is_none() || !call.is_named)));
        match found {
            Some(index) => self.calls.remove(index).id,
            None => id.unwrap_or_else(|| self.made_id(name)),
        }
    }

    /// A conversation only grows, so what stands at one place in it is named the same again.
    fn made_id(&mut self, name: &str) -> String {
        self.count += 1;
        ids::call_id(name, self.count)
    }

    fn inline(&mut self, mut data: Fields) -> Result<Part, Malformed> {
        let media_type = data.text("mimeType")?;
        let bytes = data.needed_string("data")?;
        let name = data.string("displayName")?;
        self.notes.rest(&data, &[]);
        Ok(media(Media { source: Source::Data(standard_base64(&bytes)), media_type, name, detail: None }))
    }

    fn file(&mut self, mut file: Fields) -> Result<Part, Malformed> {
        let media_type = file.text("mimeType")?;
        let uri = file.needed_text("fileUri")?;
        let name = file.string("displayName")?;
        self.notes.rest(&file, &[]);
        // What was uploaded to Google has a URL, too, but nobody else may read it.
        let is_open = uri.starts_with("http") && !uri.contains("://generativelanguage.googleapis.com/");
        let source = if is_open { Source::Url(uri) } else { Source::Id(uri) };
        Ok(media(Media { source, media_type, name, detail: None }))
    }
}

/// What the model said. Its pieces belong together as they would in a stream: a mark ends what it is on.
fn say(text: String, is_thought: bool, seal: Option<Seal>, parts: &mut Vec<Part>) {
    match (parts.last_mut(), is_thought) {
        (Some(Part::Reasoning { text: own, seal: mark @ None }), true) => {
            own.push_str(&text);
            *mark = seal;
        }
        (Some(Part::Text(own)), false) if own.seal.is_none() => {
            own.text.push_str(&text);
            own.seal = seal;
        }
        _ if text.is_empty() && seal.is_none() => {}
        (_, false) if !text.is_empty() => parts.push(Part::Text(Text { text, seal, ..Text::default() })),
        _ => parts.push(Part::Reasoning { text, seal }),
    }
}

/// The seal in a signature; `None` if it is Google's own, which is nothing to anyone else.
fn unseal(signature: &str) -> Option<Seal> {
    let token = STANDARD.decode(standard_base64(signature)).ok()?;
    Seal::parse(std::str::from_utf8(&token).ok()?)
}

/// Protobuf takes base64 in either alphabet.
fn standard_base64(data: &str) -> String {
    if !data.contains(['-', '_']) {
        return data.to_owned();
    }
    URL_SAFE.decode(data).map_or_else(|_| data.replace('-', "+").replace('_', "/"), |bytes| STANDARD.encode(bytes))
}

fn media(media: Media) -> Part {
    let kind = media.media_type.as_deref().and_then(|kind| kind.split('/').next());
    match kind {
        Some("image") => Part::Image(media),
        Some("audio") => Part::Audio(media),
        _ => Part::File(media),
    }
}

/// What a tool said, and whether it is an error: by custom a text is the one field of the object it must be.
fn told(response: &Value) -> (String, bool) {
    let is_error = response.get("error").is_some_and(|error| !error.is_null());
    let only = response.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.iter().next());
    let value = match only {
        Some((name, value)) if matches!(&**name, "output" | "result" | "error") => value,
        _ => response,
    };
    (value.as_str().map_or_else(|| value.to_string(), str::to_owned), is_error)
}
