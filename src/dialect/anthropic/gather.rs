//! A whole stream as the message that it would have been.

use serde_json::{Map, Value, json};

use crate::dialect::gather::{index_of, join, replace, take_object};

/// A block of the message, and the text of its input so far.
struct Block {
    index: u64,
    fields: Map<String, Value>,
    input: String,
}

/// Joins the events of a stream.
pub(super) fn gather(events: &mut dyn Iterator<Item = Value>) -> Option<Value> {
    let mut message: Option<Map<String, Value>> = None;
    let mut blocks: Vec<Block> = Vec::new();
    for event in events {
        let Value::Object(mut event) = event else { continue };
        let index = index_of(&event, "index");
        match event.get("type").and_then(Value::as_str).unwrap_or_default() {
            // Gateways that try once more begin once more, and count from zero again.
            "message_start" if message.is_none() => message = take_object(&mut event, "message"),
            "content_block_start" => {
                let fields = take_object(&mut event, "content_block").unwrap_or_default();
                blocks.push(Block { index, fields, input: String::new() });
            }
            "content_block_delta" => {
                let delta = take_object(&mut event, "delta").unwrap_or_default();
                if let Some(block) = blocks.iter_mut().rfind(|block| block.index == index) {
                    block.add(delta);
                }
            }
            "message_delta" => {
                let message = message.get_or_insert_default();
                for (name, value) in take_object(&mut event, "delta").unwrap_or_default() {
                    message.insert(name, value);
                }
                let usage = message.entry("usage").or_insert_with(|| json!({}));
                for (name, value) in take_object(&mut event, "usage").unwrap_or_default() {
                    replace(&mut usage[name], value);
                }
                let others = event.into_iter().filter(|(name, _)| !["type", "delta", "usage"].contains(&&**name));
                message.extend(others);
            }
            _ => {}
        }
    }
    let mut message = message?;
    message.insert("content".to_owned(), blocks.into_iter().map(Block::into_value).collect());
    Some(Value::Object(message))
}

impl Block {
    fn add(&mut self, mut delta: Map<String, Value>) {
        delta.shift_remove("type");
        if let Some(Value::String(piece)) = delta.shift_remove("partial_json") {
            self.input.push_str(&piece);
        }
        // Sources come one by one, and a mark is whole.
        if let Some(citation) = delta.shift_remove("citation") {
            delta.insert("citations".to_owned(), json!([citation]));
        }
        if let Some(signature) = delta.shift_remove("signature") {
            self.fields.insert("signature".to_owned(), signature);
        }
        join(&mut self.fields, delta);
    }

    fn into_value(mut self) -> Value {
        if !self.input.is_empty() {
            // One that was cut off by a limit is no JSON, and must not look like a call that is whole.
            let input = serde_json::from_str(&self.input).unwrap_or(Value::String(self.input));
            self.fields.insert("input".to_owned(), input);
        }
        Value::Object(self.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_was_cut_off_does_not_look_whole() {
        let delta = |json: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": json}});
        let block = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
        let events = [
            json!({"type": "message_start", "message": {"id": "m", "content": []}}),
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
            delta("{\"a\":"),
            delta("1"),
            json!({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 3}}),
        ];
        let message = gather(&mut events.into_iter()).unwrap();
        let content = json!([{"type": "tool_use", "id": "t", "name": "f", "input": "{\"a\":1"}]);
        assert_eq!((&message["content"], &message["stop_reason"]), (&content, &json!("max_tokens")));
    }
}
