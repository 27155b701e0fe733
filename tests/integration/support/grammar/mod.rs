//! The grammars of the dialects' streams, as their specifications and official SDKs demand them of a server.
//!
//! Strict where [`told`](super::told) is tolerant: what some client could stumble over is refused. Written from the
//! specifications alone, so that nothing that is tested vouches for itself.

/// Refuses the stream unless a condition holds.
macro_rules! demand {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

mod answers;
mod anthropic;
mod gemini;
mod json;
mod ollama;
mod openai_chat;
mod openai_responses;
mod requests;

use serde_json::Value;

use super::told::{self, Told};
pub use answers::check_answer;
use json::parse;
pub use requests::check_request;

/// What `stream` of `dialect` tells a client, if it is a stream that the dialect's grammar allows: a whole one, or one that an
/// error has broken off.
///
/// A stream of Ollama's may be one of `/api/chat` or of `/api/generate`, one of Gemini's events or an array.
pub fn check(dialect: &str, stream: &str) -> Result<Told, String> {
    let check = match dialect {
        "openai-chat" => openai_chat::check,
        "openai-responses" => openai_responses::check,
        "anthropic" => anthropic::check,
        "gemini" if stream.starts_with('[') => return gemini::check_array(stream),
        "gemini" => gemini::check,
        "ollama" => ollama::check,
        _ => return Err(format!("{dialect} is no dialect")),
    };
    check(stream)?;
    let told = told::read(dialect, stream.as_bytes());
    demand!(told.ended == told.error.is_none(), "it has neither an end nor an error, or both: {told:?}");
    Ok(told)
}

/// One event of an event stream.
struct Frame<'a> {
    event: Option<&'a str>,
    data: &'a str,
}

/// The frames of `stream`: each at most one line with its name, then one with its data, then an empty one.
fn frames<'a>(stream: &'a str, end_of_line: &str) -> Result<Vec<Frame<'a>>, String> {
    let empty = end_of_line.repeat(2);
    demand!(stream.ends_with(&empty), "it does not end in an empty line");
    let frames = stream.trim_end_matches(&empty).split(&empty);
    frames
        .map(|frame| {
            let (event, data) = match frame.split_once(end_of_line) {
                Some((event, data)) => (Some(event), data),
                None => (None, frame),
            };
            demand!(!data.contains(['\r', '\n']), "a frame has more than a name and data: {frame}");
            let event = event.map(|event| event.strip_prefix("event: ").ok_or("a frame does not begin with its name"));
            let data = data.strip_prefix("data: ").ok_or_else(|| format!("a frame without data: {frame}"))?;
            Ok(Frame { event: event.transpose()?, data })
        })
        .collect()
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    value[name].as_str().ok_or_else(|| format!("{name} is no text in {value}"))
}

/// A text that is not empty.
fn word<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    let text = text(value, name)?;
    demand!(!text.is_empty(), "{name} is empty in {value}");
    Ok(text)
}

fn integer(value: &Value, name: &str) -> Result<u64, String> {
    value[name].as_u64().ok_or_else(|| format!("{name} is no whole number in {value}"))
}

fn array<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>, String> {
    value[name].as_array().ok_or_else(|| format!("{name} is no array in {value}"))
}

fn object<'a>(value: &'a Value, name: &str) -> Result<&'a Value, String> {
    value.get(name).filter(|inner| inner.is_object()).ok_or_else(|| format!("{name} is no object in {value}"))
}

/// Refuses keys of `value` that are null, where clients that find the key use it.
fn no_nulls(value: &Value, keys: &[&str]) -> Result<(), String> {
    for key in keys {
        demand!(value.get(*key) != Some(&Value::Null), "{key} is null in {value}");
    }
    Ok(())
}
