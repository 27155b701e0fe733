//! What providers demand of a request, as their specifications say.

mod anthropic;
mod gemini;
mod ollama;
mod openai_chat;
mod openai_responses;

use serde_json::Value;

use super::{array, object, parse, text, word};

/// Whether `body` is a request that a provider that speaks `dialect` takes.
pub fn check_request(dialect: &str, body: &str) -> Result<(), String> {
    let request = parse(body)?;
    demand!(request.is_object(), "no object: {request}");
    for (name, value) in request.as_object().unwrap() {
        demand!(!value.is_null(), "{name} is null");
    }
    match dialect {
        "openai-chat" => openai_chat::check(&request),
        "openai-responses" => openai_responses::check(&request),
        "anthropic" => anthropic::check(&request),
        "gemini" => gemini::check(&request),
        "ollama" => ollama::check(&request),
        _ => Err(format!("{dialect} is no dialect")),
    }
}

/// Fields of `request` that are not among `known`: a provider refuses them, or ignores what was asked.
fn only(request: &Value, known: &[&str]) -> Result<(), String> {
    for name in request.as_object().into_iter().flatten().map(|(name, _)| name) {
        demand!(known.contains(&&**name), "{name} is no field there: {request}");
    }
    Ok(())
}

/// The name of a tool, of letters, digits, `_` and `-`.
fn tool_name(tool: &Value, longest: usize) -> Result<(), String> {
    let name = word(tool, "name")?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    demand!(name.len() <= longest && name.bytes().all(fits), "no name of a tool: {name}");
    Ok(())
}

/// A JSON Schema of an object.
fn schema_of_object(tool: &Value, name: &str) -> Result<(), String> {
    let schema = object(tool, name)?;
    demand!(schema["type"] == "object", "{name} is no schema of an object: {tool}");
    Ok(())
}

/// A number within bounds, if it is there.
fn within(request: &Value, name: &str, low: f64, high: f64) -> Result<(), String> {
    let Some(value) = request.get(name) else { return Ok(()) };
    let fits = value.as_f64().is_some_and(|value| (low..=high).contains(&value));
    demand!(fits, "{name} is not between {low} and {high}: {value}");
    Ok(())
}

/// The calls of an answer and their results, in the order that providers insist on.
#[derive(Default)]
struct Open(Vec<String>);

impl Open {
    fn call(&mut self, id: &str) -> Result<(), String> {
        demand!(!self.0.iter().any(|open| open == id), "two open calls are called {id}");
        self.0.push(id.to_owned());
        Ok(())
    }

    fn result(&mut self, id: &str) -> Result<(), String> {
        let place = self.0.iter().position(|open| open == id).ok_or_else(|| format!("a result of no call: {id}"))?;
        self.0.remove(place);
        Ok(())
    }

    fn none(&self) -> Result<(), String> {
        demand!(self.0.is_empty(), "calls without results: {:?}", self.0);
        Ok(())
    }
}
