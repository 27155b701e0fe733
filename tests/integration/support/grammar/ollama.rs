//! Lines of `/api/chat` and `/api/generate`: <https://docs.ollama.com/api/chat>, and ollama-python's `_types.py`, which
//! parses every line.

use serde_json::Value;

use super::{array, integer, object, parse, text, word};

const DURATIONS: [&str; 4] = ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"];

#[derive(Default)]
struct Ollama {
    model: Option<String>,
    /// Whether it is a stream of `/api/generate`.
    is_generate: Option<bool>,
    calls: u64,
    done: bool,
}

pub(super) fn check(stream: &str) -> Result<(), String> {
    let mut ollama = Ollama::default();
    let stream = stream.strip_suffix('\n').ok_or("the last line does not end")?;
    let lines: Vec<&str> = stream.split('\n').collect();
    for (at, line) in lines.iter().enumerate() {
        demand!(!line.trim().is_empty() && !line.contains('\r'), "a line that is no JSON: {line:?}");
        let line = parse(line)?;
        demand!(!ollama.done, "a line behind the last: {line}");
        if line.get("error").is_some() {
            word(&line, "error")?;
            demand!(line.as_object().unwrap().len() == 1, "an error among other things: {line}");
            demand!(at + 1 == lines.len(), "a line behind the error");
            return Ok(());
        }
        ollama.line(&line)?;
    }
    demand!(ollama.done, "no line is the last");
    Ok(())
}

impl Ollama {
    fn line(&mut self, line: &Value) -> Result<(), String> {
        let model = word(line, "model")?.to_owned();
        demand!(*self.model.get_or_insert(model.clone()) == model, "the model changes: {line}");
        date(word(line, "created_at")?)?;
        let is_generate = line.get("response").is_some();
        demand!(*self.is_generate.get_or_insert(is_generate) == is_generate, "the endpoint changes: {line}");
        let message = if is_generate { line } else { object(line, "message")? };
        if !is_generate {
            demand!(message["role"] == "assistant", "the message of another: {line}");
        }
        text(message, if is_generate { "response" } else { "content" })?;
        if message.get("thinking").is_some() {
            text(message, "thinking")?;
        }
        if message.get("tool_calls").is_some() {
            let calls = array(message, "tool_calls")?;
            demand!(!calls.is_empty(), "no calls among the calls: {line}");
            calls.iter().try_for_each(|call| self.call(call))?;
        }
        self.done = line["done"].as_bool().ok_or_else(|| format!("done is no boolean: {line}"))?;
        if self.done { last(line) } else { unfinished(line) }
    }

    fn call(&mut self, call: &Value) -> Result<(), String> {
        let function = object(call, "function")?;
        word(function, "name")?;
        object(function, "arguments")?;
        if call.get("id").is_some() {
            word(call, "id")?;
        }
        if function.get("index").is_some() {
            demand!(integer(function, "index")? == self.calls, "the index is not the next one: {call}");
        }
        self.calls += 1;
        Ok(())
    }
}

fn last(line: &Value) -> Result<(), String> {
    demand!(["stop", "length"].contains(&word(line, "done_reason")?), "no done_reason: {line}");
    for name in DURATIONS {
        // Ollama leaves out what is zero; clients divide by these.
        demand!(line.get(name).is_none() || integer(line, name)? > 0, "{name} is zero: {line}");
    }
    integer(line, "total_duration")?;
    for name in ["prompt_eval_count", "eval_count"] {
        demand!(line.get(name).is_none() || line[name].is_u64(), "{name} is no number: {line}");
    }
    demand!(line.get("eval_count").is_none() || line.get("eval_duration").is_some(), "tokens in no time: {line}");
    Ok(())
}

fn unfinished(line: &Value) -> Result<(), String> {
    for name in ["done_reason", "eval_count", "prompt_eval_count"].iter().chain(&DURATIONS) {
        demand!(line.get(*name).is_none(), "{name} before the last line: {line}");
    }
    Ok(())
}

/// `2025-06-09T17:58:55.337823Z`, or with an offset: ollama-js and Go parse it.
fn date(date: &str) -> Result<(), String> {
    let shape: String = date.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    let rest = shape.strip_prefix("0000-00-00T00:00:00").ok_or_else(|| format!("no date: {date}"))?;
    let zone = rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches('0'));
    demand!(["Z", "+00:00", "-00:00"].contains(&zone), "no date: {date}");
    Ok(())
}
