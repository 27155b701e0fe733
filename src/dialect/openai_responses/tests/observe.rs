use serde_json::Value;

use super::super::OpenAiResponses;
use super::support::{STREAMS, frames, last_response, recording};
use crate::canonical::Usage;
use crate::dialect::{Dialect, Observer};
use crate::error::Error;

const DELTA: &str =
    "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"hi\"}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn observe(stream: &str) -> Observer {
    let mut observer = Observer::new(&OpenAiResponses, 1);
    for frame in frames(stream) {
        observer.observe(frame.as_bytes());
    }
    observer
}

#[test]
fn a_recorded_response_is_complete_at_its_last_event_and_not_before() {
    for (name, stream) in STREAMS {
        let mut observer = Observer::new(&OpenAiResponses, 1);
        for frame in frames(stream).filter(|frame| *frame != DONE) {
            assert!(!observer.is_complete() && !observer.may_end(), "{name}");
            observer.observe(frame.as_bytes());
        }
        assert!(observer.is_complete() && observer.is_done() && observer.has_content(), "{name}");
        assert!(observer.error().is_none() && !observer.is_garbled(), "{name}");
        let usage = &last_response(stream)["usage"];
        let expected = Usage {
            input_tokens: usage["input_tokens"].as_u64().unwrap(),
            output_tokens: usage["output_tokens"].as_u64().unwrap(),
            cached_input_tokens: usage["input_tokens_details"]["cached_tokens"].as_u64().unwrap(),
            cache_write_input_tokens: usage["input_tokens_details"]["cache_write_tokens"].as_u64().unwrap_or(0),
            reasoning_output_tokens: usage["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap(),
        };
        assert_eq!(observer.usage(), Some(expected), "{name}");
    }
}

#[test]
fn a_recorded_response_speaks_at_its_first_piece() {
    for (name, stream) in STREAMS {
        let mut observer = Observer::new(&OpenAiResponses, 1);
        let first = frames(stream).position(|frame| {
            observer.observe(frame.as_bytes());
            observer.has_content()
        });
        let first = frames(stream).nth(first.unwrap()).unwrap();
        assert!(first.contains(".delta\"") || first.contains("output_item.added"), "{name}: {first}");
    }
}

#[test]
fn the_same_is_learned_of_many_events_at_once_as_of_one_after_the_other() {
    let failed = recording!("error-rate-limited-response-failed.sse");
    for stream in STREAMS.iter().map(|(_, stream)| *stream).chain([failed]) {
        let mut observer = Observer::new(&OpenAiResponses, 1);
        observer.observe(stream.as_bytes());
        assert_eq!(format!("{observer:?}"), format!("{:?}", observe(stream)));
    }
}

#[test]
fn an_error_is_told_once_in_its_first_words_and_seen_by_clients_where_it_stands() {
    let stream = recording!("error-rate-limited-response-failed.sse");
    let mut observer = Observer::new(&OpenAiResponses, 1);
    assert_eq!(observer.observe(stream.as_bytes()), stream.len());
    let error = observer.error().unwrap();
    assert_eq!(error.code.as_deref(), Some("rate_limit_exceeded"));
    assert_eq!(error.r#type.as_deref(), Some("tokens"));
    assert!(error.message.starts_with("Request too large for gpt-4o"));
    assert!(observer.is_error_visible() && !observer.may_end());
    assert!(observe(recording!("error-unknown-response-failed.sse")).error().is_some());
}

#[test]
fn errors_are_read_in_every_shape() {
    let told = |frame: &str| {
        let observer = observe(&format!("{DELTA}{frame}"));
        let error = observer.error().unwrap();
        (error.message.clone(), error.r#type.clone(), observer.is_error_visible())
    };
    let flat = "event: error\ndata: {\"type\":\"error\",\"code\":\"c\",\"message\":\"flat\",\"param\":null}\n\n";
    assert_eq!(told(flat), ("flat".to_owned(), None, true));
    let unnamed = "data: {\"type\":\"error\",\"error\":{\"message\":\"nested\",\"type\":\"t\"}}\n\n";
    assert_eq!(told(unnamed), ("nested".to_owned(), Some("t".to_owned()), true));
    let bare = "data: {\"error\":{\"message\":\"bare\"}}\n\n";
    assert!(told(bare).2);
    let named = "event: error\ndata: {\"message\":\"named\"}\n\n";
    assert_eq!(told(named), ("named".to_owned(), None, false));
    assert_eq!(told("event: error\ndata: gone\n\n"), ("gone".to_owned(), None, false));
    let failed = "data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"f\"}}}\n\n";
    assert_eq!(told(failed), ("f".to_owned(), None, true));
    let cancelled =
        "data: {\"type\":\"response.cancelled\",\"response\":{\"status\":\"cancelled\",\"error\":null}}\n\n";
    assert_eq!(told(cancelled).0, "The response was cancelled.");
}

#[test]
fn an_incomplete_response_is_a_whole_stream_and_done_alone_is_none() {
    let incomplete =
        "data: {\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\",\"output\":[]}}\n\n";
    assert!(observe(&format!("{DELTA}{incomplete}")).is_done());
    assert!(!observe(&format!("{DELTA}{DONE}")).may_end());
}

#[test]
fn text_about_these_words_changes_nothing() {
    let text = DELTA.replace("hi", "\\\"type\\\":\\\"response.completed\\\" error response.failed .incomplete");
    let observer = observe(&format!("{DELTA}{text}"));
    assert!(!observer.is_complete() && observer.error().is_none());
    let quoted = "data: {\"type\":\"response.created\",\"response\":{\"instructions\":\"x\",\"tools\":[{\"type\":\"response.x.delta\"}]}}\n\n";
    assert!(!observe(quoted).has_content());
    let begun = "data: {\"type\":\"response.output_item.added\",\"item\":{\"type\":\"message\",\"content\":[]}}\n\n";
    assert!(!observe(begun).has_content());
    assert!(observe(&begun.replace("message", "web_search_call")).has_content());
}

#[test]
fn an_answer_tells_its_usage_or_the_error_it_is() {
    let body = last_response(recording!("llm-cli-basic.sse"));
    let usage = OpenAiResponses.parse_answer(body.to_string().as_bytes()).unwrap().unwrap().unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (11, 5));
    let error = |body: &str| OpenAiResponses.parse_answer(body.as_bytes()).unwrap().unwrap_err();
    assert_eq!(error(recording!("error-401.json")).code.as_deref(), Some("invalid_api_key"));
    assert_eq!(error(recording!("error-400-model.json")).code.as_deref(), Some("model_not_found"));
    let failed = r#"{"object":"response","status":"failed","error":{"code":"server_error","message":"m"},"output":[]}"#;
    assert_eq!(error(failed).message, "m");
    assert_eq!(error(r#"{"status":"failed","error":null}"#).message, "The response failed.");
    assert_eq!(OpenAiResponses.parse_answer(b"7").unwrap(), Ok(None));
    assert!(OpenAiResponses.parse_answer(b"<html>").is_err());
}

#[test]
fn an_error_event_has_its_members_where_each_client_looks() {
    let error = Error::ModelNotFound { model: "x".into() };
    let frame = OpenAiResponses.error_frame(&error);
    let data = frame.strip_prefix(b"event: error\ndata: ").unwrap();
    let event: Value = serde_json::from_slice(data).unwrap();
    assert_eq!((&event["type"], &event["sequence_number"]), (&"error".into(), &0.into()));
    for told in [&event, &event["error"]] {
        assert_eq!(told["code"], "model_not_found");
        assert!(told["message"].as_str().unwrap().starts_with("The model `x` does not exist here."));
    }
    assert_eq!(event["error"]["type"], "invalid_request_error");
}

#[test]
fn the_dialect_owns_its_url_and_what_is_below() {
    for path in ["/v1/responses", "/v1/responses/resp_1/cancel"] {
        assert!(OpenAiResponses.owns(path), "{path}");
    }
    assert!(!OpenAiResponses.owns("/v1/responses2") && !OpenAiResponses.owns("/v1/chat/completions"));
    let sample = OpenAiResponses.parse_request(OpenAiResponses.sample_request("m").as_bytes()).unwrap();
    assert!(sample.stream && sample.model.as_deref() == Some("m") && sample.expected_ends == 1);
}
