//! Reads the conversation of a request.

use serde_json::Value;

use crate::canonical::{Media, Message, OpenCalls, Part, Role, Source, ToolCall, ToolResult, ids};
use crate::dialect::Malformed;
use crate::dialect::fields::{Fields, Notes};

pub(super) fn decode(request: &mut Fields, notes: &mut Notes) -> Result<Vec<Message>, Malformed> {
    let mut messages = Vec::new();
    let mut conversation = Conversation::default();
    for mut fields in request.objects("messages")? {
        let message = conversation.message(&mut fields, notes)?;
        notes.rest(&fields, &[]);
        // An empty message says nothing, and some providers refuse one.
        messages.extend((!message.parts.is_empty()).then_some(message));
    }
    Ok(messages)
}

/// The pictures of a message: before its text, as Ollama shows them to a model.
pub(super) fn images(fields: &mut Fields) -> Result<Vec<Part>, Malformed> {
    let images = fields.list("images")?;
    let image = |value: Value| value.as_str().and_then(picture).map(Part::Image);
    let images: Option<Vec<Part>> = images.into_iter().map(image).collect();
    images.ok_or_else(|| fields.wrong("images", "a list of pictures in base64"))
}

/// The picture that is written as `text`: Ollama wants bare base64, but frontends forget to cut what stands before it.
fn picture(text: &str) -> Option<Media> {
    let mut media = match text.starts_with("data:") {
        true => Media::from_url(text),
        false => Source::Data(text.to_owned()).into(),
    };
    media.beginning().filter(|beginning| !beginning.is_empty())?;
    media.media_type = media.apparent_type().map(str::to_owned).or(media.media_type);
    Some(media)
}

/// What has been read of a conversation.
#[derive(Default)]
struct Conversation {
    /// Every call so far, as its name and arguments, to give names to those that have none.
    seen: Vec<String>,
    open: OpenCalls,
}

impl Conversation {
    fn message(&mut self, fields: &mut Fields, notes: &mut Notes) -> Result<Message, Malformed> {
        let role = fields.text("role")?.unwrap_or_default().to_ascii_lowercase();
        let mut parts = images(fields)?;
        let content = fields.text("content")?.map(Part::text);
        let role = match &*role {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" => {
                let thoughts = fields.text("thinking")?.map(|text| Part::Reasoning { text, seal: None });
                parts.splice(0..0, thoughts);
                parts.extend(content);
                for call in fields.objects("tool_calls")? {
                    parts.push(Part::ToolCall(self.call(call, notes)?));
                }
                return Ok(Message { role: Role::Assistant, parts });
            }
            "tool" => {
                parts.splice(0..0, content);
                let result = self.result(fields, parts)?;
                return Ok(Message { role: Role::User, parts: vec![Part::ToolResult(result)] });
            }
            _ => return Err(fields.wrong("role", "system, user, assistant or tool")),
        };
        parts.extend(content);
        Ok(Message { role, parts })
    }

    fn call(&mut self, mut call: Fields, notes: &mut Notes) -> Result<ToolCall, Malformed> {
        let mut function = call.needed_object("function")?;
        let name = function.needed_text("name")?;
        let arguments = match function.take("arguments") {
            None => "{}".to_owned(),
            Some(arguments @ Value::Object(_)) => arguments.to_string(),
            // As OpenAI writes them.
            Some(Value::String(text)) if serde_json::from_str::<serde_json::Map<String, Value>>(&text).is_ok() => text,
            Some(_) => return Err(function.wrong("arguments", "an object")),
        };
        let given = call.text("id")?;
        let id = given.unwrap_or_else(|| self.name_for(&name, &arguments));
        // All calls are of functions, and the place of one among the others is that in the list.
        call.take("type");
        function.take("index");
        notes.rest(&function, &[]);
        notes.rest(&call, &[]);
        let call = ToolCall { id, name, arguments, ..ToolCall::default() };
        self.open.push(&call, &*call.id);
        Ok(call)
    }

    /// A name for a call that has none, the same again in every request that the call is in.
    fn name_for(&mut self, name: &str, arguments: &str) -> String {
        let call = format!("{name}\n{arguments}");
        let times = self.seen.iter().filter(|seen| **seen == call).count();
        let id = ids::call_id(&call, times);
        self.seen.push(call);
        id
    }

    /// The result that `parts` are.
    fn result(&mut self, fields: &mut Fields, parts: Vec<Part>) -> Result<ToolResult, Malformed> {
        let call_id = fields.text("tool_call_id")?.unwrap_or_default();
        // `name` is what elder clients wrote.
        let (name, elder) = (fields.text("tool_name")?, fields.text("name")?);
        let result = ToolResult { call_id, name: name.or(elder), parts, ..ToolResult::default() };
        Ok(match self.open.answer_or_first(&result) {
            Some(call) => ToolResult { call_id: call.native, name: result.name.or(Some(call.name)), ..result },
            None => result,
        })
    }
}
