//! Messages: <https://docs.claude.com/en/docs/build-with-claude/streaming>, and anthropic-sdk-python's
//! `lib/streaming/_messages.py`.

use serde_json::Value;

use super::{array, frames, integer, object, parse, text, word};

const REASONS: [&str; 7] =
    ["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"];

#[derive(Default)]
struct Messages {
    started: bool,
    /// How many blocks have begun.
    blocks: u64,
    open: Option<Block>,
    calls: bool,
    /// The arguments of some call are no JSON.
    is_cut: bool,
    reason: Option<String>,
    stopped: bool,
}

/// The block that is open.
struct Block {
    kind: String,
    text: String,
    /// A text that says where it is from.
    cites: bool,
    signed: bool,
}

pub(super) fn check(stream: &str) -> Result<(), String> {
    let mut messages = Messages::default();
    let frames = frames(stream, "\n")?;
    let count = frames.len();
    for (at, frame) in frames.into_iter().enumerate() {
        let event = parse(frame.data)?;
        let kind = word(&event, "type")?;
        demand!(frame.event == Some(kind), "an event is called {:?} and is {kind}", frame.event);
        demand!(!messages.stopped, "{kind} behind message_stop");
        if kind == "error" {
            demand!(at + 1 == count, "an error that is not the last event");
            let error = object(&event, "error")?;
            word(error, "type")?;
            word(error, "message")?;
            return Ok(());
        }
        messages.event(kind, &event)?;
    }
    demand!(messages.stopped, "it ends without message_stop");
    Ok(())
}

impl Messages {
    fn event(&mut self, kind: &str, event: &Value) -> Result<(), String> {
        demand!(kind == "ping" || (kind == "message_start") != self.started, "{kind} in the wrong place");
        match kind {
            "ping" => Ok(()),
            "message_start" => {
                self.started = true;
                message(object(event, "message")?)
            }
            "content_block_start" => self.start(event),
            "content_block_delta" => self.delta(event),
            "content_block_stop" => self.stop(event),
            "message_delta" => self.message_delta(event),
            "message_stop" => {
                demand!(self.reason.is_some(), "message_stop before a stop_reason");
                self.stopped = true;
                Ok(())
            }
            _ => Err(format!("{kind} is no event")),
        }
    }

    fn start(&mut self, event: &Value) -> Result<(), String> {
        demand!(self.open.is_none(), "a block begins while another is open: {event}");
        demand!(self.reason.is_none(), "a block behind the stop_reason: {event}");
        demand!(integer(event, "index")? == self.blocks, "the index is not the next one: {event}");
        self.blocks += 1;
        let block = object(event, "content_block")?;
        let kind = word(block, "type")?;
        match kind {
            "text" => demand!(text(block, "text")?.is_empty(), "a text that begins with text: {block}"),
            "thinking" => {
                let is_empty = text(block, "thinking")?.is_empty() && text(block, "signature")?.is_empty();
                demand!(is_empty, "thoughts that begin with thoughts: {block}");
            }
            "redacted_thinking" => drop(word(block, "data")?),
            "tool_use" => {
                self.calls = true;
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                demand!(word(block, "id")?.bytes().all(fits), "an id of other characters: {block}");
                word(block, "name")?;
                let input = object(block, "input")?.as_object().unwrap();
                demand!(input.is_empty(), "an input that begins with input: {block}");
            }
            // Tools that Anthropic runs itself.
            _ => demand!(kind.ends_with("_tool_use") || kind.ends_with("_result"), "a block of what: {block}"),
        }
        self.open = Some(Block { kind: kind.to_owned(), text: String::new(), cites: false, signed: false });
        Ok(())
    }

    fn delta(&mut self, event: &Value) -> Result<(), String> {
        let index = integer(event, "index")?;
        demand!(index + 1 == self.blocks, "a delta of another block than the last: {event}");
        let Some(open) = &mut self.open else { return Err(format!("a delta behind its block's stop: {event}")) };
        let delta = object(event, "delta")?;
        demand!(!open.signed, "something behind the signature: {event}");
        match (open.kind.as_str(), word(delta, "type")?) {
            ("text", "text_delta") => open.text.push_str(text(delta, "text")?),
            ("text", "citations_delta") => open.cites = !word(object(delta, "citation")?, "type")?.is_empty(),
            ("thinking", "thinking_delta") => open.text.push_str(text(delta, "thinking")?),
            ("thinking", "signature_delta") => open.signed = !word(delta, "signature")?.is_empty(),
            ("tool_use" | "server_tool_use" | "mcp_tool_use", "input_json_delta") => {
                open.text.push_str(text(delta, "partial_json")?);
            }
            (kind, delta) => return Err(format!("{delta} in a block of {kind}")),
        }
        Ok(())
    }

    fn stop(&mut self, event: &Value) -> Result<(), String> {
        demand!(integer(event, "index")? + 1 == self.blocks, "the stop of another block than the last: {event}");
        let Some(block) = self.open.take() else { return Err(format!("a block stops twice: {event}")) };
        match block.kind.as_str() {
            // Anthropic itself refuses to take it back.
            "text" => demand!(!block.text.is_empty() || block.cites, "a text without text"),
            "thinking" => demand!(block.signed, "thoughts without a signature"),
            "tool_use" if !block.text.is_empty() => {
                self.is_cut |= !parse(&block.text).is_ok_and(|input| input.is_object());
            }
            _ => {}
        }
        Ok(())
    }

    fn message_delta(&mut self, event: &Value) -> Result<(), String> {
        demand!(self.open.is_none(), "message_delta while a block is open");
        demand!(self.reason.is_none(), "a second message_delta");
        let delta = object(event, "delta")?;
        let reason = word(delta, "stop_reason")?;
        demand!(REASONS.contains(&reason), "no stop_reason: {reason}");
        let sequence = delta.get("stop_sequence").ok_or_else(|| format!("no stop_sequence in {delta}"))?;
        demand!(sequence.is_null() || sequence.is_string(), "a stop_sequence of another kind: {delta}");
        demand!(sequence.is_null() || reason == "stop_sequence", "a stop_sequence that ended nothing: {delta}");
        demand!(!self.calls || !matches!(reason, "end_turn"), "calls of tools that nobody waits for: {delta}");
        demand!(self.calls || reason != "tool_use", "tool_use without one");
        demand!(!self.is_cut || reason == "max_tokens", "arguments that are no object, and {reason}");
        integer(object(event, "usage")?, "output_tokens")?;
        counts(&event["usage"])?;
        self.reason = Some(reason.to_owned());
        Ok(())
    }
}

fn message(message: &Value) -> Result<(), String> {
    word(message, "id")?;
    text(message, "model")?;
    demand!(message["type"] == "message" && message["role"] == "assistant", "no message: {message}");
    demand!(array(message, "content")?.is_empty(), "a message that begins with content: {message}");
    for name in ["stop_reason", "stop_sequence"] {
        demand!(message.get(name) == Some(&Value::Null), "{name} is not null yet: {message}");
    }
    let usage = object(message, "usage")?;
    integer(usage, "input_tokens")?;
    integer(usage, "output_tokens")?;
    counts(usage)
}

/// The numbers of a usage are numbers where they are told.
fn counts(usage: &Value) -> Result<(), String> {
    for (name, count) in usage.as_object().unwrap() {
        demand!(!name.ends_with("_tokens") || count.is_u64() || count.is_null(), "{name} is no number: {usage}");
    }
    Ok(())
}
