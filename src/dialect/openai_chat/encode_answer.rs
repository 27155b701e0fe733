//! Writes an answer that does not stream.

use bytes::Bytes;
use serde_json::{Value, json};

use super::encode::{OF_CONTENT, answer_id, refusal_of, words_of};
use super::{finish, notes};
use crate::canonical::{ChatAnswer, Logprob, Part, Seal, ToolCall};
use crate::dialect::AnswerContext;

pub(super) fn encode(answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
    let finish = answer.finish.as_ref();
    let mut choice = json!({
        "index": 0,
        "message": message(answer, context.request.reasoning.visible != Some(false)),
        "logprobs": logprobs(answer),
        "finish_reason": finish.map_or("stop", |finish| finish::word_of(finish.reason)),
    });
    if let Some(native) = finish.and_then(|finish| finish.native.as_deref()) {
        choice["native_finish_reason"] = native.into();
    }
    let mut body = json!({
        "id": answer_id(context),
        "object": "chat.completion",
        "created": context.created,
        "model": context.request.model,
        "choices": [choice],
    });
    if let Some(usage) = &answer.usage {
        body["usage"] = notes::usage(usage);
    }
    Bytes::from(body.to_string())
}

fn message(answer: &ChatAnswer, tells_thoughts: bool) -> Value {
    let said = |pick: fn(&Part) -> Option<&str>| {
        let pieces: Vec<&str> = answer.parts.iter().filter_map(pick).collect();
        (!pieces.is_empty()).then(|| pieces.concat())
    };
    let content = said(|part| match part {
        Part::Text(text) => Some(&text.text),
        _ => None,
    });
    let refusal = said(|part| match part {
        Part::Refusal(text) => Some(text),
        _ => None,
    });
    let thoughts = said(|part| match part {
        Part::Reasoning { text, .. } if !text.is_empty() => Some(text),
        _ => None,
    });
    let mut message = json!({
        "role": "assistant",
        // Null says that the answer is something else than text.
        "content": content.or_else(|| (!answer.calls_tools() && refusal.is_none()).then(String::new)),
        "refusal": refusal.as_deref().or_else(|| refusal_of(answer)),
    });
    if let Some(thoughts) = thoughts.filter(|_| tells_thoughts) {
        message["reasoning_content"] = thoughts.into();
    }
    let mut add = |name: &str, list: Vec<Value>| {
        if !list.is_empty() {
            message[name] = list.into();
        }
    };
    add("reasoning_details", details(&answer.parts, tells_thoughts));
    add("tool_calls", calls(&answer.parts));
    add("annotations", notes::all_annotations(&answer.parts));
    message
}

fn calls(parts: &[Part]) -> Vec<Value> {
    let call = |call: &ToolCall| {
        let (kind, name) = words_of(call.kind);
        // Clients parse the arguments, and nothing is no JSON.
        let arguments = if kind == "function" && call.arguments.is_empty() { "{}" } else { &call.arguments };
        json!({ "id": call.id, "type": kind, kind: { "name": call.name, name: arguments } })
    };
    let calls = parts.iter().filter_map(|part| match part {
        Part::ToolCall(found) => Some(call(found)),
        _ => None,
    });
    calls.collect()
}

/// The thoughts with their marks, and the marks on calls and texts.
fn details(parts: &[Part], tells_thoughts: bool) -> Vec<Value> {
    let mut details = Vec::new();
    for part in parts {
        let entry = match part {
            Part::Reasoning { text, seal } if tells_thoughts => thoughts(text, seal.as_ref()),
            Part::Text(text) => mark(text.seal.as_ref(), OF_CONTENT),
            Part::ToolCall(call) => mark(call.seal.as_ref(), &call.id),
            _ => None,
        };
        if let Some(mut entry) = entry {
            entry["index"] = details.len().into();
            details.push(entry);
        }
    }
    details
}

fn thoughts(text: &str, seal: Option<&Seal>) -> Option<Value> {
    match (text, seal.map(Seal::token)) {
        ("", None) => None,
        ("", Some(token)) => Some(json!({ "type": "reasoning.encrypted", "data": token })),
        (text, None) => Some(json!({ "type": "reasoning.text", "text": text })),
        (text, Some(token)) => Some(json!({ "type": "reasoning.text", "text": text, "signature": token })),
    }
}

fn mark(seal: Option<&Seal>, id: &str) -> Option<Value> {
    seal.map(|seal| json!({ "type": "reasoning.encrypted", "data": seal.token(), "id": id }))
}

fn logprobs(answer: &ChatAnswer) -> Value {
    let texts = answer.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(&text.logprobs),
        _ => None,
    });
    let all: Vec<Logprob> = texts.flatten().cloned().collect();
    if all.is_empty() { Value::Null } else { json!({ "content": notes::told(&all), "refusal": null }) }
}
