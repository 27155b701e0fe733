//! What providers really send passes, where they keep to their own rules.

use crate::support::{Recording, fixture, grammar, told};

/// Checks a recording, with what its provider leaves out and ours does not put in `behind`.
#[track_caller]
fn check(file: &str, behind: &str) -> told::Told {
    let (dialect, _) = file.split_once('/').unwrap();
    let told = grammar::check(dialect, &(fixture(file) + behind));
    told.unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn streams_of_openai_are_chat_completions() {
    for name in
        ["openai-gpt5nano-text-no-usage", "openai-gpt4o-structured-text-obfuscation", "openai-parallel-tool-calls"]
    {
        let told = check(&format!("openai-chat/{name}.sse"), "");
        assert!(told.ended && (!told.text.is_empty() || !told.calls.is_empty()), "{name}: {told:?}");
    }
}

#[test]
fn every_recorded_message_is_one() {
    // Blocks that no translation writes, and streams that are known to be broken.
    let others = ["compaction", "fallback", "broken-stream", "partial-json", "code-execution"];
    let mut count = 0;
    for recording in Recording::streams("anthropic") {
        if !others.iter().any(|tag| recording.is(tag)) {
            check(&recording.file, "");
            count += 1;
        }
    }
    assert!(count >= 18, "{count}");
}

#[test]
fn streams_of_openai_are_responses() {
    // Those whose reasoning is encrypted have it encrypted anew in the last event.
    for name in ["llm-cli-basic", "llm-cli-tool-use", "file-search", "web-search-annotations-2", "pdf-input-file"] {
        let told = check(&format!("openai-responses/{name}.sse"), "data: [DONE]\n\n");
        assert!(told.ended && told.usage.is_some(), "{name}: {told:?}");
    }
}

#[test]
fn every_recorded_stream_of_google_is_generated_content() {
    // Arguments value by value are for who asks for them; one recording was cut before its end.
    for recording in Recording::streams("gemini") {
        if !recording.is("partialArgs") {
            check(&recording.file, "");
        }
    }
    for name in ["json-array-stream-tool-calls", "json-array-stream-schema"] {
        let told = check(&format!("gemini/{name}.json"), "");
        assert!(told.ended, "{name}: {told:?}");
    }
}

#[test]
fn streams_of_ollama_are_lines() {
    for recording in Recording::streams("ollama") {
        if !recording.is("no-counts") {
            let told = check(&recording.file, "");
            assert!(told.ended && told.usage.is_some(), "{}: {told:?}", recording.file);
        }
    }
}
