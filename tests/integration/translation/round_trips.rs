//! There and back: an answer that is read, told in another dialect and read again is the same answer, but for what that dialect
//! cannot say.

use sluicegate::canonical::{ChatAnswer, FinishReason, Part, ToolKind, Usage};
use sluicegate::dialect::Dialect;

use super::{answers, assert_none};
use crate::support::translation::{Source, all, context};

/// Reasons that a dialect has no word for, and what they are when they come back.
const LOST_REASONS: [(&str, &[(FinishReason, FinishReason)]); 5] = {
    use FinishReason::{ContextFull, Length, MalformedToolCall, Other, Pause, Refusal, Stop, StopSequence, ToolCalls};
    [
        (
            "openai-chat",
            &[(StopSequence, Stop), (ContextFull, Length), (Pause, Stop), (MalformedToolCall, Stop), (Other, Stop)],
        ),
        ("openai-responses", &[(StopSequence, Stop), (ContextFull, Length), (Pause, Stop), (Other, Stop)]),
        ("anthropic", &[(MalformedToolCall, Stop), (Other, Stop)]),
        ("gemini", &[(StopSequence, Stop), (ContextFull, Length), (Pause, Stop)]),
        (
            "ollama",
            &[
                (StopSequence, Stop),
                (ContextFull, Length),
                (Refusal, Stop),
                (Pause, Stop),
                (MalformedToolCall, Stop),
                (Other, Stop),
                // Who tells no calls that are cut off may still tell those that are whole.
                (ToolCalls, ToolCalls),
            ],
        ),
    ]
};

/// What a dialect's usage cannot tell.
fn usage_in(dialect: &str, usage: Usage) -> Usage {
    match dialect {
        "gemini" => Usage { cache_write_input_tokens: 0, ..usage },
        "ollama" => Usage { input_tokens: usage.input_tokens, output_tokens: usage.output_tokens, ..Usage::default() },
        _ => usage,
    }
}

/// An answer as it is when it has been told in `dialect`: who it is from, seals, sources and probabilities are left out, they
/// have tests of their own.
#[derive(Debug, PartialEq)]
struct Plain {
    parts: Vec<(&'static str, String)>,
    reason: Option<FinishReason>,
    usage: Usage,
}

/// Where a provider's explanation of a refusal is told where nothing else is said, and as what.
const EXPLAINED: [(&str, &str); 3] = [("openai-chat", "refusal"), ("openai-responses", "refusal"), ("ollama", "text")];

/// `is_stream` says whether it is told in one: messages of one text and one thought have more order then.
fn plain(answer: &ChatAnswer, dialect: &str, is_stream: bool) -> Plain {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for part in &answer.parts {
        let (kind, text) = match part {
            Part::Text(text) => ("text", text.text.clone()),
            // Refusals are OpenAI's.
            Part::Refusal(text) if dialect.starts_with("openai") => ("refusal", text.clone()),
            Part::Refusal(text) => ("text", text.clone()),
            Part::Reasoning { text, .. } => ("reasoning", text.split_whitespace().collect()),
            Part::ToolCall(call) if call.kind == ToolKind::Custom && !dialect.starts_with("openai") => {
                ("call", format!("{} {}", call.name, serde_json::json!({ "input": call.arguments })))
            }
            Part::ToolCall(call) => match (call.json_arguments(), dialect) {
                (Some(json), _) => {
                    let arguments: serde_json::Value = serde_json::from_str(json).unwrap();
                    ("call", format!("{} {arguments}", call.name))
                }
                (None, "gemini" | "ollama") => continue,
                (None, "anthropic") if !is_stream => continue,
                (None, _) => ("call", format!("{} {}", call.name, call.arguments)),
            },
            other => panic!("{other:?}"),
        };
        match parts.last_mut() {
            Some((last, so_far)) if *last == kind && kind != "call" => so_far.push_str(&text),
            _ => parts.push((kind, text)),
        }
    }
    parts.retain(|(kind, text)| *kind == "call" || !text.is_empty());
    let refusal = answer.finish.as_ref().filter(|finish| finish.reason == FinishReason::Refusal);
    let explanation = refusal.and_then(|finish| finish.explanation.clone());
    if let (Some(explanation), Some((_, kind)), true) =
        (explanation, EXPLAINED.iter().find(|(name, _)| *name == dialect), parts.is_empty())
    {
        parts.push((*kind, explanation.into_owned()));
    }
    if dialect == "openai-chat" || (dialect == "ollama" && !is_stream) {
        parts = in_chat(&parts);
    }
    let (_, lost) = LOST_REASONS.iter().find(|(name, _)| *name == dialect).unwrap();
    let reason = answer.finish.as_ref().map(|finish| finish.reason);
    // OpenAI's models refuse in words and stop; elsewhere, that is a reason of its own.
    let refuses = answer.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let is_reason = matches!(dialect, "anthropic" | "gemini") && reason == Some(FinishReason::Stop);
    let reason = if refuses && is_reason { Some(FinishReason::Refusal) } else { reason };
    let reason = reason.map(|reason| lost.iter().find(|(from, _)| *from == reason).map_or(reason, |(_, to)| *to));
    Plain { parts, reason, usage: usage_in(dialect, answer.usage.unwrap_or_default()) }
}

/// A chat's message has one text, one refusal and then the calls.
fn in_chat(parts: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let of = |kind: &str| parts.iter().filter(|(own, _)| *own == kind).map(|(_, text)| &**text).collect::<String>();
    let mut all = vec![("reasoning", of("reasoning")), ("text", of("text")), ("refusal", of("refusal"))];
    all.retain(|(_, text)| !text.is_empty());
    all.extend(parts.iter().filter(|(kind, _)| *kind == "call").cloned());
    all
}

/// Every other dialect that can tell `answer` as one. A response whose model got a call wrong has failed.
fn tellers(source: &Source, answer: &ChatAnswer) -> Vec<&'static dyn Dialect> {
    let is_wrong = answer.finish.as_ref().is_some_and(|finish| finish.reason == FinishReason::MalformedToolCall);
    let others = all().filter(|to| *to != source.dialect);
    others.filter(|to| !is_wrong || to.name() != "openai-responses").collect()
}

#[test]
fn a_stream_comes_back_from_every_dialect_but_for_what_that_cannot_say() {
    let mut faults = Vec::new();
    for source in answers().filter(|source| source.error().is_none()) {
        let answer = source.answer();
        for to in tellers(&source, &answer) {
            let out = source.translate(to, &context(), [&source.stream[..]]);
            let again = Source::new(&source.file, to, out).answer();
            let (before, after) = (plain(&answer, to.name(), true), plain(&again, to.name(), true));
            if before != after {
                faults.push(format!("{} to {} and back:\n  {before:?}\n  {after:?}", source.file, to.name()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn a_whole_answer_comes_back_from_every_dialect_but_for_what_that_cannot_say() {
    let mut faults = Vec::new();
    for source in answers().filter(|source| source.error().is_none()) {
        let answer = source.answer();
        for to in tellers(&source, &answer) {
            let body = to.encode_answer(&answer, &context());
            let read = sluicegate::dialect::transcoder::read_answer(to, "other", "another-id", &body);
            let (before, after) = (plain(&answer, to.name(), false), plain(&read.unwrap().0, to.name(), false));
            if before != after {
                faults.push(format!("{} to {} and back:\n  {before:?}\n  {after:?}", source.file, to.name()));
            }
        }
    }
    assert_none(&faults);
}
