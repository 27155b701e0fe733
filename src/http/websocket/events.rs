//! The events of a response as messages, and what they tell of it.

use std::collections::VecDeque;
use std::sync::LazyLock;

use http::HeaderMap;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::history;
use super::message::StreamName;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::framing::Framing;
use crate::http::headers;

/// Of the types of the few events that are looked into. A model that writes these words costs a parse.
static NEEDLES: LazyLock<[Finder<'static>; 4]> =
    LazyLock::new(|| [".created", "_item.done", ".completed", ".incomplete"].map(Finder::new));

/// Tells a client the events of one response.
pub(super) struct Teller {
    stream: StreamName,
    /// What is put into each event, with a comma behind it.
    mark: String,
    /// What is put into the first one beside that.
    first: String,
    told: u64,
    /// The response as it was when it was created.
    created: Option<Box<RawValue>>,
    id: Option<String>,
    /// The items that have come out, as they stand between the brackets of an array, as long as there is room for them.
    output: String,
    /// For how many more bytes there is; `None` if there was not enough.
    room: Option<usize>,
    ended: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default)]
    r#type: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
}

impl Teller {
    /// One for a response that was asked for in `stream`, of which no more than `room` bytes are kept.
    pub(super) fn new(stream: StreamName, room: Option<usize>) -> Self {
        let mark = stream.as_ref().map_or_else(String::new, |stream| format!("\"stream_id\":{},", json!(**stream)));
        let (first, output) = (String::new(), String::new());
        Self { stream, mark, first, told: 0, created: None, id: None, output, room, ended: false }
    }

    /// The request has left out what `names` say: there is no header to tell so, and the first event does.
    pub(super) fn note_dropped(&mut self, names: &[String]) {
        if !names.is_empty() {
            self.first = format!("\"x_sluicegate_dropped\":{},", json!(names));
        }
    }

    /// The id of the response, once it is known.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Adds the events of `run`, whole frames of an event stream, to `messages`, each an object. Comments are for HTTP, and
    /// `[DONE]` is for those who cannot tell the last event.
    pub(super) fn tell(&mut self, run: &[u8], messages: &mut VecDeque<Utf8Bytes>) {
        for event in Framing::EventStream.events(run) {
            let Some(data) = event.data else { continue };
            let data = String::from_utf8_lossy(&data);
            let Some(members) = data.trim_ascii_start().strip_prefix('{') else { continue };
            self.note(&data);
            let first = std::mem::take(&mut self.first);
            // A comma needs something behind it.
            let marks = if members.trim_ascii_start().starts_with('}') { ["", ""] } else { [&*self.mark, &*first] };
            messages.push_back(["{", marks[0], marks[1], members].concat().into());
            self.told += 1;
        }
    }

    fn note(&mut self, data: &str) {
        if NEEDLES.iter().all(|needle| needle.find(data.as_bytes()).is_none()) {
            return;
        }
        let Ok(event) = serde_json::from_str::<Event<'_>>(data) else { return };
        match &*event.r#type {
            "response.created" => {
                self.id = event.response.and_then(read).and_then(|response| response.id);
                self.created = event.response.map(ToOwned::to_owned);
            }
            "response.output_item.done" => {
                self.keep(event.item.map_or("", RawValue::get));
            }
            "response.completed" | "response.incomplete" => {
                self.ended = true;
                let Some(response) = event.response.and_then(read) else { return };
                self.id = self.id.take().or(response.id);
                // Some tell all at once, at the end.
                if self.output.is_empty() {
                    self.keep(&response.output.and_then(history::items).unwrap_or_default());
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, items: &str) {
        self.room = self.room.and_then(|room| room.checked_sub(items.len()));
        self.output = self.room.map_or_else(String::new, |_| history::join(&self.output, items));
    }

    /// The id of the response and the items that came out, if it has come to an end that can be gone on from and all
    /// of them are kept.
    pub(super) fn output(&self) -> Option<(&str, &str)> {
        self.id().filter(|_| self.ended && self.room.is_some()).map(|id| (id, &*self.output))
    }

    /// That the response was stopped before its end, as the API has it for those it runs in the background: the response with the
    /// status `cancelled`. `id` is its name if it has said none itself.
    pub(super) fn cancelled(&self, id: &str) -> Utf8Bytes {
        let created =
            self.created.as_ref().and_then(|created| serde_json::from_str::<Map<String, Value>>(created.get()).ok());
        let mut response = created.unwrap_or_else(|| {
            let nothing =
                json!({ "id": id, "object": "response", "error": null, "incomplete_details": null, "output": [] });
            nothing.as_object().cloned().unwrap_or_default()
        });
        response.insert("status".to_owned(), "cancelled".into());
        let event = json!({ "type": "response.cancelled", "sequence_number": self.told, "response": response });
        marked(event, &self.stream)
    }

    /// That there will be no response.
    pub(super) fn error(&self, error: &Error, dialect: &dyn Dialect) -> Utf8Bytes {
        error_event(error, dialect, &self.stream)
    }
}

fn read(response: &RawValue) -> Option<Response<'_>> {
    serde_json::from_str(response.get()).ok()
}

/// `error`, as it would have been an HTTP response to a request made in `stream`.
pub(super) fn error_event(error: &Error, dialect: &dyn Dialect, stream: &StreamName) -> Utf8Bytes {
    let frame = dialect.error_frame(error);
    let data = Framing::EventStream.parse(&frame).data.unwrap_or_default();
    let mut told: Value = serde_json::from_slice(&data).unwrap_or_default();
    let mut told = told["error"].take();
    if let Error::UpstreamStatus { headers, .. } = error {
        told["headers"] = fields(&headers::about(headers));
    }
    marked(json!({ "type": "error", "status": error.status().as_u16(), "error": told }), stream)
}

/// Header fields as an object.
fn fields(headers: &HeaderMap) -> Value {
    headers.iter().filter_map(|(name, value)| Some((name.to_string(), Value::from(value.to_str().ok()?)))).collect()
}

fn marked(mut event: Value, stream: &StreamName) -> Utf8Bytes {
    if let Some(stream) = stream {
        event["stream_id"] = (**stream).into();
    }
    event.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(teller: &mut Teller, run: &str) -> Vec<String> {
        let mut messages = VecDeque::new();
        teller.tell(run.as_bytes(), &mut messages);
        messages.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_event_is_told_as_it_is_but_for_its_marks() {
        let run = ": keep-alive\nevent: a\ndata: {\"type\":\"a\",\"n\":1.50}\n\ndata: [DONE]\n\ndata: {}\n\n";
        assert_eq!(told(&mut Teller::new(None, Some(100)), run), [r#"{"type":"a","n":1.50}"#, "{}"]);
        let mut teller = Teller::new(Some("s\"1".into()), None);
        teller.note_dropped(&["seed".to_owned()]);
        let first = r#"{"stream_id":"s\"1","x_sluicegate_dropped":["seed"],"type":"a","n":1.50}"#;
        assert_eq!(told(&mut teller, run), [first, "{}"]);
    }

    #[test]
    fn what_came_out_is_known_at_a_proper_end_alone() {
        let created =
            "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\"}}\n\n";
        let item = "data: {\"type\":\"response.output_item.done\",\"item\":{\"id\":\"a\"}}\n\n";
        let end =
            "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"output\":[{\"id\":\"b\"}]}}\n\n";
        let output = |events: &[&str]| {
            let mut teller = Teller::new(None, Some(100));
            told(&mut teller, &events.concat());
            teller.output().map(|(id, items)| format!("{id} {items}"))
        };
        assert_eq!(output(&[created, item, item]), None);
        assert_eq!(output(&[created, item, item, end]).unwrap(), r#"resp_1 {"id":"a"},{"id":"a"}"#);
        assert_eq!(output(&[end]).unwrap(), r#"resp_1 {"id":"b"}"#);
        let items = [created, &item.repeat(11), end].concat();
        assert_eq!(output(&[&items]), None, "more than there is room for");
    }

    #[test]
    fn a_response_that_is_cancelled_says_so_and_nothing_else() {
        let mut teller = Teller::new(None, Some(100));
        let before: Value = serde_json::from_str(&teller.cancelled("resp_made")).unwrap();
        assert_eq!(
            (&before["response"]["id"], &before["response"]["status"]),
            (&json!("resp_made"), &json!("cancelled"))
        );
        told(&mut teller, "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"m\"}}\n\n");
        let event: Value = serde_json::from_str(&teller.cancelled("resp_made")).unwrap();
        let response = json!({ "id": "resp_1", "model": "m", "status": "cancelled" });
        assert_eq!(event, json!({ "type": "response.cancelled", "sequence_number": 1, "response": response }));
    }
}
