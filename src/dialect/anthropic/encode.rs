//! Writes a whole message, and what it has in common with a stream.

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::canonical::{Annotation, ChatAnswer, FinishReason, On, Part, Seal, Text, ToolCall, ToolKind, Usage, ids};
use crate::dialect::AnswerContext;

/// The answer as a message that is told at once.
pub(super) fn answer(answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
    #[derive(serde::Serialize)]
    struct Message<'a> {
        id: String,
        r#type: &'a str,
        role: &'a str,
        model: &'a str,
        content: Vec<Box<RawValue>>,
        #[serde(flatten)]
        stop: Map<String, Value>,
        usage: Value,
    }
    let message = Message {
        id: format!("msg_{}", context.id),
        r#type: "message",
        role: "assistant",
        model: &context.request.model,
        content: answer.parts.iter().flat_map(|part| blocks_of(part, answer)).collect(),
        stop: stop_of(answer),
        usage: usage_of(answer.usage),
    };
    serde_json::to_vec(&message).expect("texts and values are JSON").into()
}

/// The block that tells `part`, and before it one that tells the mark on a call: clients look for calls at the end.
fn blocks_of(part: &Part, answer: &ChatAnswer) -> Vec<Box<RawValue>> {
    let Some(block) = block_of(part, answer) else { return Vec::new() };
    let mark = match part {
        Part::ToolCall(ToolCall { id, seal: Some(seal), .. }) => Some(mark_block(seal, id)),
        _ => None,
    };
    mark.and_then(|mark| serde_json::value::to_raw_value(&mark).ok()).into_iter().chain([block]).collect()
}

/// `part` as a block, its JSON as it was told: numbers in a tool's input keep their spelling.
fn block_of(part: &Part, answer: &ChatAnswer) -> Option<Box<RawValue>> {
    let block = match part {
        Part::Text(text) if text.text.is_empty() && text.annotations.is_empty() => return None,
        Part::Text(text) => text_block(text),
        Part::Refusal(text) => json!({ "type": "text", "text": text }),
        Part::Reasoning { text, seal } if !text.is_empty() => {
            json!({ "type": "thinking", "thinking": text, "signature": token_of(seal.as_ref()) })
        }
        Part::Reasoning { seal, .. } => json!({ "type": "redacted_thinking", "data": seal.as_ref()?.token() }),
        Part::ToolCall(call) => return call_block(call, is_cut_off(answer)),
        _ => return None,
    };
    serde_json::value::to_raw_value(&block).ok()
}

/// A call has no place for a mark. Thoughts that are not told have, and clients send them again with the call.
pub(super) fn mark_block(seal: &Seal, id: &str) -> Value {
    json!({ "type": "redacted_thinking", "data": seal.token_on(&On::Call(tool_id(id))) })
}

fn text_block(text: &Text) -> Value {
    let mut block = json!({ "type": "text", "text": text.text });
    if !text.annotations.is_empty() {
        block["citations"] = text.annotations.iter().map(citation_of).collect();
    }
    block
}

/// A call that was cut off in the middle of its arguments is none: the answer says that it was cut off.
fn call_block(call: &ToolCall, is_cut_off: bool) -> Option<Box<RawValue>> {
    #[derive(serde::Serialize)]
    struct Call<'a> {
        r#type: &'a str,
        id: String,
        name: &'a str,
        input: Box<RawValue>,
    }
    let object = call.json_arguments().filter(|_| call.kind == ToolKind::Function);
    let input = match object {
        Some(arguments) => RawValue::from_string(arguments.to_owned()).ok()?,
        None if is_cut_off && call.kind == ToolKind::Function => return None,
        None => serde_json::value::to_raw_value(&text_input(&call.arguments)).ok()?,
    };
    serde_json::value::to_raw_value(&Call { r#type: "tool_use", id: tool_id(&call.id), name: &call.name, input }).ok()
}

/// A tool's input must be an object. Text for a tool that takes text is a string in one, and so is text that should have been
/// an object: whoever runs the tool will say what is wrong with it.
pub(super) fn text_input(text: &str) -> Value {
    json!({ "input": text })
}

fn is_cut_off(answer: &ChatAnswer) -> bool {
    let reason = answer.finish.as_ref().map(|finish| finish.reason);
    matches!(reason, Some(FinishReason::Length | FinishReason::ContextFull))
}

/// The id of a call, in letters that Anthropic takes when the conversation comes to it.
pub(super) fn tool_id(id: &str) -> String {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    ids::fit(id, "toolu_", 24, |id| (1..=64).contains(&id.len()) && id.bytes().all(is_fit))
}

/// What a client must send again with the thoughts. Without a provider's mark it is one of ours that marks nothing: a client
/// that finds none may leave the thoughts out, or send them where they are refused.
pub(super) fn token_of(seal: Option<&Seal>) -> String {
    let nobodys = Seal { dialect: String::new(), provider: String::new(), data: String::new() };
    seal.unwrap_or(&nobodys).token()
}

/// <https://docs.claude.com/en/docs/build-with-claude/citations>. What has no URL is from a document, of which no more is
/// known here than its title.
pub(super) fn citation_of(annotation: &Annotation) -> Value {
    let cited_text = annotation.cited_text.as_deref().unwrap_or_default();
    match &annotation.url {
        Some(url) => json!({
            "type": "web_search_result_location",
            "cited_text": cited_text,
            "encrypted_index": "",
            "title": annotation.title,
            "url": url,
        }),
        None => json!({
            "type": "char_location",
            "cited_text": cited_text,
            "document_index": 0,
            "document_title": annotation.title,
            "start_char_index": 0,
            "end_char_index": cited_text.chars().count(),
        }),
    }
}

/// Every count must be there. What is not known is 0.
pub(super) fn usage_of(usage: Option<Usage>) -> Value {
    let usage = usage.unwrap_or_default();
    let mut counts = json!({
        "input_tokens": usage.plain_input_tokens(),
        "cache_creation_input_tokens": usage.cache_write_input_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    });
    if usage.reasoning_output_tokens > 0 {
        counts["output_tokens_details"] = json!({ "thinking_tokens": usage.reasoning_output_tokens });
    }
    counts
}

/// The fields that tell why the model stopped.
pub(super) fn stop_of(answer: &ChatAnswer) -> Map<String, Value> {
    let finish = answer.finish.as_ref();
    let refuses = answer.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let word = match finish.map_or(FinishReason::Stop, |finish| finish.reason) {
        FinishReason::Stop | FinishReason::Other if refuses => "refusal",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ContextFull => "model_context_window_exceeded",
        FinishReason::ToolCalls if answer.calls_tools() => "tool_use",
        FinishReason::Refusal => "refusal",
        FinishReason::Pause => "pause_turn",
        // Clients run tools on `tool_use`, and find none.
        FinishReason::Stop | FinishReason::Other | FinishReason::ToolCalls | FinishReason::MalformedToolCall => {
            "end_turn"
        }
    };
    let sequence = finish.and_then(|finish| finish.stop_sequence.as_deref()).filter(|_| word == "stop_sequence");
    let mut stop = Map::new();
    stop.insert("stop_reason".to_owned(), word.into());
    stop.insert("stop_sequence".to_owned(), sequence.into());
    if word == "refusal"
        && let Some(explanation) = finish.and_then(|finish| finish.explanation.as_deref())
    {
        let details = json!({ "type": "refusal", "category": null, "explanation": explanation });
        stop.insert("stop_details".to_owned(), details);
    }
    stop
}
