//! Requests that ask nothing: they load a model before it is needed, or unload it.
//!
//! <https://github.com/ollama/ollama/blob/main/docs/api.md#load-a-model>

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::line::date;
use crate::dialect::Shape;

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    messages: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    prompt: Option<String>,
    #[serde(default)]
    keep_alive: Value,
}

/// The answer to `body` if it asks nothing of the model: a chat without messages, a completion without a prompt. Nobody has to
/// be asked for it, and it does not stream, whatever the client said. `created` is the time since 1970.
pub(super) fn answer(shape: Shape, model: &str, body: &[u8], created: Duration) -> Option<Bytes> {
    let wire: Wire = serde_json::from_slice(body).ok()?;
    let asks_nothing = match shape {
        Shape::Completion => wire.prompt.is_none_or(|prompt| prompt.is_empty()),
        Shape::Chat | Shape::Array => wire.messages.is_none_or(|messages| messages.is_empty()),
    };
    let reason = if is_zero(&wire.keep_alive) { "unload" } else { "load" };
    let mut answer = json!({ "model": model, "created_at": date(created) });
    match shape {
        Shape::Completion => answer["response"] = "".into(),
        Shape::Chat | Shape::Array => answer["message"] = json!({ "role": "assistant", "content": "" }),
    }
    answer["done"] = true.into();
    answer["done_reason"] = reason.into();
    asks_nothing.then(|| answer.to_string().into())
}

/// Whether a duration, in seconds or as Go writes it, is none.
fn is_zero(duration: &Value) -> bool {
    match duration {
        Value::Number(seconds) => seconds.as_f64() == Some(0.0),
        Value::String(text) => text.contains('0') && !text.contains(|digit: char| matches!(digit, '1'..='9')),
        _ => false,
    }
}
