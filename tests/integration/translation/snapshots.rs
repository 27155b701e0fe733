//! What translations look like, for people to read: `tests/snapshots/`. `UPDATE_SNAPSHOTS=1` writes them anew.

use std::path::PathBuf;

use serde_json::Value;
use sluicegate::dialect;

use super::requests::{ask, recorded};
use crate::support::translation::{context, sources};

/// Compares `text` with the snapshot called `name`, or makes it that.
#[track_caller]
pub fn assert_snapshot(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let line = kept
        .lines()
        .zip(text.lines())
        .position(|(kept, new)| kept != new)
        .unwrap_or_else(|| kept.lines().count().min(text.lines().count()));
    let line_of = |text: &str| text.lines().nth(line).unwrap_or_default().to_owned();
    assert!(
        kept == text,
        "{name} is another from line {} on:\n  {}\n  {}\nUPDATE_SNAPSHOTS=1 writes it anew.",
        line + 1,
        line_of(&kept),
        line_of(text)
    );
}

/// Streams, each short and with something of its own, and where they are shown to lead.
const STREAMS: [(&str, &[&str]); 7] = [
    ("anthropic/thinking-then-tool.sse", &["openai-chat", "openai-responses", "ollama"]),
    ("anthropic/refusal-stop-details.sse", &["openai-chat"]),
    ("openai-chat/openai-parallel-tool-calls.sse", &["anthropic", "gemini"]),
    ("openai-responses/error-rate-limited-response-failed.sse", &["anthropic"]),
    ("openai-responses/web-search-annotations-2.sse", &["openai-chat"]),
    ("gemini/vertex-tool-call.sse", &["openai-responses"]),
    ("ollama/chat-two-tool-calls-separate-lines.ndjson", &["openai-responses"]),
];

/// Requests, the same way.
const REQUESTS: [(&str, &[&str]); 4] = [
    ("anthropic/thinking-then-tool.request.json", &["openai-chat", "gemini"]),
    ("openai-chat/nonstream-parallel-tools.request.json", &["anthropic", "ollama"]),
    ("openai-responses/bedrock-mantle-reasoning-text.request.json", &["anthropic"]),
    ("gemini/signature-on-text.request.json", &["openai-responses"]),
];

/// The name of the snapshot of `file`, such as `anthropic/text.sse`, as it is told in `to`.
fn name_of(file: &str, to: &str) -> String {
    let (from, name) = file.split_once('/').unwrap();
    format!("{from}_to_{to}.{name}")
}

#[test]
fn translated_streams_look_as_they_were_reviewed() {
    for (file, targets) in STREAMS {
        let source = sources().find(|source| source.file == file).unwrap();
        for to in targets.iter().map(|name| dialect::find(name).unwrap()) {
            let out = String::from_utf8(source.translate(to, &context(), [&source.stream[..]])).unwrap();
            assert_snapshot(&name_of(file, to.name()), &out);
        }
    }
}

#[test]
fn translated_requests_look_as_they_were_reviewed() {
    for (file, targets) in REQUESTS {
        let asked = recorded().find(|asked| asked.file == file).unwrap();
        for to in targets.iter().map(|name| dialect::find(name).unwrap()) {
            let (body, losses) = ask(&asked.request, to);
            let body: Value = serde_json::from_str(&body).unwrap();
            let losses = losses.iter().map(|loss| format!("// {} ({:?}): {}\n", loss.param, loss.weight, loss.why));
            let shown = losses.collect::<String>() + &serde_json::to_string_pretty(&body).unwrap() + "\n";
            assert_snapshot(&name_of(file, to.name()), &shown);
        }
    }
}
