//! What a client could stumble over does not pass, each fault alone in a stream that is otherwise whole.

use crate::support::grammar;
use crate::support::told::{Call, Told, Usage};

const CHAT: &str = include_str!("whole/openai-chat.sse");
const RESPONSES: &str = include_str!("whole/openai-responses.sse");
const ANTHROPIC: &str = include_str!("whole/anthropic.sse");
const GEMINI: &str = include_str!("whole/gemini.sse");
const OLLAMA: &str = include_str!("whole/ollama.ndjson");

const ALL: [(&str, &str); 5] = [
    ("openai-chat", CHAT),
    ("openai-responses", RESPONSES),
    ("anthropic", ANTHROPIC),
    ("gemini", GEMINI),
    ("ollama", OLLAMA),
];

/// Refuses `whole` with `faults`: what stands there, what is put in its place once, and words of the complaint.
#[track_caller]
fn assert_refused(dialect: &str, whole: &str, faults: &[(&str, &str, &str)]) {
    for (there, instead, complaint) in faults {
        assert!(whole.contains(there), "{there} is not in the stream of {dialect}");
        match grammar::check(dialect, &whole.replacen(there, instead, 1)) {
            Ok(_) => panic!("{dialect} with {instead:?} for {there:?} passes"),
            Err(error) => assert!(error.contains(complaint), "{instead:?} for {there:?}: {error}"),
        }
    }
}

/// The stream up to its end, with `error` in place of it.
fn failed(whole: &str, end: &str, error: &str) -> String {
    format!("{}{error}", &whole[..whole.find(end).unwrap()])
}

#[test]
fn the_same_is_told_in_every_dialect() {
    for (dialect, whole) in ALL {
        let told = grammar::check(dialect, whole).unwrap_or_else(|error| panic!("{dialect}: {error}"));
        let [call] = &told.calls[..] else { panic!("{told:?}") };
        let id = call.id.clone();
        assert_eq!(*call, Call { id, name: "f".into(), arguments: "{\"a\":1}".into(), is_text: false }, "{dialect}");
        let usage = told.usage.unwrap();
        assert_eq!(usage, Usage { input: 3, output: 4, ..usage }, "{dialect}");
        let expected = Told {
            text: "hi".into(),
            reasoning: "hm".into(),
            order: "rtc".into(),
            ended: true,
            calls: told.calls.clone(),
            finish: told.finish.clone(),
            usage: told.usage,
            ..Told::default()
        };
        assert_eq!(told, expected, "{dialect}");
    }
}

#[test]
fn a_stream_that_lacks_a_frame_or_has_one_twice_passes_nowhere() {
    for (dialect, whole) in ALL {
        let end = ["\r\n\r\n", "\n\n", "\n"].into_iter().find(|end| whole.ends_with(end)).unwrap();
        let frames: Vec<&str> = whole.split_inclusive(end).collect();
        for (at, frame) in frames.iter().enumerate() {
            let with = |count: usize| [&frames[..at], &vec![*frame; count], &frames[at + 1..]].concat().concat();
            for count in [0, 2].into_iter().filter(|count| !may_appear(dialect, frame, *count)) {
                assert!(grammar::check(dialect, &with(count)).is_err(), "{dialect}: {count} times {frame}");
            }
        }
    }
}

/// Whether `frame` may as well be there not at all, or twice: pieces of texts may, for all that a grammar knows.
fn may_appear(dialect: &str, frame: &str, count: usize) -> bool {
    let free: &[&str] = match dialect {
        "openai-chat" => &["\"hm\"", "\"hi\"", "{\"arguments\":\"{"],
        "anthropic" => &["\"hm\"", "ping"],
        "gemini" => &["\"hm\"", "\"hi\"", "functionCall"],
        "ollama" => &["\"hm\"", "\"hi\""],
        _ => &[],
    };
    let needless: &[&str] = match dialect {
        "openai-chat" => &["prompt_tokens"],
        "anthropic" => &["input_json_delta"],
        "ollama" => &["tool_calls"],
        _ => &[],
    };
    let free = if dialect == "anthropic" && count == 2 { &["\"hm\"", "ping", "text_delta"] } else { free };
    let has = |marks: &[&str]| marks.iter().any(|mark| frame.contains(mark));
    has(free) || (count == 0 && has(needless))
}

#[test]
fn faults_of_chat_completions_are_found() {
    let faults = [
        ("data: {", "event: chunk\ndata: {", "has a name"),
        ("data: {", "data:{", "a frame without data"),
        (
            "\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\"",
            "\"created\":2,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\"",
            "changes",
        ),
        ("\"role\":\"assistant\",", "", "no role"),
        ("{\"reasoning_content\"", "{\"role\":\"assistant\",\"reasoning_content\"", "the role again"),
        ("\"content\":\"hi\"", "\"content\":null", "content is null"),
        ("\"content\":\"hi\"", "\"tool_calls\":null", "tool_calls is null"),
        ("\"content\":\"hi\"", "\"tool_calls\":[]", "no calls among the calls"),
        ("\"content\":\"hi\"", "\"content\":\"hi\",\"content\":\"ho\"", "twice"),
        ("[{\"index\":0,\"id\"", "[{\"index\":1,\"id\"", "not the next one"),
        ("\"name\":\"f\",", "", "name is no text"),
        (
            "{\"index\":0,\"function\":{\"arguments\"",
            "{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\"",
            "the name again",
        ),
        ("\"arguments\":\"\"", "\"arguments\":null", "arguments is no text"),
        ("\"delta\":{},", "\"delta\":{\"content\":\"\"},", "the finish says more"),
        ("\"finish_reason\":\"tool_calls\"", "\"finish_reason\":\"end_turn\"", "no finish reason"),
        (
            "\"finish_reason\":\"tool_calls\"}],\"usage\":null",
            "\"finish_reason\":\"tool_calls\"}],\"usage\":{}",
            "beside a choice",
        ),
        ("\"total_tokens\":7", "\"total_tokens\":8", "the total"),
        ("data: [DONE]\n\n", "", "error"),
        (
            "data: [DONE]",
            "data: {\"error\":{\"message\":\"no\",\"type\":\"t\",\"param\":null,\"code\":null}}\n\ndata: [DONE]",
            "no chunk",
        ),
    ];
    assert_refused("openai-chat", CHAT, &faults);
}

#[test]
fn faults_of_messages_are_found() {
    let faults = [
        ("event: message_start", "event: start", "is called"),
        ("event: message_start\n", "", "is called"),
        ("\"content\":[]", "\"content\":null", "no array"),
        ("\"stop_reason\":null,", "", "not null yet"),
        ("\"index\":1,\"content_block\"", "\"index\":2,\"content_block\"", "not the next one"),
        ("\"index\":1,\"delta\"", "\"index\":0,\"delta\"", "another block"),
        ("\"thinking\",\"thinking\":\"\",\"signature\":\"\"", "\"thinking\",\"thinking\":\"\"", "signature is no text"),
        ("signature_delta", "text_delta", "in a block of thinking"),
        ("\"signature\":\"c2ln\"", "\"signature\":\"\"", "signature is empty"),
        ("\"text\":\"hi\"", "\"text\":\"\"", "without text"),
        ("toolu_1", "toolu:1", "other characters"),
        ("\"input\":{}", "\"input\":\"\"", "no object"),
        ("{\\\"a\\\":1}", "{\\\"a\\\":", "no object"),
        ("\"stop_reason\":\"tool_use\"", "\"stop_reason\":\"end_turn\"", "nobody waits for"),
        ("\"stop_reason\":\"tool_use\"", "\"stop_reason\":\"tool_calls\"", "no stop_reason"),
        (",\"usage\":{\"output_tokens\":4}", "", "usage is no object"),
        (
            "event: message_stop\n",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}\n\nevent: message_stop\n",
            "not the last",
        ),
    ];
    assert_refused("anthropic", ANTHROPIC, &faults);
}

#[test]
fn faults_of_responses_are_found() {
    let faults = [
        ("event: response.created", "event: created", "is called"),
        ("\"sequence_number\":3", "\"sequence_number\":4", "not number 3"),
        ("\"parallel_tool_calls\":true,", "", "without parallel_tool_calls"),
        ("\"type\":\"response.in_progress\"", "\"type\":\"response.queued\"", "is called"),
        ("\"output_index\":1,\"item\"", "\"output_index\":2,\"item\"", "not the next one"),
        ("\"delta\":\"hi\"", "\"delta\":\"ho\"", "not what was told"),
        ("\"text\":\"hi\"", "\"text\":\"\"", "not what was told"),
        ("\"delta\":\"{\\\"a\\\":1}\"", "\"delta\":\"{\"", "not what was told"),
        ("\"arguments\":\"\"", "\"arguments\":\"{\"", "begins with arguments"),
        ("\"call_id\":\"call_1\"", "\"call_id\":\"call_2\"", "changes"),
        ("\"logprobs\":[]", "\"logprobs\":null", "no array"),
        ("\"status\":\"completed\",\"content\"", "\"status\":\"incomplete\",\"content\"", "not what was done"),
        ("\"output_tokens_details\":{\"reasoning_tokens\":1},", "", "no object"),
        ("data: [DONE]\n\n", "", "no [DONE]"),
    ];
    assert_refused("openai-responses", RESPONSES, &faults);
}

#[test]
fn faults_of_generated_content_are_found() {
    let faults = [
        ("\r\n\r\n", "\n\n", "more than a name"),
        ("\"role\":\"model\"", "\"role\":\"assistant\"", "of another"),
        ("{\"text\":\"hi\"}", "{\"text\":\"hi\",\"functionCall\":{}}", "a part of"),
        ("{\"a\":1}", "\"{}\"", "args is no object"),
        ("c2ln", "sg1.c2ln", "no base64"),
        ("}],\"modelVersion\"", ",\"finishReason\":\"STOP\"}],\"modelVersion\"", "before the last"),
        ("\"finishReason\":\"STOP\"", "\"finishReason\":\"stop\"", "no finishReason"),
        ("\"responseId\":\"r1\"", "\"responseId\":\"r2\"", "changes"),
        ("\"totalTokenCount\":7", "\"totalTokenCount\":6", "the total"),
    ];
    assert_refused("gemini", GEMINI, &faults);
}

#[test]
fn faults_of_lines_are_found() {
    let faults = [
        ("}\n", "}\n\n", "no JSON"),
        ("2025-06-09T17:58:55.337823Z", "1749491935", "no date"),
        ("{\"a\":1}", "\"{}\"", "no object"),
        ("\"index\":0", "\"index\":1", "not the next one"),
        ("\"done\":false", "\"done\":true", "done_reason is no text"),
        ("\"done_reason\":\"stop\"", "\"done_reason\":\"tool_calls\"", "no done_reason"),
        ("\"total_duration\":9", "\"total_duration\":0", "is zero"),
    ];
    assert_refused("ollama", OLLAMA, &faults);
}

#[test]
fn a_stream_that_an_error_breaks_off_has_it_last_and_no_end() {
    let chat = "data: {\"error\":{\"message\":\"no\",\"type\":\"t\",\"param\":null,\"code\":null}}\n\n";
    let anthropic =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}\n\n";
    let responses = "event: error\ndata: {\"type\":\"error\",\"sequence_number\":11,\"code\":null,\"message\":\"no\",\"param\":null}\n\n";
    let gemini = "data: {\"error\":{\"code\":500,\"message\":\"no\",\"status\":\"INTERNAL\"}}\r\n\r\n";
    for (dialect, whole, end, error) in [
        (
            "openai-chat",
            CHAT,
            "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\"",
            chat,
        ),
        (
            "anthropic",
            ANTHROPIC,
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1",
            anthropic,
        ),
        ("openai-responses", RESPONSES, "event: response.output_text.done", responses),
        ("gemini", GEMINI, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall", gemini),
        (
            "ollama",
            OLLAMA,
            "{\"model\":\"m\",\"created_at\":\"2025-06-09T17:58:55.337823Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls",
            "{\"error\":\"no\"}\n",
        ),
    ] {
        let told =
            grammar::check(dialect, &failed(whole, end, error)).unwrap_or_else(|error| panic!("{dialect}: {error}"));
        assert_eq!((told.error.as_deref(), told.ended, &*told.text), (Some("no"), false, "hi"), "{dialect}");
        // Nothing before it, or something behind it.
        let alone = error.replace("\"sequence_number\":11", "\"sequence_number\":0");
        assert_eq!(grammar::check(dialect, &alone).unwrap().error.as_deref(), Some("no"), "{dialect}");
        assert!(grammar::check(dialect, &(failed(whole, end, error) + error)).is_err(), "{dialect}: two errors");
        assert!(
            grammar::check(dialect, &(failed(whole, end, error) + &whole[whole.find(end).unwrap()..])).is_err(),
            "{dialect}"
        );
        assert!(grammar::check(dialect, &failed(whole, end, "")).is_err(), "{dialect}: cut without an error");
    }
}
