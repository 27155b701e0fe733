//! What a client says over a WebSocket.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::history::{self, History};
use crate::error::Error;

/// Names of streams longer than this are refused: each is repeated in every event.
const MAX_STREAM_ID: usize = 128;

/// One message.
pub(super) enum Message {
    /// `response.create`
    Create(Create),
    /// `response.cancel`
    Cancel(Cancel),
}

/// Asks for a response.
pub(super) struct Create {
    pub(super) stream: StreamName,
    /// What it holds, in bytes.
    pub(super) size: usize,
    /// The members of the message as they came. Of two by one name, the last.
    fields: BTreeMap<String, Box<RawValue>>,
}

/// Stops a response. OpenAI's WebSockets have no word for this; it is that of its Realtime API.
pub(super) struct Cancel {
    pub(super) stream: StreamName,
    /// Which one; else the one that runs in the stream.
    pub(super) response: Option<String>,
}

/// What a client calls one of several streams of responses; `None` for the one without a name.
pub(super) type StreamName = Option<Arc<str>>;

/// A message that cannot be followed, and the stream that it is about, as far as it says.
pub(super) type Refused = Box<(StreamName, Error)>;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    stream_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    response_id: Option<Cow<'a, str>>,
}

impl Message {
    pub(super) fn read(text: &str) -> Result<Self, Refused> {
        let Envelope { r#type, stream_id, response_id } = serde_json::from_str(text).map_err(|error| {
            let message = format!("Send one JSON object with a `type` in each message: {error}.");
            Refused::new((None, wrong(message, None)))
        })?;
        let stream: StreamName = stream_id.map(Arc::from);
        if stream.as_ref().is_some_and(|name| name.len() > MAX_STREAM_ID) {
            let message = format!("`stream_id` is longer than {MAX_STREAM_ID} bytes.");
            return Err(Refused::new((None, wrong(message, Some("stream_id")))));
        }
        match &*r#type {
            "response.create" => match serde_json::from_str(text) {
                Ok(fields) => Ok(Self::Create(Create { stream, size: text.len(), fields })),
                Err(error) => {
                    let message = format!("The message is not a JSON object: {error}.");
                    Err(Refused::new((stream, wrong(message, None))))
                }
            },
            "response.cancel" => Ok(Self::Cancel(Cancel { stream, response: response_id.map(Cow::into_owned) })),
            _ => {
                let message = "Send `response.create` or `response.cancel`; there is nothing else here.".to_owned();
                Err(Refused::new((stream, wrong(message, Some("type")))))
            }
        }
    }
}

/// A request as it would have been posted.
pub(super) struct Asked {
    pub(super) body: Bytes,
    /// The items of its input, that of earlier responses included.
    pub(super) input: String,
    /// The response that it goes on from, where that is not one of this connection: the upstream may know it.
    pub(super) unknown: Option<String>,
    /// Whether a model is to answer. If not, all that is wanted is an id to go on from.
    pub(super) generate: bool,
}

impl Create {
    /// What would have been posted. A response of this connection that it goes on from is written out from `history`: so it can be
    /// asked of any upstream, also of those that keep nothing.
    pub(super) fn into_request(mut self, history: &History) -> Result<Asked, Error> {
        let fields = &mut self.fields;
        for name in ["type", "stream_id"] {
            fields.remove(name);
        }
        if fields.remove("background").is_some_and(|value| value.get() == "true") {
            let message = "There is no `background` over a WebSocket. Post the request instead.".to_owned();
            return Err(wrong(message, Some("background")));
        }
        let generate = fields.remove("generate").is_none_or(|value| value.get() != "false");
        let input = fields.get("input").map_or_else(|| Some(String::new()), |input| history::items(input));
        let mut input = input.ok_or_else(|| wrong("`input` must be text or an array.".to_owned(), Some("input")))?;
        let mut unknown = None;
        let previous = fields.get("previous_response_id");
        if let Some(id) = previous.and_then(|id| serde_json::from_str::<Option<String>>(id.get()).ok()?) {
            match history.find(&id) {
                Some(before) => {
                    input = history::join(before, &input);
                    fields.insert("input".to_owned(), raw(format!("[{input}]"))?);
                    fields.remove("previous_response_id");
                }
                None => unknown = Some(id),
            }
        }
        fields.insert("stream".to_owned(), raw("true".to_owned())?);
        let body = serde_json::to_vec(&fields).map_err(|error| wrong(error.to_string(), None))?;
        Ok(Asked { body: body.into(), input, unknown, generate })
    }
}

fn raw(json: String) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(json).map_err(|error| wrong(format!("`input` is not valid: {error}."), Some("input")))
}

fn wrong(message: String, param: Option<&'static str>) -> Error {
    Error::InvalidRequest { message, param }
}
