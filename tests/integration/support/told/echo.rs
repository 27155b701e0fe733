//! What a client sends back of an answer that it has read, with results for the calls in it, as its official SDK would.

use serde_json::{Map, Value, json};

use super::{events, list, text};

/// The request with which a client of `dialect` goes on behind `stream`, which answered its "go".
pub fn next_request(dialect: &str, stream: &str) -> Value {
    let events: Vec<Value> =
        events(dialect, stream).iter().filter_map(|(_, data)| serde_json::from_str(data).ok()).collect();
    match dialect {
        "openai-chat" => chat(&events),
        "openai-responses" => responses(&events),
        "anthropic" => messages(&events),
        "gemini" => gemini(&events),
        "ollama" => ollama(&events),
        _ => panic!("{dialect} is no dialect"),
    }
}

const RESULT: &str = "the result";

fn chat(events: &[Value]) -> Value {
    let mut message = Value::Object(Map::new());
    for delta in events.iter().flat_map(|chunk| list(chunk, "choices")).map(|choice| &choice["delta"]) {
        merge(&mut message, delta);
    }
    message["role"] = "assistant".into();
    // What SDKs keep of a delta that an answer's message has no place for, or no more.
    for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
        call.as_object_mut().unwrap().remove("index");
    }
    let ids: Vec<Value> = list(&message, "tool_calls").map(|call| call["id"].clone()).collect();
    let mut conversation = vec![json!({ "role": "user", "content": "go" }), message];
    conversation.extend(ids.iter().map(|id| json!({ "role": "tool", "tool_call_id": id, "content": RESULT })));
    json!({ "model": "m", "messages": conversation })
}

/// Adds `delta` to `message` as OpenAI's SDKs do: texts and lists go on, entries with an index are one.
fn merge(message: &mut Value, delta: &Value) {
    match (message, delta) {
        (Value::Object(message), Value::Object(delta)) => {
            for (name, value) in delta {
                let is_name = ["index", "type", "id", "format"].contains(&&**name);
                match message.get_mut(name) {
                    Some(so_far) if !so_far.is_null() && !is_name => merge(so_far, value),
                    _ => drop(message.insert(name.clone(), value.clone())),
                }
            }
        }
        (Value::String(message), Value::String(delta)) => message.push_str(delta),
        (Value::Array(message), Value::Array(delta)) => {
            for value in delta {
                let known =
                    message.iter_mut().find(|known| known["index"].is_u64() && known["index"] == value["index"]);
                match known {
                    Some(known) => merge(known, value),
                    None => message.push(value.clone()),
                }
            }
        }
        _ => {}
    }
}

fn responses(events: &[Value]) -> Value {
    let done = events.iter().filter(|event| event["type"] == "response.output_item.done");
    let items: Vec<Value> = done.map(|event| event["item"].clone()).collect();
    let results = items.iter().filter(|item| item.get("call_id").is_some()).map(|call| {
        let kind = format!("{}_output", text(call, "type").unwrap_or_default());
        json!({ "type": kind, "call_id": call["call_id"], "output": RESULT })
    });
    let mut input = vec![json!({ "role": "user", "content": "go" })];
    input.extend(items.iter().cloned().chain(results));
    json!({ "model": "m", "input": input })
}

fn messages(events: &[Value]) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    for event in events {
        match text(event, "type").unwrap_or_default() {
            "content_block_start" => {
                blocks.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let (delta, block) = (&event["delta"], blocks.last_mut().unwrap());
                for name in ["text", "thinking", "signature"] {
                    if let (Some(so_far), Some(more)) = (block[name].as_str(), delta[name].as_str()) {
                        block[name] = (so_far.to_owned() + more).into();
                    }
                }
                inputs.last_mut().unwrap().push_str(text(delta, "partial_json").unwrap_or_default());
            }
            _ => {}
        }
    }
    for (block, input) in blocks.iter_mut().zip(inputs).filter(|(_, input)| !input.is_empty()) {
        block["input"] = serde_json::from_str(&input).unwrap();
    }
    let calls = blocks.iter().filter(|block| block["type"] == "tool_use").map(|block| block["id"].clone());
    let results: Vec<Value> =
        calls.map(|id| json!({ "type": "tool_result", "tool_use_id": id, "content": RESULT })).collect();
    let mut conversation =
        vec![json!({ "role": "user", "content": "go" }), json!({ "role": "assistant", "content": blocks })];
    if !results.is_empty() {
        conversation.push(json!({ "role": "user", "content": results }));
    }
    json!({ "model": "m", "max_tokens": 4096, "messages": conversation })
}

fn gemini(events: &[Value]) -> Value {
    let candidates = events.iter().flat_map(|chunk| list(chunk, "candidates"));
    let parts: Vec<Value> = candidates.flat_map(|candidate| list(&candidate["content"], "parts")).cloned().collect();
    let results: Vec<Value> = parts
        .iter()
        .filter_map(|part| part.get("functionCall"))
        .map(|call| {
            let mut response = json!({ "name": call["name"], "response": { "output": RESULT } });
            if call.get("id").is_some() {
                response["id"] = call["id"].clone();
            }
            json!({ "functionResponse": response })
        })
        .collect();
    let mut contents =
        vec![json!({ "role": "user", "parts": [{ "text": "go" }] }), json!({ "role": "model", "parts": parts })];
    if !results.is_empty() {
        contents.push(json!({ "role": "user", "parts": results }));
    }
    json!({ "contents": contents })
}

fn ollama(events: &[Value]) -> Value {
    let mut message = Value::Object(Map::new());
    for line in events {
        let mut delta = line["message"].clone();
        delta.as_object_mut().unwrap().remove("role");
        merge(&mut message, &delta);
    }
    message["role"] = "assistant".into();
    let names: Vec<Value> = list(&message, "tool_calls").map(|call| call["function"]["name"].clone()).collect();
    let mut conversation = vec![json!({ "role": "user", "content": "go" }), message];
    conversation.extend(names.iter().map(|name| json!({ "role": "tool", "tool_name": name, "content": RESULT })));
    json!({ "model": "m", "stream": true, "messages": conversation })
}
