//! Whether two streams of two dialects tell the same.

use serde_json::Value;

use super::{Call, Finish, Told, Usage, words};

/// What is said otherwise in `to`, of the dialect `to_dialect`, than in `from`, of `from_dialect`; nothing if all that `to_dialect`
/// can say is the same.
pub fn differences(from: &Told, from_dialect: &str, to: &Told, to_dialect: &str) -> Vec<String> {
    let mut differences = texts(from, to, to_dialect);
    if from.error.is_some() {
        return differences;
    }
    let is_ordered = to_dialect != "openai-chat" && from.refusal.is_empty() && from.explanation.is_none();
    if from.order != to.order && is_ordered && !is_cut(from) {
        differences.push(format!("the order {:?} is {:?}", from.order, to.order));
    }
    differences.extend(calls(from, to, to_dialect));
    let why = from.why(from_dialect);
    let mut expected = words(to_dialect, why).to_vec();
    if !from.refusal.is_empty() {
        // OpenAI's models refuse in words and stop; elsewhere, that is a reason of its own.
        expected.extend(words(to_dialect, Finish::Refusal));
    }
    if !to.finish.as_deref().is_some_and(|word| expected.contains(&word)) && to.error.is_none() {
        differences.push(format!("the finish {:?}, {why:?}, is {:?}", from.finish, to.finish));
    }
    if why != Finish::Malformed && !usages_match(from.usage, to.usage) {
        differences.push(format!("the usage {:?} is {:?}", from.usage, to.usage));
    }
    differences
}

fn texts(from: &Told, to: &Told, to_dialect: &str) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, from: &str, to: &str| {
        if from != to {
            differences.push(format!("the {what} {from:?} is {to:?}"));
        }
    };
    let said = from.text.clone() + &from.refusal;
    // Where nothing else is said, what the provider says of a refusal may be told in its place.
    let explained = from.explanation.as_deref().filter(|_| said.is_empty());
    if to_dialect.starts_with("openai") {
        compare("text", &from.text, &to.text);
        if explained != Some(&*to.refusal) {
            compare("refusal", &from.refusal, &to.refusal);
        }
    } else if explained != Some(&*to.text) {
        compare("text", &said, &to.text);
    }
    // Parts of a summary are set apart by empty lines or not at all.
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    compare("reasoning", &plain(&from.reasoning), &plain(&to.reasoning));
    differences
}

/// Whether a call in it was cut off in the middle of its arguments.
fn is_cut(told: &Told) -> bool {
    told.calls.iter().any(|call| call.object().is_none())
}

/// Dialects whose arguments are objects cannot tell a call that was cut off.
fn calls(from: &Told, to: &Told, to_dialect: &str) -> Vec<String> {
    let has_objects = matches!(to_dialect, "gemini" | "ollama");
    let expected: Vec<&Call> = from.calls.iter().filter(|call| !has_objects || call.object().is_some()).collect();
    if expected.len() != to.calls.len() {
        return vec![format!("the calls {expected:?} are {:?}", to.calls)];
    }
    let mut differences = Vec::new();
    for (from, to) in expected.iter().zip(&to.calls) {
        let same_arguments =
            from.object() == to.object() && (from.object().is_some() || from.arguments == to.arguments);
        // Ids that every dialect can say stay; others may be changed, and some dialects need none.
        let is_fit = (2..=40).contains(&from.id.len())
            && from.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if from.name != to.name || !same_arguments || (is_fit && from.id != to.id && !to.id.is_empty()) {
            differences.push(format!("the call {from:?} is {to:?}"));
        }
    }
    let ids: std::collections::HashSet<&str> =
        to.calls.iter().map(|call| &*call.id).filter(|id| !id.is_empty()).collect();
    if ids.len() != to.calls.iter().filter(|call| !call.id.is_empty()).count() {
        differences.push(format!("two calls have one id: {:?}", to.calls));
    }
    differences
}

/// A dialect that must tell numbers tells zeros where none are known; what it does not tell cannot differ.
fn usages_match(from: Option<Usage>, to: Option<Usage>) -> bool {
    let Some(to) = to else { return from.is_none() };
    let from = from.unwrap_or_default();
    let matches = |from: Option<u64>, to: Option<u64>| to.is_none() || to == Some(from.unwrap_or(0));
    from.input == to.input
        && from.output == to.output
        && matches(from.cached, to.cached)
        && matches(from.cache_write, to.cache_write)
        && matches(from.reasoning, to.reasoning)
}

/// What an answer that did not stream tells, as one event that tells all.
pub fn read_answer(dialect: &str, body: &[u8]) -> Told {
    let answer: Value = serde_json::from_slice(body).unwrap();
    let event = match dialect {
        "openai-responses" => serde_json::json!({ "type": "response.completed", "response": answer }),
        "anthropic" => serde_json::json!({ "type": "message_start", "message": answer }),
        _ => answer,
    };
    let mut reader = super::reader(dialect);
    reader.event(None, &event.to_string());
    let mut told = reader.told().clone();
    told.ended = true;
    told
}
