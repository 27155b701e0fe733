//! What a stream tells a client, read from the specifications of the dialects alone.
//!
//! These readers are as tolerant as clients are. They share nothing with the code that is tested: where they and it agree, two
//! have read the same specification the same way.

mod anthropic;
mod echo;
mod events;
mod finish;
mod gemini;
mod ollama;
mod openai_chat;
mod openai_responses;
mod same;

use serde_json::Value;

pub use echo::next_request;
pub use events::events;
pub use finish::{Finish, words};
pub use same::{differences, read_answer};

/// What a client has learned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    pub text: String,
    pub reasoning: String,
    pub refusal: String,
    pub calls: Vec<Call>,
    /// Why the model stopped, in the dialect's words.
    pub finish: Option<String>,
    /// Why it refused, in words.
    pub explanation: Option<String>,
    pub usage: Option<Usage>,
    /// The answer is whole: the dialect's own end has come.
    pub ended: bool,
    /// The message of the error that broke it off.
    pub error: Option<String>,
    /// What was told after what: `t`ext, `r`easoning, re`f`usal, `c`all.
    pub order: String,
}

/// A call of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    pub id: String,
    pub name: String,
    /// As text; compact JSON where the dialect has an object.
    pub arguments: String,
    /// They are no JSON but the text for a tool that takes text.
    pub is_text: bool,
}

/// Tokens, counted one way for all dialects: caches are part of the input, reasoning is part of the output. `None` is not told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cached: Option<u64>,
    pub cache_write: Option<u64>,
    pub reasoning: Option<u64>,
}

/// Reads a stream event by event.
pub trait Reader {
    fn event(&mut self, name: Option<&str>, data: &str);
    fn told(&self) -> &Told;
}

/// A reader of `dialect`.
pub fn reader(dialect: &str) -> Box<dyn Reader> {
    match dialect {
        "openai-chat" => Box::<openai_chat::Chat>::default(),
        "openai-responses" => Box::<openai_responses::Responses>::default(),
        "anthropic" => Box::<anthropic::Messages>::default(),
        "gemini" => Box::<gemini::Gemini>::default(),
        "ollama" => Box::<ollama::Ollama>::default(),
        _ => panic!("{dialect} is no dialect"),
    }
}

/// What all of `stream` tells.
pub fn read(dialect: &str, stream: &[u8]) -> Told {
    let mut reader = reader(dialect);
    for (name, data) in events(dialect, &String::from_utf8_lossy(stream)) {
        reader.event(name.as_deref(), &data);
    }
    reader.told().clone()
}

impl Told {
    fn say_text(&mut self, text: &str) {
        self.note('t', text);
        self.text.push_str(text);
    }

    fn say_reasoning(&mut self, text: &str) {
        self.note('r', text);
        self.reasoning.push_str(text);
    }

    fn say_refusal(&mut self, text: &str) {
        self.note('f', text);
        self.refusal.push_str(text);
    }

    /// A call begins; returns its place.
    fn call(&mut self, id: &str, name: &str) -> usize {
        self.order.push('c');
        self.calls.push(Call { id: id.to_owned(), name: name.to_owned(), ..Call::default() });
        self.calls.len() - 1
    }

    /// The first error counts.
    fn fail(&mut self, error: &Value) {
        self.error.get_or_insert(message_of(error));
    }

    fn note(&mut self, kind: char, text: &str) {
        if !text.is_empty() && !self.order.ends_with(kind) {
            self.order.push(kind);
        }
    }
}

impl Call {
    /// The arguments as an object: none are an empty one, a text is the only value of one. `None` if they are cut off.
    pub fn object(&self) -> Option<Value> {
        if self.is_text {
            return Some(serde_json::json!({ "input": self.arguments }));
        }
        match self.arguments.trim() {
            "" | "null" => Some(Value::Object(serde_json::Map::new())),
            text => serde_json::from_str::<Value>(text).ok().filter(Value::is_object),
        }
    }
}

/// The message of an error, be it an object, the object around it, or a text.
fn message_of(error: &Value) -> String {
    let inner = error.get("error").filter(|inner| !inner.is_null()).unwrap_or(error);
    let message = ["message", "detail"].iter().find_map(|name| inner.get(*name)).unwrap_or(inner);
    message.as_str().map_or_else(|| message.to_string(), str::to_owned)
}

/// A text that is not empty.
fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The values of an array; none where there is no array.
fn list<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// A number at a path such as `/a/b`.
fn number(object: &Value, path: &str) -> Option<u64> {
    object.pointer(path).and_then(Value::as_u64)
}
