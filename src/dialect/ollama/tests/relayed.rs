//! What is learned of a stream that passes untouched, and of a request for one.

use super::super::Ollama;
use super::{fixture, usage};
use crate::dialect::{Dialect, Observer, of_client};
use crate::framing::Framing;

const TOKEN: &str = "{\"model\":\"m\",\"created_at\":\"2025-03-20T18:32:37.255986Z\",\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},\"done\":false}\n";
const END: &str = "{\"model\":\"m\",\"created_at\":\"2025-03-20T18:32:38Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done_reason\":\"stop\",\"done\":true,\"prompt_eval_count\":7,\"eval_count\":9}\n";

fn observe(runs: &[&str]) -> Observer {
    let mut observer = Observer::new(&Ollama, 1);
    for run in runs {
        observer.observe(run.as_bytes());
    }
    observer
}

const STREAMS: [&str; 9] = [
    fixture!("chat-multi-tool-conversation.ndjson"),
    fixture!("chat-text-after-tools.ndjson"),
    fixture!("chat-text-granite.ndjson"),
    fixture!("chat-text-llama3-async.ndjson"),
    fixture!("chat-thinking-enabled.ndjson"),
    fixture!("chat-thinking-handwritten-no-counts.ndjson"),
    fixture!("chat-two-tool-calls-separate-lines.ndjson"),
    fixture!("generate-text-llama3-sync.ndjson"),
    fixture!("stream-emoji.ndjson"),
];

#[test]
fn every_recording_is_a_whole_answer_whether_read_at_once_or_line_by_line() {
    for stream in STREAMS {
        let whole = observe(&[stream]);
        let mut lines = Observer::new(&Ollama, 1);
        for frame in Framing::JsonLines.frames(stream.as_bytes()) {
            assert_eq!(lines.observe(frame), frame.len());
        }
        for observer in [&whole, &lines] {
            assert!(observer.has_content() && observer.is_done() && observer.is_complete(), "{stream}");
            assert!(observer.error().is_none() && !observer.is_garbled(), "{stream}");
        }
        assert_eq!(whole.usage(), lines.usage());
    }
}

#[test]
fn usage_is_that_of_the_last_line_and_none_is_invented() {
    assert_eq!(observe(&[STREAMS[2]]).usage(), usage(37, 37));
    assert_eq!(observe(&[STREAMS[5]]).usage(), None);
    assert_eq!(observe(&[TOKEN, END]).usage(), usage(7, 9));
    assert_eq!(observe(&[&END.replace("\"prompt_eval_count\":7,", "")]).usage(), usage(0, 9));
}

#[test]
fn a_token_is_known_without_a_parse_and_nothing_else_is() {
    let thought = TOKEN.replace("\"content\":\"hi\"", "\"content\":\"\",\"thinking\":\"hm\"");
    let completion = "{\"model\":\"m\",\"response\":\"hi\",\"done\":false}\n";
    let spaced = TOKEN.replace("\"done\":false", "\"done\" : false");
    for token in [TOKEN, &thought, completion, &spaced, &[TOKEN, TOKEN].concat()] {
        assert!(Ollama.is_another_token(token.as_bytes(), false), "{token}");
    }
    let nothing = TOKEN.replace("hi", "");
    assert!(!Ollama.is_another_token(nothing.as_bytes(), false));
    let keep_alive = str::from_utf8(Ollama.keep_alive()).unwrap();
    assert!(!Ollama.is_another_token(keep_alive.as_bytes(), false));
    let error = "{\"error\":\"out of memory\"}\n";
    let done = TOKEN.replace("\"done\":false", "\"done\": true");
    for line in [END, error, &done, "<html>\n", "\n", "{\"cut\":\n", &TOKEN.replace('\n', "")] {
        for speaking in [false, true] {
            assert!(!Ollama.is_another_token(line.as_bytes(), speaking), "{line}");
            assert!(!Ollama.is_another_token([TOKEN, line].concat().as_bytes(), speaking), "{line}");
        }
    }
}

#[test]
fn text_about_these_words_changes_nothing() {
    let text = TOKEN.replace("hi", "{\\\"done\\\":true,\\\"error\\\":\\\"no\\\"}");
    assert!(Ollama.is_another_token(text.as_bytes(), false));
    let observer = observe(&[&text]);
    assert!(observer.has_content() && !observer.is_complete() && observer.error().is_none());
    let call = TOKEN.replace(
        "\"content\":\"hi\"",
        "\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"done\":true,\"error\":\"no\"}}}]",
    );
    let observer = observe(&[&call]);
    assert!(observer.has_content() && !observer.is_complete() && observer.error().is_none());
}

#[test]
fn an_error_is_seen_where_it_stands_and_ends_nothing() {
    let error = "{\"error\":\"model runner has unexpectedly stopped\"}\n";
    let mut observer = Observer::new(&Ollama, 1);
    let run = [TOKEN, error].concat();
    assert_eq!(observer.observe(run.as_bytes()), run.len());
    assert_eq!(observer.error().unwrap().message, "model runner has unexpectedly stopped");
    assert!(observer.hidden_error().is_none() && !observer.is_complete() && !observer.may_end());
    assert!(observe(&["{\"error\":\"\",\"done\":false}\n"]).error().is_none());
}

#[test]
fn what_is_no_json_is_garbled_even_amid_tokens() {
    assert!(observe(&[TOKEN, "<html>\n"]).is_garbled());
    assert!(observe(&["{\"model\":\"m\",}\n", TOKEN, END]).is_garbled());
    assert!(!observe(&[TOKEN, "{\"message\":[7]}\n", "\n", END]).is_garbled());
}

#[test]
fn a_last_line_without_its_end_is_a_line() {
    let mut observer = observe(&[TOKEN]);
    let rest = END.trim_end().as_bytes();
    assert_eq!(observer.observe_rest(rest).as_deref(), Some(END.as_bytes()));
    assert!(observer.is_complete() && observer.error().is_none());
    assert_eq!(observe(&[TOKEN]).observe_rest(&rest[..rest.len() - 1]), None);
}

#[test]
fn a_sign_of_life_is_a_line_that_says_nothing_to_anyone() {
    let line = Ollama.keep_alive();
    let observer = observe(&[str::from_utf8(line).unwrap()]);
    assert!(!observer.has_begun());
    let value: serde_json::Value = serde_json::from_slice(line).unwrap();
    assert_eq!((&value["message"]["role"], &value["message"]["content"]), (&"assistant".into(), &"".into()));
    assert_eq!((&value["response"], &value["done"]), (&"".into(), &false.into()));
    assert!(line.ends_with(b"\n") && line.iter().filter(|byte| **byte == b'\n').count() == 1);
}

#[test]
fn a_model_that_was_loaded_has_said_nothing() {
    let loaded = END.replace("\"stop\"", "\"load\"");
    let observer = observe(&[&loaded]);
    assert!(observer.is_complete() && !observer.has_content());
}

#[test]
fn a_request_streams_unless_it_says_not_to() {
    let streams = |body: &str| Ollama.parse_request(body.as_bytes()).unwrap().stream;
    assert!(streams("{\"model\":\"m\"}"));
    assert!(streams("{\"model\":\"m\",\"stream\":null}"));
    assert!(streams("{\"model\":\"m\",\"stream\":true}"));
    assert!(!streams("{\"model\":\"m\",\"stream\":false}"));
    assert!(streams(&Ollama.sample_request("m")));
    assert_eq!(Ollama.parse_request(b"{\"stream\":1}").unwrap_err().param, Some("stream"));
    let request = Ollama.parse_request(fixture!("chat-text-llama3-async.request.json").as_bytes()).unwrap();
    assert_eq!((request.model.as_deref(), request.expected_ends), (Some("llama3"), 1));
}

#[test]
fn who_asks_below_api_speaks_it() {
    for path in ["/api/chat", "/api/generate", "/api/tags"] {
        assert_eq!(of_client(path, &http::HeaderMap::new()).name(), "ollama");
    }
    assert_eq!(of_client("/v1/models", &http::HeaderMap::new()).name(), "openai-chat");
}

#[test]
fn an_answer_tells_its_usage_or_the_error_that_it_is() {
    let parse = |body: &str| Ollama.parse_answer(body.as_bytes());
    assert_eq!(parse(fixture!("nonstream-thinking.json")).unwrap().unwrap(), usage(69, 67));
    assert_eq!(parse("{\"error\":\"no\"}").unwrap().unwrap_err().message, "no");
    assert_eq!(parse("{\"models\":[]}").unwrap(), Ok(None));
    assert!(parse("<html>").is_err());
}
