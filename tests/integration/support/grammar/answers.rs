//! What clients demand of an answer that did not stream.

use serde_json::{Value, json};

use super::{anthropic, array, gemini, integer, object, ollama, openai_chat, openai_responses, parse, text, word};
use crate::support::told::{self, Told};

/// What `body` tells a client, if it is an answer that the dialect's specification allows.
pub fn check_answer(dialect: &str, body: &str) -> Result<Told, String> {
    let answer = parse(body)?;
    match dialect {
        "openai-chat" => chat(&answer)?,
        "openai-responses" => openai_responses::check_whole(&answer)?,
        "anthropic" => message(&answer)?,
        "gemini" => gemini::check_chunks(&[answer])?,
        "ollama" => ollama::check(&format!("{answer}\n"))?,
        _ => return Err(format!("{dialect} is no dialect")),
    }
    Ok(told::read_answer(dialect, body.as_bytes()))
}

fn chat(answer: &Value) -> Result<(), String> {
    demand!(answer["object"] == "chat.completion", "no completion: {answer}");
    word(answer, "id")?;
    text(answer, "model")?;
    integer(answer, "created")?;
    let [choice] = array(answer, "choices")?.as_slice() else { return Err(format!("not one choice: {answer}")) };
    demand!(choice["index"] == 0, "another choice: {answer}");
    demand!(choice.get("logprobs").is_some(), "a choice without logprobs, null or not: {answer}");
    demand!(openai_chat::REASONS.contains(&text(choice, "finish_reason")?), "no finish_reason: {answer}");
    let message = object(choice, "message")?;
    demand!(message["role"] == "assistant", "the message of another: {answer}");
    for name in ["content", "refusal"] {
        let is_told = message.get(name).is_some_and(|text| text.is_null() || text.is_string());
        demand!(is_told, "{name} is neither text nor null: {answer}");
    }
    if message.get("tool_calls").is_some() {
        demand!(!array(message, "tool_calls")?.is_empty(), "no calls among the calls: {answer}");
        for call in array(message, "tool_calls")? {
            word(call, "id")?;
            let inner = object(call, word(call, "type")?)?;
            word(inner, "name")?;
            text(inner, if call["type"] == "custom" { "input" } else { "arguments" })?;
        }
    }
    if answer.get("usage").is_some() {
        openai_chat::check_usage(object(answer, "usage")?)?;
    }
    Ok(())
}

/// A message is what its stream would have made of it.
fn message(answer: &Value) -> Result<(), String> {
    let mut start = answer.clone();
    for (name, value) in [("content", json!([])), ("stop_reason", Value::Null), ("stop_sequence", Value::Null)] {
        start[name] = value;
    }
    let mut events = vec![json!({ "type": "message_start", "message": start })];
    for (index, block) in array(answer, "content")?.iter().enumerate() {
        let (mut empty, mut deltas) = (block.clone(), Vec::new());
        match word(block, "type")? {
            "text" => {
                deltas.push(json!({ "type": "text_delta", "text": text(block, "text")? }));
                for citation in block["citations"].as_array().into_iter().flatten() {
                    deltas.push(json!({ "type": "citations_delta", "citation": citation }));
                }
                empty["text"] = "".into();
            }
            "thinking" => {
                deltas.push(json!({ "type": "thinking_delta", "thinking": text(block, "thinking")? }));
                deltas.push(json!({ "type": "signature_delta", "signature": text(block, "signature")? }));
                (empty["thinking"], empty["signature"]) = ("".into(), "".into());
            }
            "tool_use" => {
                let input = object(block, "input")?.to_string();
                deltas.push(json!({ "type": "input_json_delta", "partial_json": input }));
                empty["input"] = json!({});
            }
            _ => {}
        }
        events.push(json!({ "type": "content_block_start", "index": index, "content_block": empty }));
        let deltas = deltas.into_iter();
        events.extend(deltas.map(|delta| json!({ "type": "content_block_delta", "index": index, "delta": delta })));
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": answer["stop_reason"], "stop_sequence": answer["stop_sequence"] });
    demand!(answer.get("stop_sequence").is_some(), "no stop_sequence: {answer}");
    events.push(json!({ "type": "message_delta", "delta": delta, "usage": answer["usage"] }));
    events.push(json!({ "type": "message_stop" }));
    let stream = events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", text(event, "type").unwrap()));
    anthropic::check(&stream.collect::<String>())
}
