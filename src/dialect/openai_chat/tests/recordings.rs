//! Streams and answers as they were recorded, and what they say.

use super::*;
use crate::canonical::{FinishReason, ToolCall};

struct Said {
    answer: ChatAnswer,
    unmapped: Vec<String>,
}

fn said(name: &str) -> Said {
    let (answer, unmapped) = read_stream(&recording(&format!("{name}.sse")));
    Said { answer, unmapped }
}

impl Said {
    fn thoughts(&self) -> String {
        let texts = self.answer.parts.iter().filter_map(|part| match part {
            Part::Reasoning { text, .. } => Some(&**text),
            _ => None,
        });
        texts.collect()
    }

    fn calls(&self) -> Vec<&ToolCall> {
        let calls = self.answer.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        });
        calls.collect()
    }

    /// The calls' ids, names and arguments.
    fn called(&self) -> Vec<(&str, &str, &str)> {
        self.calls().into_iter().map(|call| (&*call.id, &*call.name, &*call.arguments)).collect()
    }

    /// Why it stopped, and the upstream's word for it.
    fn finish(&self) -> (FinishReason, Option<&str>) {
        let finish = self.answer.finish.as_ref().unwrap();
        (finish.reason, finish.native.as_deref())
    }

    /// Tokens in, out, cached and of reasoning.
    fn usage(&self) -> (u64, u64, u64, u64) {
        let usage = self.answer.usage.unwrap();
        (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.reasoning_output_tokens)
    }
}

const STOP: (FinishReason, Option<&str>) = (FinishReason::Stop, Some("stop"));
const CALLS: (FinishReason, Option<&str>) = (FinishReason::ToolCalls, Some("tool_calls"));

#[test]
fn openai_says_text() {
    let said = said("openai-gpt4o-structured-text-obfuscation");
    assert_eq!(said.answer.text(), "The capital of Mexico is Mexico City.");
    assert_eq!((said.answer.parts.len(), said.finish(), said.usage()), (1, STOP, (14, 8, 0, 0)));
    assert!(said.answer.id.as_deref().unwrap().starts_with("chatcmpl-"));
    assert!(said.answer.model.as_deref().unwrap().starts_with("gpt-4o"));
}

#[test]
fn what_is_not_told_is_not_invented() {
    let said = said("openai-gpt5nano-text-no-usage");
    assert!(said.answer.text().starts_with("Hi there! How can I help today?"));
    assert_eq!((said.answer.usage, said.finish()), (None, STOP));
    let said = self::said("openai-web-search-model-no-annotations");
    let [Part::Text(text)] = &*said.answer.parts else { panic!("{:?}", said.answer.parts) };
    assert_eq!((text.text.len(), &*text.annotations), (80, &[][..]));
}

#[test]
fn parallel_calls_without_arguments_are_two_calls() {
    let said = said("openai-parallel-tool-calls");
    let expected = [
        ("call_3rqTYrA6H21AYUaRGP4F66oq", "get_country", "{}"),
        ("call_Xw9XMKBJU48kAAd78WgIswDx", "get_product_name", "{}"),
    ];
    assert_eq!(said.called(), expected);
    assert_eq!((said.finish(), said.usage()), (CALLS, (364, 40, 0, 0)));
}

#[test]
fn arguments_in_pieces_are_put_together() {
    assert_eq!(
        said("openai-tool-then-text-1").called(),
        [("call_ZR5UUuTt3pf61kjwAJIYdVMj", "get_capital", r#"{"country":"UK"}"#)]
    );
    assert_eq!(said("openai-tool-use-llm-cli").called()[0].2, r#"{"a":1231,"b":2331}"#);
}

#[test]
fn azure_begins_with_a_nameless_chunk_without_choices() {
    let said = said("azure-model-router-prompt-filter");
    assert_eq!(said.answer.id.as_deref(), Some("chatcmpl-CYPS1lijGoK8gd9lYzY3r9Sx50nbt"));
    assert_eq!(said.answer.model.as_deref(), Some("gpt-5-nano-2025-08-07"));
    assert_eq!((&*said.answer.text(), said.finish(), said.usage()), ("Capital of Denmark.", STOP, (15, 78, 0, 64)));
    assert_eq!(self::said("azure-gpt5nano-prompt-filter-results").usage(), (50, 4350, 0, 4160));
    assert_eq!(self::said("azure-grok-tool-noargs").called(), [("call_39096608", "best_language_to_learn", "{}")]);
}

#[test]
fn deepseek_tells_its_usage_with_its_finish() {
    let said = said("deepseek-chat-tool-call-cache-hit");
    let arguments = r#"{"latitude": "48.8575", "longitude": "2.3514"}"#;
    assert_eq!(said.called(), [("call_00_YB7ndmEKi1rYbirmMm5O8405", "weather", arguments)]);
    assert_eq!((said.finish(), said.usage()), (CALLS, (495, 65, 384, 0)));
    let said = self::said("deepseek-chat-tool-noargs");
    assert_eq!(said.answer.text(), "Let me look that up for you!");
    assert_eq!(said.called()[0].2, "{}");
}

#[test]
fn thoughts_are_read_in_every_field() {
    let said = said("xai-text-chunks");
    assert_eq!((said.thoughts().len(), &*said.answer.text()), (20, "Hello"));
    let said = self::said("zai-glm-reasoning-content");
    assert_eq!((said.thoughts().chars().count(), &*said.answer.text()), (2173, "4"));
    let said = self::said("moonshot-stream");
    assert_eq!((said.thoughts().len(), &*said.answer.text(), said.usage()), (16, "Hello!", (9, 12, 0, 7)));
    let said = self::said("groq-reasoning-tool-call");
    assert_eq!(said.thoughts().len(), 92);
    let call = ("fc_bfb39741-3748-4def-9886-a93fc9c64a90", "get_something_by_name", r#"{"name":"example"}"#);
    assert_eq!((said.called(), said.usage()), (vec![call], (304, 49, 0, 23)));
    let said = self::said("ollama-openai-compat-reasoning-tool");
    assert_eq!((said.thoughts().len(), said.calls().len(), said.finish()), (81, 1, CALLS));
}

#[test]
fn reasoning_that_is_counted_beside_the_completion_is_counted_in() {
    assert_eq!(said("xai-text-chunks").usage(), (12, 291, 11, 290));
}

#[test]
fn mistral_thinks_in_parts_and_speaks_in_strings() {
    let said = said("mistral-hybrid-reasoning");
    assert!(said.thoughts().starts_with("The user is askin"), "{}", said.thoughts());
    assert!(!said.answer.text().is_empty() && !said.answer.text().contains("thinking"), "{}", said.answer.text());
    assert_eq!((said.answer.parts.len(), said.finish(), said.usage()), (2, STOP, (31, 66, 0, 0)));
    assert_eq!(said.unmapped, [""; 0]);
}

#[test]
fn mistral_calls_ends_and_counts_in_one_chunk() {
    let said = said("mistral-tool-call");
    let arguments = r#"{"latitude": "52.5200", "longitude": "13.4050"}"#;
    assert_eq!(said.called(), [("g6fVbXS8K", "weather", arguments)]);
    assert_eq!((said.finish(), said.usage()), (CALLS, (159, 28, 128, 0)));
    let said = self::said("mistral-incremental-tool-call");
    let arguments = r#"{"query": "current Berlin weather"}"#;
    assert_eq!(said.called(), [("chatcmpl-tool-9f149c74c42f265b", "webSearchTool", arguments)]);
}

#[test]
fn a_call_whose_id_and_name_are_repeated_is_one_call() {
    let said = said("openrouter-novita-kimi-tool-name-split-a");
    assert_eq!(said.called(), [("0", "llm_version", "{}")]);
    // No reason is given, ever.
    assert_eq!((said.finish(), said.usage()), ((FinishReason::ToolCalls, None), (57, 17, 0, 0)));
    let said = self::said("openrouter-novita-kimi-tool-variant-c-leading-space");
    assert_eq!((said.called(), said.finish()), (vec![("llm_version:0", "llm_version", "{}")], CALLS));
}

#[test]
fn null_arguments_are_none() {
    let said = said("variant-d-arguments-null");
    assert_eq!((said.called(), said.finish()), (vec![("0", "llm_version", "")], CALLS));
}

#[test]
fn openrouter_tells_thoughts_twice_and_they_are_read_once_with_their_mark() {
    let said = said("openrouter-reasoning-details-with-tool-call");
    let [Part::Reasoning { text, seal: Some(seal) }, Part::ToolCall(call)] = &*said.answer.parts else {
        panic!("{:?}", said.answer.parts)
    };
    assert_eq!(text.len(), 211);
    assert!(text.starts_with("The user is asking for the weather in Berlin an"));
    assert_eq!((&*seal.dialect, &*seal.provider), ("openai-chat", "p"));
    let kept: Value = serde_json::from_str(&seal.data).unwrap();
    assert_eq!(kept[0]["type"], "reasoning.text");
    assert_eq!(kept[0]["format"], "anthropic-claude-v1");
    assert_eq!(kept[0]["index"], 0);
    assert!(kept[0]["signature"].as_str().unwrap().starts_with("EvsCCkgIEBABGAIqQNe/6uRtkzwq"));
    assert_eq!((&*call.name, &*call.arguments), ("reasoning_weather", r#"{"city": "Berlin"}"#));
    assert_eq!((said.finish(), said.usage()), ((FinishReason::ToolCalls, Some("tool_use")), (626, 106, 0, 54)));
}

#[test]
fn details_without_marks_are_thoughts_alone() {
    let said = said("snowflake-reasoning");
    assert_eq!(said.answer.parts[0], Part::Reasoning { text: "15 * 27 = 405".to_owned(), seal: None });
    assert!(said.answer.text().starts_with("15 × 27 = **405**"));
}

#[test]
fn a_stream_that_never_says_why_it_ends_has_said_all() {
    let said = said("snowflake-no-finish-reason-empty-ids");
    assert_eq!((&*said.answer.text(), said.finish(), said.usage()), ("4", (FinishReason::Stop, None), (22, 5, 0, 0)));
    assert_eq!((said.answer.id, said.answer.model.as_deref()), (None, Some("claude-sonnet-4-6")));
}

#[test]
fn sources_are_read() {
    let said = said("openrouter-web-search-annotations");
    let [Part::Text(text)] = &*said.answer.parts else { panic!("{:?}", said.answer.parts) };
    assert!(text.text.ends_with("https://github.com/pydantic/pydantic-ai"));
    assert_eq!(text.annotations.len(), 5);
    assert_eq!(text.annotations[0].url.as_deref(), Some("https://github.com/pydantic/pydantic-ai"));
    assert_eq!(text.annotations[0].title.as_deref(), Some("AI Agent Framework, the Pydantic way - GitHub"));
    assert!(text.annotations[0].cited_text.as_deref().unwrap().starts_with("# pydantic/pydantic-ai"));
    assert_eq!(text.annotations[0].span, None);
}

#[test]
fn what_came_before_an_error_is_read() {
    let said = said("openrouter-error-chunk-after-finish-length");
    assert_eq!((said.thoughts().len(), said.finish().0), (42, FinishReason::Length));
    let said = self::said("gpustack-llamacpp-error-field-line-mid-stream");
    assert_eq!((said.thoughts().chars().count(), said.answer.text().chars().count()), (7964, 1033));
    assert_eq!(self::said("groq-mid-stream-event-error-tool-use-failed").thoughts().len(), 412);
}

#[test]
fn emoji_and_tags_in_text_are_text() {
    let said = said("huggingface-think-tags-in-content-emoji");
    assert!(said.answer.text().starts_with("<think>\nOkay, the user asked"));
    assert_eq!((said.answer.text().chars().count(), said.usage()), (4002, (10, 955, 0, 0)));
    assert_eq!(self::said("huggingface-novita-text").answer.text(), "Paris");
}

#[test]
fn every_recorded_stream_says_the_same_however_often_it_is_written_anew() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openai-chat")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".sse") else { continue };
        let first = said(name);
        let again = read_stream(&rewrite(&recording(&format!("{name}.sse")), request())).0;
        assert_eq!(again.text(), first.answer.text(), "{name}");
        let again = Said { answer: again, unmapped: Vec::new() };
        assert_eq!(again.thoughts(), first.thoughts(), "{name}");
        let mut called = first.called();
        called.iter_mut().filter(|call| call.2.is_empty()).for_each(|call| call.2 = "{}");
        assert_eq!(again.called(), called, "{name}");
        assert_eq!(again.answer.usage, first.answer.usage, "{name}");
        assert_eq!(again.finish().0, first.finish().0, "{name}");
    }
}

#[test]
fn answers_that_did_not_stream_are_read() {
    let answer = read_whole(&recording("nonstream-parallel-tools.json"));
    let said = Said { answer, unmapped: Vec::new() };
    let arguments = r#"{"location":"San Francisco, CA"}"#;
    assert_eq!(said.called(), [("call_Xc4Aiih37EUJvqjoZlu4Vdoi", "get_current_weather", arguments)]);
    assert_eq!((said.answer.parts.len(), said.finish(), said.usage()), (1, CALLS, (162, 219, 0, 192)));
    let answer = read_whole(&recording("nonstream-json-mode.json"));
    assert_eq!(answer.text(), r#"{"name":"Alex Smith","age":29,"city":"San Francisco"}"#);
    assert_eq!(answer.id.as_deref(), Some("chatcmpl-C4GmF9uTIEqemNux4KSwWJMUTrrer"));
}
