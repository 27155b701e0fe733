//! What is learned of a stream, event by event. Recorded streams are read in `tests/integration/observer.rs`.

use crate::canonical::Usage;
use crate::dialect::Anthropic;
use crate::dialect::Observer;

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[],\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\n";
const BLOCK: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const PING: &str = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
const TOKEN: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}    }\n\n";
const DELTA: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9,\"output_tokens_details\":{\"thinking_tokens\":4}}}\n\n";
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn observe(runs: &[&str]) -> Observer {
    let mut observer = Observer::new(&Anthropic, 1);
    for run in runs {
        observer.observe(run.as_bytes());
    }
    observer
}

#[test]
fn later_usage_overrides_what_it_names_and_keeps_the_rest() {
    let usage = observe(&[START, TOKEN, DELTA]).usage();
    let expected = Usage {
        input_tokens: 115,
        cached_input_tokens: 100,
        cache_write_input_tokens: 10,
        output_tokens: 9,
        reasoning_output_tokens: 4,
    };
    assert_eq!(usage, Some(expected));
}

#[test]
fn a_ping_is_a_sign_of_life_and_nothing_else() {
    assert!(!observe(&[PING]).has_begun());
    assert!(!observe(&[PING, START]).has_begun(), "a message that is empty so far");
    assert!(!observe(&[START, BLOCK, PING]).has_content());
    assert!(observe(&[START, BLOCK, TOKEN]).has_content());
}

#[test]
fn a_call_of_a_tool_begins_with_its_name() {
    let block = BLOCK.replace(r#"{"type":"text","text":""}"#, r#"{"type":"tool_use","name":"f","input":{}}"#);
    assert!(observe(&[START, &block]).has_content());
}

#[test]
fn an_error_is_seen_by_its_name_alone() {
    let error = "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let named = format!("event: error\n{error}");
    let passed = |frame: &str| Observer::new(&Anthropic, 1).observe([TOKEN, frame, STOP].concat().as_bytes());
    assert_eq!(passed(&named), [TOKEN, &named, STOP].concat().len());
    assert_eq!(passed(error), TOKEN.len());
    let told = observe(&[START, TOKEN, &named]);
    assert_eq!(told.error().unwrap().r#type.as_deref(), Some("overloaded_error"));
    assert!(told.hidden_error().is_none() && !told.may_end());
    assert_eq!(observe(&["event: error\ndata: gone\n\n"]).error().unwrap().message, "gone");
}

#[test]
fn text_about_these_words_changes_nothing() {
    let text = TOKEN.replace("hi", "\\\"message_stop\\\" event: error {\\\"type\\\":\\\"message_delta\\\"}");
    let observer = observe(&[START, TOKEN, &text]);
    assert!(!observer.is_complete() && observer.error().is_none());
    assert!(observe(&[&text]).has_content());
}

#[test]
fn what_is_not_known_yet_is_the_clients_to_understand() {
    let observer = observe(&[START, "event: new\ndata: {\"type\":\"new\",\"message\":7}\n\n", "data: {}\n\n"]);
    assert!(!observer.is_garbled() && observer.error().is_none() && !observer.has_content());
    assert!(observe(&[START, "data: <html>\n\n"]).is_garbled());
}

#[test]
fn a_last_event_without_its_empty_line_is_an_event() {
    let mut observer = observe(&[START, TOKEN]);
    assert_eq!(observer.observe_rest(STOP.trim_end().as_bytes()).as_deref(), Some(STOP.as_bytes()));
    assert!(observer.is_complete());
    assert_eq!(observe(&[START]).observe_rest(b"event: message_stop"), None);
    assert_eq!(observe(&[START]).observe_rest(&STOP.as_bytes()[..STOP.len() - 5]), None);
}
