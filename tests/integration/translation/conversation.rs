//! A conversation as text, so that two that say the same read the same.

use sluicegate::canonical::{Media, Message, Part, Role, Source, ToolCall, ToolKind, ToolResult};

/// What is said in `messages`, one line for each turn and kind of what is said in it.
///
/// Left out is what dialects may tell in many ways: whose instructions it is that come first, where a text is cut, how calls are
/// called; and thoughts, which only who has sealed them sees again.
pub fn said(messages: &[Message]) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut calls = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        for part in &message.parts {
            let (kind, what) = match part {
                Part::Text(text) => ("says", plain(&text.text)),
                Part::Refusal(text) => ("says", plain(text)),
                Part::Image(media) => ("shows", bytes(media)),
                Part::Audio(media) => ("plays", bytes(media)),
                // What is behind a URL is not always known.
                Part::File(Media { source: Source::Url(url), .. }) => ("shows", url.clone()),
                Part::File(media) => ("hands over", bytes(media)),
                Part::Reasoning { .. } => continue,
                Part::ToolCall(call) => ("calls", called(call, &mut calls)),
                Part::ToolResult(result) => ("answers", answered(result, &calls)),
            };
            let head = format!("{role} {kind}");
            match lines.last_mut() {
                Some((last, text)) if *last == head && kind == "says" => text.push_str(&what),
                _ => lines.push((head, what)),
            }
        }
    }
    lines.iter().filter(|(_, text)| !text.is_empty()).map(|(head, text)| format!("{head} {text}\n")).collect()
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect()
}

fn bytes(media: &Media) -> String {
    match &media.source {
        Source::Url(url) => url.clone(),
        Source::Data(data) => format!("{} bytes {:.20}", data.len(), data),
        Source::Id(id) => id.clone(),
    }
}

fn called(call: &ToolCall, calls: &mut Vec<String>) -> String {
    calls.push(call.id.clone());
    let arguments = match call.kind {
        ToolKind::Custom => serde_json::json!({ "input": call.arguments }),
        ToolKind::Function => serde_json::from_str(call.json_arguments().unwrap_or("{}")).unwrap(),
    };
    format!("#{} {} {arguments}", calls.len(), call.name)
}

/// A result by the place of its call, the last one of that name.
fn answered(result: &ToolResult, calls: &[String]) -> String {
    let place = calls.iter().rposition(|id| *id == result.call_id).map(|place| place + 1);
    let texts: String =
        result.parts.iter().map(|part| said(&[Message { role: Role::User, parts: vec![part.clone()] }])).collect();
    format!("#{} {}", place.map_or_else(|| "?".to_owned(), |place| place.to_string()), plain(&texts))
}
