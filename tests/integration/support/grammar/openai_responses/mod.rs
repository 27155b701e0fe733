//! Responses: <https://platform.openai.com/docs/api-reference/responses-streaming>, <https://www.openresponses.org>, and
//! openai-python's `types/responses` and `lib/streaming/responses`.

mod item;
mod response;

use std::collections::HashSet;

use serde_json::Value;

use super::{Frame, frames, integer, object, parse, text, word};
use item::Item;
pub(super) use response::check_whole;

#[derive(Default)]
struct Responses {
    id: Option<String>,
    /// How far it has come: created, in progress.
    stage: usize,
    open: Option<Item>,
    /// The items that are done.
    done: Vec<Value>,
    item_ids: HashSet<String>,
    terminal: bool,
    /// The message of the error that has come.
    error: Option<String>,
}

pub(super) fn check(stream: &str) -> Result<(), String> {
    let mut responses = Responses::default();
    let frames = frames(stream, "\n")?;
    let is_done = frames.last().is_some_and(|last| last.event.is_none() && last.data == "[DONE]");
    let events = &frames[..frames.len() - usize::from(is_done)];
    for (number, Frame { event: name, data }) in events.iter().enumerate() {
        let event = parse(data)?;
        let kind = word(&event, "type")?;
        demand!(*name == Some(kind), "an event is called {name:?} and is {kind}");
        demand!(integer(&event, "sequence_number")? == number as u64, "it is not number {number}: {event}");
        demand!(!responses.terminal, "{kind} behind the terminal event");
        responses.event(kind, &event)?;
    }
    // What breaks off ends without that word, so that no client takes it for whole; a response that has failed is one.
    demand!(is_done || responses.error.is_some(), "no [DONE]");
    demand!(!is_done || responses.terminal, "[DONE] behind an error");
    demand!(responses.terminal || responses.error.is_some(), "it ends without a terminal event");
    Ok(())
}

impl Responses {
    fn event(&mut self, kind: &str, event: &Value) -> Result<(), String> {
        if kind == "error" {
            return self.error(event);
        }
        demand!(self.error.is_none() || kind == "response.failed", "{kind} behind an error");
        let Some(name) = kind.strip_prefix("response.") else { return Err(format!("{kind} is no event")) };
        match name {
            "created" | "in_progress" => {
                let stage = usize::from(name == "in_progress");
                demand!(self.stage == stage, "{kind} in the wrong place");
                self.stage += 1;
                self.response(event, &["in_progress"])?;
                demand!(event["response"]["output"].as_array().is_some_and(Vec::is_empty), "output already: {event}");
                Ok(())
            }
            "completed" | "incomplete" | "failed" => self.end(name, event),
            _ if self.stage < 2 => Err(format!("{kind} before response.in_progress")),
            "output_item.added" => self.added(event),
            "output_item.done" => self.item_done(event),
            _ => {
                let Some(open) = &mut self.open else { return Err(format!("{kind} beside an item: {event}")) };
                demand!(integer(event, "output_index")? == self.done.len() as u64, "another item's: {event}");
                demand!(word(event, "item_id")? == open.id, "another item's: {event}");
                open.event(name, event)
            }
        }
    }

    fn response(&mut self, event: &Value, statuses: &[&str]) -> Result<(), String> {
        let response = object(event, "response")?;
        response::check(response)?;
        let id = word(response, "id")?.to_owned();
        demand!(*self.id.get_or_insert(id.clone()) == id, "the id changes: {id}");
        let status = text(response, "status")?;
        demand!(statuses.contains(&status), "the status {status} in {}", event["type"]);
        Ok(())
    }

    fn added(&mut self, event: &Value) -> Result<(), String> {
        demand!(self.open.is_none(), "an item begins while another is open: {event}");
        demand!(integer(event, "output_index")? == self.done.len() as u64, "the index is not the next one: {event}");
        let item = Item::begin(object(event, "item")?)?;
        demand!(self.item_ids.insert(item.id.clone()), "an item's id again: {event}");
        self.open = Some(item);
        Ok(())
    }

    fn item_done(&mut self, event: &Value) -> Result<(), String> {
        let Some(open) = self.open.take() else { return Err(format!("no item is open: {event}")) };
        demand!(integer(event, "output_index")? == self.done.len() as u64, "another item's: {event}");
        let item = object(event, "item")?;
        open.end(item)?;
        self.done.push(item.clone());
        Ok(())
    }

    fn end(&mut self, name: &str, event: &Value) -> Result<(), String> {
        self.terminal = true;
        self.response(event, &[name])?;
        let response = &event["response"];
        if name == "failed" {
            let error = object(response, "error")?;
            word(error, "code")?;
            let message = word(error, "message")?.to_owned();
            demand!(*self.error.get_or_insert(message.clone()) == message, "another error: {event}");
            return Ok(());
        }
        demand!(self.stage == 2, "{name} before response.in_progress");
        demand!(self.open.is_none(), "{name} while an item is open");
        demand!(response["error"].is_null(), "{name} with an error: {event}");
        demand!(response["output"].as_array() == Some(&self.done), "the output is not what was done: {event}");
        let reason = &response["incomplete_details"]["reason"];
        let is_known = matches!(reason.as_str(), Some("max_output_tokens" | "content_filter"));
        demand!(is_known == (name == "incomplete") && (is_known || reason.is_null()), "{name} for {reason}");
        let is_cut = |item: &Value| item["status"] == "incomplete";
        demand!(!self.done.iter().any(is_cut) || name == "incomplete", "{name} with an item that is not");
        response::usage(&response["usage"])
    }

    /// The event as OpenAI describes it, and what it really sends, may be one.
    fn error(&mut self, event: &Value) -> Result<(), String> {
        demand!(self.error.is_none(), "a second error: {event}");
        let message = word(event, "message")?;
        demand!(event.get("code").is_some() && event.get("param").is_some(), "no code or param: {event}");
        if event.get("error").is_some() {
            let inner = object(event, "error")?;
            demand!(word(inner, "message")? == message, "two messages: {event}");
            word(inner, "type")?;
        }
        self.error = Some(message.to_owned());
        Ok(())
    }
}
