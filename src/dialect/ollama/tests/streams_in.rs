//! What the recorded streams say.

use super::super::Ollama;
use super::{Heard, fixture, usage};
use crate::canonical::{Finish, FinishReason};
use crate::dialect::Translate;
use crate::framing::Framing;

fn hear(stream: &str) -> Heard {
    let (mut decoder, mut heard) = (Ollama.decoder(), Heard::default());
    for event in Framing::JsonLines.events(stream.as_bytes()) {
        let Some(data) = event.data.as_deref() else { continue };
        decoder.decode(&event, str::from_utf8(data).unwrap(), &mut |event| heard.hear(event));
    }
    decoder.finish(&mut |event| heard.hear(event));
    heard
}

fn stop() -> Option<Finish<'static>> {
    Some(Finish::new(FinishReason::Stop, "stop"))
}

#[test]
fn text_is_put_together_from_its_lines() {
    let heard = hear(fixture!("chat-text-granite.ndjson"));
    let expected = "I am Granite, a language model developed by IBM in 2024. I am designed to understand and respond to a \
                    wide range of questions and prompts.";
    assert_eq!(heard.text, expected);
    assert_eq!((heard.model.as_str(), heard.usage, heard.finish), ("granite3-dense:8b", usage(37, 37), stop()));
}

#[test]
fn thoughts_come_before_the_text_and_apart_from_it() {
    let heard = hear(fixture!("chat-thinking-enabled.ndjson"));
    assert!(heard.thoughts.starts_with("The user says \"Test prompt\"."), "{}", heard.thoughts);
    assert!(!heard.text.is_empty() && !heard.text.contains("The user says"), "{}", heard.text);
    assert_eq!((heard.usage, heard.finish), (usage(69, 76), stop()));
}

#[test]
fn the_last_line_may_say_something_and_count_nothing() {
    let heard = hear(fixture!("chat-thinking-handwritten-no-counts.ndjson"));
    assert_eq!(heard.thoughts, "Let me think about that.First, I will consider relevant factors.");
    assert_eq!(heard.text, "Here is the answer: You should bring a light jacket. Have a great day!");
    assert_eq!((heard.usage, heard.finish), (None, stop()));
    let one_line = hear(fixture!("chat-text-after-tools.ndjson"));
    assert!(one_line.text.starts_with("<think>\nOkay") && one_line.text.contains("75° and sunny"));
    assert_eq!(one_line.usage, usage(306, 188));
}

#[test]
fn calls_on_several_lines_are_several_calls_whatever_their_index() {
    let heard = hear(fixture!("chat-two-tool-calls-separate-lines.ndjson"));
    let call = |name: &str, arguments: &str| (String::new(), name.to_owned(), arguments.to_owned());
    let weather = call("weather", r#"{"city":"Detroit"}"#);
    assert_eq!(heard.calls, [weather.clone(), call("search", r#"{"query":"Detroit Tigers game time today"}"#)]);
    assert_eq!((heard.text.as_str(), heard.finish), ("", stop()));
    assert_eq!(hear(fixture!("chat-multi-tool-conversation.ndjson")).calls, [weather]);
}

#[test]
fn a_completion_says_the_same_at_the_top() {
    let heard = hear(fixture!("generate-text-llama3-sync.ndjson"));
    assert!(heard.text.starts_with("A joke about OpenTelemetry! Here's one:\n\nWhy did"), "{}", heard.text);
    assert_eq!((heard.model.as_str(), heard.usage), ("llama3", usage(17, 71)));
    let emoji = hear(fixture!("stream-emoji.ndjson"));
    assert!(emoji.text.contains('😄') || !emoji.text.is_ascii(), "{}", emoji.text);
    assert_eq!(emoji.usage, usage(16, 51));
}

#[test]
fn a_call_keeps_its_id_and_the_spelling_of_its_arguments() {
    let line = |calls: &str| {
        hear(&format!("{{\"message\":{{\"content\":null,\"tool_calls\":[{calls}]}},\"done\":false}}\n")).calls
    };
    let with =
        |arguments: &str| line(&format!(r#"{{"id":"call_1","function":{{"name":"f","arguments":{arguments}}}}}"#));
    let expect = |arguments: &str| vec![("call_1".to_owned(), "f".to_owned(), arguments.to_owned())];
    assert_eq!(with(r#"{"b":1.50,"a":12345678901234567890123}"#), expect(r#"{"b":1.50,"a":12345678901234567890123}"#));
    assert_eq!(with("{}"), expect("{}"));
    assert_eq!(with("null"), expect("{}"));
    assert_eq!(with(r#""""#), expect("{}"));
    assert_eq!(with(r#""{\"a\":1}""#), expect(r#"{"a":1}"#));
    assert_eq!(line(r#"{"function":{"name":"f"}}"#), [(String::new(), "f".to_owned(), "{}".to_owned())]);
}

#[test]
fn probabilities_come_with_their_text_or_alone() {
    let line = r#"{"message":{"content":""},"logprobs":[{"token":"hi","logprob":-0.5,"bytes":[104,105],"top_logprobs":[{"token":"ho","logprob":-1.5}]}],"done":false}"#;
    let heard = hear(&format!("{line}\n"));
    let first = &heard.logprobs[0];
    assert_eq!((first.token.as_str(), first.logprob, first.bytes.as_deref()), ("hi", -0.5, Some(&b"hi"[..])));
    assert_eq!((first.top[0].token.as_str(), first.top[0].logprob), ("ho", -1.5));
    assert_eq!(hear("{\"response\":\"a\",\"logprobs\":7,\"done\":false}\n").text, "a");
}

#[test]
fn every_reason_has_a_meaning() {
    let finish = |word: &str| hear(&format!("{{\"response\":\"\",\"done\":true,\"done_reason\":{word}}}\n")).finish;
    let reason = |word: &str| finish(word).unwrap().reason;
    assert_eq!(reason("\"length\""), FinishReason::Length);
    assert_eq!((reason("\"load\""), reason("null")), (FinishReason::Stop, FinishReason::Stop));
    assert_eq!(finish("\"new\""), Some(Finish::new(FinishReason::Other, "new")));
}

#[test]
fn errors_garbage_and_foreign_lines_are_not_the_decoders_to_tell() {
    let noise = "{\"error\":\"no\"}\n\nnot json\n[]\n{\"message\":[1]}\n{\"status\":\"success\"}\n";
    assert_eq!(hear(noise), Heard::default());
}

#[test]
fn a_picture_is_noted() {
    assert_eq!(hear("{\"image\":\"iVBORw0\",\"done\":true}\n").unmapped, ["image"]);
}
