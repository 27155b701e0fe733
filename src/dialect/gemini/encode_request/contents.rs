//! The conversation: `systemInstruction` and `contents`.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::model::Model;
use super::tools::fit_name;
use crate::canonical::{
    Field, Losses, Media, Message, Part, Role, Seal, Source, Text, ToolCall, ToolKind, ToolResult, ids,
};
use crate::dialect::gemini::NAME;

/// What Google documents for calls that Gemini 3 has not made itself: it asks for a signature, and takes this for one.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// A turn.
#[derive(Debug, Serialize)]
pub(super) struct Content<'a> {
    role: &'static str,
    parts: Vec<Piece<'a>>,
}

/// A part of a turn. One of its values is there, and perhaps a mark on it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Piece<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<Response<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: String,
    args: Cow<'a, RawValue>,
}

#[derive(Debug, Serialize)]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: String,
    response: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Piece<'a>>,
    /// The place among all calls of the one it answers.
    #[serde(skip)]
    order: usize,
}

pub(super) fn instruction(messages: &[Message], losses: &mut Losses<'_>) -> Option<Value> {
    let text = messages.iter().map(|message| plain_text(&message.parts, losses)).collect::<Vec<_>>().join("\n\n");
    (!text.is_empty()).then(|| json!({ "parts": [{ "text": text }] }))
}

fn plain_text(parts: &[Part], losses: &mut Losses<'_>) -> String {
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => texts.push(&*text.text),
            _ => losses.meaning(Field::Messages, "Gemini's instructions are text"),
        }
    }
    texts.join("\n\n")
}

pub(super) fn write<'a>(
    messages: &'a [Message],
    provider: &'a str,
    model: Model<'a>,
    losses: &mut Losses<'_>,
) -> Vec<Content<'a>> {
    let mut writer = Writer { provider, model, calls: Vec::new(), contents: Vec::new() };
    for message in messages {
        writer.message(message, losses);
    }
    writer.order_results();
    if model.is_third() {
        writer.sign_calls();
    }
    writer.contents
}

struct Writer<'a> {
    provider: &'a str,
    model: Model<'a>,
    /// All calls so far, and whether they have been answered.
    calls: Vec<(&'a ToolCall, bool)>,
    contents: Vec<Content<'a>>,
}

impl<'a> Writer<'a> {
    fn message(&mut self, message: &'a Message, losses: &mut Losses<'_>) {
        let mut pieces = Vec::new();
        let role = match message.role {
            Role::Assistant => "model",
            Role::User => "user",
            Role::System | Role::Developer => {
                losses.hint(
                    Field::Messages,
                    "Gemini has instructions before a conversation only; later ones are told as the user's",
                );
                let text = format!("<system>\n{}\n</system>", plain_text(&message.parts, losses));
                return self.say("user", vec![Piece { text: Some(text.into()), ..Piece::default() }]);
            }
        };
        for part in &message.parts {
            self.part(part, &mut pieces, losses);
        }
        self.say(role, pieces);
    }

    /// Turns alternate: what follows in the same role belongs to the same turn.
    fn say(&mut self, role: &'static str, pieces: Vec<Piece<'a>>) {
        match self.contents.last_mut() {
            _ if pieces.is_empty() => {}
            Some(last) if last.role == role => last.parts.extend(pieces),
            _ => self.contents.push(Content { role, parts: pieces }),
        }
    }

    fn part(&mut self, part: &'a Part, pieces: &mut Vec<Piece<'a>>, losses: &mut Losses<'_>) {
        let text = |text: &'a str| Some(Cow::Borrowed(text));
        match part {
            Part::Text(Text { text: said, seal, .. }) => {
                let thought_signature = self.signature(seal.as_ref());
                if !said.is_empty() || thought_signature.is_some() {
                    pieces.push(Piece { text: text(said), thought_signature, ..Piece::default() });
                }
            }
            Part::Refusal(said) => pieces.push(Piece { text: text(said), ..Piece::default() }),
            Part::Reasoning { text: thoughts, seal } => match self.signature(seal.as_ref()) {
                // A mark without thoughts was on an empty text.
                Some(signature) => pieces.push(Piece {
                    text: text(thoughts),
                    thought: !thoughts.is_empty(),
                    thought_signature: Some(signature),
                    ..Piece::default()
                }),
                None if thoughts.is_empty() => {}
                None => losses.hint(Field::Messages, "thoughts that are not this provider's own are not shown to it"),
            },
            Part::ToolCall(call) => pieces.push(self.call(call, losses)),
            Part::ToolResult(result) => self.result(result, pieces, losses),
            Part::Image(media) => pieces.extend(file(media, "image/jpeg", losses)),
            Part::Audio(media) => pieces.extend(file(media, "audio/wav", losses)),
            Part::File(media) => pieces.extend(file(media, "application/pdf", losses)),
        }
    }

    fn signature(&self, seal: Option<&'a Seal>) -> Option<&'a str> {
        seal?.for_provider(NAME, self.provider)
    }

    /// The name of a call, for models that give such names themselves; to others the order of calls tells them apart.
    fn id(&self, id: &str) -> Option<String> {
        let is_fit = |id: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            id.len() <= 64 && id.bytes().all(fits)
        };
        (self.model.is_third() && !id.is_empty()).then(|| ids::fit(id, "call_", 24, is_fit))
    }

    fn call(&mut self, call: &'a ToolCall, losses: &mut Losses<'_>) -> Piece<'a> {
        self.calls.push((call, false));
        let object = if call.kind == ToolKind::Custom { None } else { call.json_arguments() };
        let args = object.and_then(raw_object).unwrap_or_else(|| {
            losses.hint(Field::Messages, "a call whose arguments are no JSON object is told with them as its `input`");
            wrapped("input", &call.arguments)
        });
        let function_call = Some(Call { id: self.id(&call.id), name: fit_name(&call.name), args });
        Piece { function_call, thought_signature: self.signature(call.seal.as_ref()), ..Piece::default() }
    }

    fn result(&mut self, result: &'a ToolResult, pieces: &mut Vec<Piece<'a>>, losses: &mut Losses<'_>) {
        let order = self.called(result);
        let called = order.and_then(|index| self.calls.get(index)).map(|(call, _)| *call);
        let name = called.map(|call| &call.name).or(result.name.as_ref()).unwrap_or(&result.call_id);
        let id = called.map_or(&result.call_id, |call| &call.id);
        let (mut texts, mut media) = (Vec::new(), Vec::new());
        for part in &result.parts {
            match part {
                Part::Text(text) => texts.push(&*text.text),
                other => self.part(other, &mut media, losses),
            }
        }
        let text = texts.join("\n");
        let response = match (result.is_error, texts.as_slice()) {
            (true, _) => wrapped("error", &text),
            (false, [text]) => raw_object(text).unwrap_or_else(|| wrapped("output", text)),
            (false, _) => wrapped("output", &text),
        };
        // Before Gemini 3, a response has no parts of its own; what it shows stands beside it.
        let (parts, beside) = if self.model.is_third() { (media, Vec::new()) } else { (Vec::new(), media) };
        let order = order.unwrap_or(self.calls.len());
        let response = Response { id: self.id(id), name: fit_name(name), response, parts, order };
        pieces.push(Piece { function_response: Some(response), ..Piece::default() });
        pieces.extend(beside);
    }

    /// The place of the call that `result` answers: the last one of that name, or, where a client gives calls no names, the
    /// first of that tool that waits.
    fn called(&mut self, result: &ToolResult) -> Option<usize> {
        let is_of_tool = |call: &ToolCall| result.name.as_ref().is_none_or(|name| call.name == *name);
        let found = match &*result.call_id {
            "" => self.calls.iter().position(|(call, is_answered)| !is_answered && is_of_tool(call)),
            id => self.calls.iter().rposition(|(call, _)| call.id == id),
        };
        if let Some((_, is_answered)) = found.and_then(|index| self.calls.get_mut(index)) {
            *is_answered = true;
        }
        found
    }

    /// The results of a turn stand first in the next, in the order of their calls.
    fn order_results(&mut self) {
        for content in self.contents.iter_mut().filter(|content| content.role == "user") {
            content
                .parts
                .sort_by_key(|part| part.function_response.as_ref().map_or(usize::MAX, |response| response.order));
        }
    }

    /// Gemini 3 refuses a step of the turn that is still going on if the first call in it is not signed.
    fn sign_calls(&mut self) {
        let is_result = |content: &Content<'_>| content.parts.iter().any(|part| part.function_response.is_some());
        for content in self.contents.iter_mut().rev() {
            match content.role {
                "user" if is_result(content) => {}
                "user" => break,
                _ => {
                    let first = content.parts.iter_mut().find(|part| part.function_call.is_some());
                    if let Some(first) = first {
                        first.thought_signature.get_or_insert(NO_SIGNATURE);
                    }
                }
            }
        }
    }
}

/// `text` itself, if it is a JSON object.
fn raw_object(text: &str) -> Option<Cow<'_, RawValue>> {
    let text = text.trim();
    text.starts_with('{').then(|| serde_json::from_str(text).ok().map(Cow::Borrowed)).flatten()
}

fn wrapped<'a>(name: &str, text: &str) -> Cow<'a, RawValue> {
    Cow::Owned(to_raw_value(&json!({ name: text })).expect("a string is JSON"))
}

/// A picture, a recording or a document. What is at a URL is fetched by Google, and what is not Google's own cannot be.
fn file<'a>(media: &'a Media, default_type: &str, losses: &mut Losses<'_>) -> Option<Piece<'a>> {
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        losses.hint(Field::Messages, "Gemini decides itself how closely it looks");
    }
    if media.name.is_some() {
        losses.hint(Field::Messages, "the Gemini API has no place for the names of files");
    }
    let at = |uri: &str| {
        let mut file = json!({ "fileUri": uri });
        if let Some(media_type) = &media.media_type {
            file["mimeType"] = media_type.as_str().into();
        }
        Some(Piece { file_data: Some(file), ..Piece::default() })
    };
    match &media.source {
        Source::Data(data) => {
            let data = json!({ "mimeType": media.media_type.as_deref().unwrap_or(default_type), "data": data });
            Some(Piece { inline_data: Some(data), ..Piece::default() })
        }
        Source::Url(url) => at(url),
        Source::Id(uri) if uri.contains("://") => at(uri),
        Source::Id(_) => {
            losses.meaning(Field::Messages, "a file that was uploaded to another provider cannot be shown to Gemini");
            None
        }
    }
}
