//! Chat completions: <https://platform.openai.com/docs/api-reference/chat-streaming>, and openai-python's
//! `types/chat/chat_completion_chunk.py` and `lib/streaming/chat`.

use serde_json::Value;

use super::{array, frames, integer, no_nulls, object, parse, text, word};

pub(super) const REASONS: [&str; 4] = ["stop", "length", "tool_calls", "content_filter"];

#[derive(Default)]
struct Chat {
    /// What all chunks have in common.
    head: Option<[Value; 3]>,
    role: bool,
    /// How many calls have begun.
    calls: u64,
    finish: Option<String>,
    usage: bool,
}

pub(super) fn check(stream: &str) -> Result<(), String> {
    let mut chat = Chat::default();
    let mut frames = frames(stream, "\n")?;
    let last = frames.pop().ok_or("it is empty")?;
    for frame in frames.iter().chain([&last]) {
        demand!(frame.event.is_none(), "an event has a name: {:?}", frame.event);
    }
    for frame in frames {
        chat.chunk(&parse(frame.data)?)?;
    }
    if last.data == "[DONE]" {
        demand!(chat.finish.is_some(), "[DONE] without a finish reason");
        return Ok(());
    }
    // OpenAI's SDKs raise on `error` at the top, with its members.
    let last = parse(last.data)?;
    let error = object(&last, "error")?;
    demand!(last.as_object().unwrap().len() == 1, "an error among other things: {last}");
    word(error, "message")?;
    word(error, "type")?;
    demand!(error.get("param").is_some() && error.get("code").is_some(), "an error without param or code: {error}");
    Ok(())
}

impl Chat {
    fn chunk(&mut self, chunk: &Value) -> Result<(), String> {
        demand!(chunk["object"] == "chat.completion.chunk", "no chunk: {chunk}");
        word(chunk, "id")?;
        text(chunk, "model")?;
        integer(chunk, "created")?;
        let head = [chunk["id"].clone(), chunk["created"].clone(), chunk["model"].clone()];
        demand!(*self.head.get_or_insert(head.clone()) == head, "id, created or model changes: {chunk}");
        demand!(!self.usage, "a chunk behind the usage: {chunk}");
        no_nulls(chunk, &["choices", "error"])?;
        match array(chunk, "choices")?.as_slice() {
            [] => self.usage(chunk)?,
            [choice] => {
                demand!(chunk.get("usage").unwrap_or(&Value::Null).is_null(), "usage beside a choice: {chunk}");
                self.choice(choice)?;
            }
            _ => return Err(format!("more than one choice: {chunk}")),
        }
        Ok(())
    }

    fn usage(&mut self, chunk: &Value) -> Result<(), String> {
        demand!(self.finish.is_some(), "usage before the finish");
        self.usage = true;
        check_usage(object(chunk, "usage")?)
    }

    fn choice(&mut self, choice: &Value) -> Result<(), String> {
        demand!(choice["index"] == 0, "another choice: {choice}");
        demand!(self.finish.is_none(), "a choice behind the finish: {choice}");
        let delta = object(choice, "delta")?;
        self.logprobs(choice)?;
        match choice.get("finish_reason") {
            Some(Value::Null) => self.delta(delta),
            Some(Value::String(reason)) => {
                demand!(REASONS.contains(&&**reason), "no finish reason: {reason}");
                demand!(delta.as_object().unwrap().is_empty(), "the finish says more: {delta}");
                demand!(self.role, "a finish before the role");
                self.finish = Some(reason.clone());
                Ok(())
            }
            _ => Err(format!("a choice without finish_reason: {choice}")),
        }
    }

    fn delta(&mut self, delta: &Value) -> Result<(), String> {
        let is_first = !std::mem::replace(&mut self.role, true);
        if is_first {
            demand!(delta["role"] == "assistant", "the first delta has no role: {delta}");
        } else {
            demand!(delta.get("role").is_none(), "the role again: {delta}");
            no_nulls(delta, &["content", "refusal"])?;
        }
        no_nulls(delta, &["tool_calls", "reasoning_content", "reasoning", "reasoning_details", "annotations"])?;
        for name in ["content", "refusal", "reasoning_content", "reasoning"] {
            demand!(delta[name].is_null() || delta[name].is_string(), "{name} is no text: {delta}");
        }
        if delta.get("tool_calls").is_some() {
            let calls = array(delta, "tool_calls")?;
            demand!(!calls.is_empty(), "no calls among the calls: {delta}");
            calls.iter().try_for_each(|call| self.call(call))?;
        }
        if delta.get("annotations").is_some() {
            array(delta, "annotations")?.iter().try_for_each(annotation)?;
        }
        if delta.get("reasoning_details").is_some() {
            for detail in array(delta, "reasoning_details")? {
                demand!(word(detail, "type")?.starts_with("reasoning."), "no detail of reasoning: {detail}");
            }
        }
        Ok(())
    }

    fn call(&mut self, call: &Value) -> Result<(), String> {
        let index = integer(call, "index")?;
        let is_new = call.get("id").is_some();
        if is_new {
            demand!(index == self.calls, "the index of a new call is not the next one: {call}");
            self.calls += 1;
            word(call, "id")?;
        }
        demand!(index + 1 == self.calls, "a piece of another call than the last, or before its name: {call}");
        let kind = if is_new { word(call, "type")? } else { call["type"].as_str().unwrap_or("function") };
        let is_custom = kind == "custom" || call.get("custom").is_some();
        let (name, arguments) = if is_custom { ("custom", "input") } else { ("function", "arguments") };
        let inner = object(call, name)?;
        text(inner, arguments)?;
        if is_new {
            demand!(["function", "custom"].contains(&kind), "a call of what: {call}");
            word(inner, "name")?;
        } else {
            demand!(inner.get("name").is_none(), "the name again: {call}");
        }
        Ok(())
    }

    fn logprobs(&self, choice: &Value) -> Result<(), String> {
        let logprobs = choice.get("logprobs").unwrap_or(&Value::Null);
        demand!(logprobs.is_null() || logprobs.is_object(), "no logprobs: {choice}");
        for token in logprobs["content"].as_array().into_iter().flatten() {
            text(token, "token")?;
            demand!(token["logprob"].is_number(), "a probability that is no number: {token}");
            demand!(token.get("bytes").is_some(), "a token without bytes: {token}");
            array(token, "top_logprobs")?;
        }
        Ok(())
    }
}

pub(super) fn check_usage(usage: &Value) -> Result<(), String> {
    let total = integer(usage, "prompt_tokens")? + integer(usage, "completion_tokens")?;
    demand!(integer(usage, "total_tokens")? == total, "the total is none: {usage}");
    for name in ["prompt_tokens_details", "completion_tokens_details"] {
        if usage.get(name).is_some() {
            let counts = object(usage, name)?.as_object().unwrap();
            demand!(counts.values().all(Value::is_u64), "counts that are no numbers: {usage}");
        }
    }
    Ok(())
}

fn annotation(annotation: &Value) -> Result<(), String> {
    demand!(annotation["type"] == "url_citation", "no citation: {annotation}");
    let citation = object(annotation, "url_citation")?;
    text(citation, "url")?;
    text(citation, "title")?;
    demand!(
        integer(citation, "start_index")? <= integer(citation, "end_index")?,
        "it ends before it begins: {citation}"
    );
    Ok(())
}
