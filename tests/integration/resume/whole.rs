//! A stream that is kept, as one answer.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use sluicegate::canonical::{ChatAnswer, FinishReason, Part, Usage};
use sluicegate::dialect::{self, Delta, Dialect, Encoder, Observer, Sequencer, transcoder};
use sluicegate::error::Error;

use super::{TONGUES, begin, body, endless, name, proxy};
use crate::support::{
    Client, Proxy, Reply, Script, Tongue, Upstream, client, pairs, request, soon, until, with_header,
};

/// Asks for the stream called `name` as one answer.
async fn fetch(proxy: &Proxy, name: &str) -> Reply {
    let get = client().get(proxy.url(&format!("/v1/streams/{name}"))).header("accept", "application/json");
    Reply::of(soon("an answer", get.send()).await.unwrap()).await
}

/// Reads a whole stream, and returns its name.
async fn whole(proxy: &Proxy, tongue: Tongue) -> String {
    let mut reader = begin(proxy, tongue, None).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    name(&reader)
}

fn json(reply: &Reply) -> Value {
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{reply:?}");
    serde_json::from_str(&reply.body).unwrap()
}

#[tokio::test]
async fn a_finished_stream_is_told_as_the_answer_that_it_would_have_been() {
    for tongue in TONGUES {
        let upstream = Upstream::start(tongue.stream(&["eins", "zwei"])).await;
        let proxy = proxy(&upstream, tongue, |_| {}).await;
        let stream = whole(&proxy, tongue).await;
        let answer = json(&fetch(&proxy, &stream).await);
        assert_eq!(tongue.answer_text(&answer), Some("einszwei"), "{tongue:?}: {answer}");
        let dialect = dialect::find(tongue.name()).unwrap();
        let usage = dialect.parse_answer(answer.to_string().as_bytes()).unwrap().unwrap().unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (7, 9), "{tongue:?}: {answer}");
        // By the URL, for who cannot set a header; and events stay what everybody else gets.
        let by_url = Reply::of(proxy.get(&format!("/v1/streams/{stream}?format=json")).await).await;
        assert_eq!(json(&by_url), answer);
        let events = Reply::of(proxy.get(&format!("/v1/streams/{stream}")).await).await;
        assert_eq!(events.header("content-type"), "text/event-stream");
        assert_eq!(upstream.request_count(), 1);
    }
}

#[tokio::test]
async fn a_translated_stream_is_told_in_its_client_s_dialect() {
    for (client, speaks) in pairs().filter(|(client, speaks)| TONGUES.contains(client) && client != speaks) {
        let upstream = Upstream::start(speaks.stream(&["eins", "zwei"])).await;
        let proxy = proxy(&upstream, speaks, |_| {}).await;
        let mut reader = begin(&proxy, client, None).await;
        reader.read_until("\r\n0\r\n\r\n").await;
        let answer = json(&fetch(&proxy, &name(&reader)).await);
        assert_eq!(client.answer_text(&answer), Some("einszwei"), "{client:?} at {speaks:?}: {answer}");
        let id = ["id", "responseId"].into_iter().find_map(|name| answer[name].as_str()).unwrap().to_owned();
        assert!(body(&reader).contains(&id), "{client:?}: another name than in the stream: {answer}");
    }
}

#[tokio::test]
async fn every_choice_is_in_the_answer_and_the_elder_completions_keep_their_shape() {
    let chunk = |value: Value| format!("data: {value}\n\n");
    let choice = |index: u64, text: &str, finish: Value| json!({"index": index, "text": text, "logprobs": {"tokens": [text]}, "finish_reason": finish});
    let of = |choices: Value| json!({"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": choices});
    let script = Script::stream()
        .send(chunk(of(json!([choice(0, "a", Value::Null)]))))
        .send(chunk(of(json!([choice(1, "x", Value::Null), choice(0, "b", json!("stop"))]))))
        .send(chunk(of(json!([choice(1, "y", json!("length"))]))))
        .send("data: [DONE]\n\n")
        .end();
    let upstream = Upstream::start(script).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let mut reader = Client::connect(proxy.address).await;
    let post = request("/v1/completions", r#"{"model":"m","prompt":"hi","n":2,"stream":true}"#);
    reader.send(&with_header(&post, "x-sluicegate-resumable: true")).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    let answer = json(&fetch(&proxy, &name(&reader)).await);
    let expected = json!([
        {"index": 0, "text": "ab", "logprobs": {"tokens": ["a", "b"]}, "finish_reason": "stop"},
        {"index": 1, "text": "xy", "logprobs": {"tokens": ["x", "y"]}, "finish_reason": "length"},
    ]);
    assert_eq!((&answer["choices"], &answer["object"]), (&expected, &json!("text_completion")));
}

#[tokio::test]
async fn one_that_is_still_running_is_to_be_asked_for_again() {
    let upstream = Upstream::start(endless(Tongue::Chat)).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let mut reader = begin(&proxy, Tongue::Chat, None).await;
    reader.read_until("eins").await;
    let reply = fetch(&proxy, &name(&reader)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (202, "1"));
    let card: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!((&card["state"], &card["id"]), (&json!("running"), &json!(name(&reader))));
}

#[tokio::test]
async fn one_that_failed_or_was_stopped_is_an_error_and_never_a_part_of_an_answer() {
    for tongue in TONGUES {
        let begun = || tongue.head().send(tongue.begin()).send(tongue.text("eins")).wait(50);
        let failing = [begun().send(tongue.error_event("out of breath")).end(), begun().close()];
        for (script, why) in failing.into_iter().zip(["out of breath", "broke"]) {
            let upstream = Upstream::start(script).await;
            let proxy = proxy(&upstream, tongue, |_| {}).await;
            let stream = whole(&proxy, tongue).await;
            let reply = fetch(&proxy, &stream).await;
            assert!(reply.status >= 500, "{tongue:?}: {reply:?}");
            assert!(tongue.error_message(&reply.body).unwrap().contains(why), "{tongue:?}: {reply:?}");
            assert!(!reply.body.contains("eins"), "{reply:?}");
        }
        let upstream = Upstream::start(endless(tongue)).await;
        let proxy = proxy(&upstream, tongue, |config| config.resume.grace = Duration::from_millis(100)).await;
        let mut reader = begin(&proxy, tongue, None).await;
        reader.read_until("eins").await;
        let stream = name(&reader);
        drop(reader);
        until("a stream that is stopped", || upstream.connection_count() == 0).await;
        // Where streams are shared, its end is still to be written down.
        let reply = soon("the end of the stream", async {
            loop {
                let reply = fetch(&proxy, &stream).await;
                if reply.status != 202 {
                    break reply;
                }
            }
        });
        let reply = reply.await;
        assert_eq!(reply.status, 410, "{tongue:?}: {reply:?}");
        assert!(tongue.error_message(&reply.body).unwrap().contains("stopped"), "{tongue:?}: {reply:?}");
    }
}

#[tokio::test]
async fn one_whose_upstream_took_too_long_says_so_by_its_status() {
    let upstream = Upstream::start(endless(Tongue::Chat)).await;
    let proxy = proxy(&upstream, Tongue::Chat, |config| config.stream.idle_timeout = Duration::from_millis(200)).await;
    let stream = whole(&proxy, Tongue::Chat).await;
    let reply = fetch(&proxy, &stream).await;
    assert_eq!((reply.status, &reply.error()["code"]), (504, &json!("idle_timeout")));
}

#[tokio::test]
async fn one_whose_beginning_is_no_longer_kept_is_not_told_at_all() {
    let script = Tongue::Chat.head().send(Tongue::Chat.begin()).repeat(Tongue::Chat.text(&"x".repeat(2000)), 50);
    let upstream = Upstream::start(script.send(Tongue::Chat.end("")).end()).await;
    let proxy = proxy(&upstream, Tongue::Chat, |config| config.resume.max_stream_bytes = 20_000).await;
    let stream = whole(&proxy, Tongue::Chat).await;
    let reply = fetch(&proxy, &stream).await;
    assert_eq!((reply.status, &reply.error()["code"]), (404, &json!("stream_not_found")));
    assert_eq!(proxy.get(&format!("/v1/streams/{stream}?format=xml")).await.status(), 400);
}

// === Recordings ===

/// What an answer says, whatever it is written in.
#[derive(Debug, PartialEq)]
struct Said {
    text: String,
    thoughts: String,
    calls: Vec<(String, String, Value)>,
    reason: Option<FinishReason>,
    usage: Option<Usage>,
}

impl From<ChatAnswer> for Said {
    fn from(answer: ChatAnswer) -> Self {
        let (mut thoughts, mut calls) = (String::new(), Vec::new());
        let text = answer.text();
        for part in answer.parts {
            match part {
                Part::Reasoning { text, .. } => thoughts += &text,
                Part::ToolCall(call) => {
                    // What was cut off is no object, and whoever wants one finds none.
                    let arguments = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
                    calls.push((call.id, call.name, arguments));
                }
                _ => {}
            }
        }
        Self { text, thoughts, calls, reason: answer.finish.map(|finish| finish.reason), usage: answer.usage }
    }
}

struct Silent;

impl Encoder for Silent {
    fn start(&mut self, _: &ChatAnswer, _: &mut Vec<u8>) {}
    fn open(&mut self, _: &Part, _: &mut Vec<u8>) {}
    fn delta(&mut self, _: Delta<'_>, _: &mut Vec<u8>) {}
    fn close(&mut self, _: &Part, _: &mut Vec<u8>) {}
    fn finish(&mut self, _: &ChatAnswer, _: &mut Vec<u8>) {}
    fn fail(&mut self, _: &Error, _: &mut Vec<u8>) {}
}

/// What `stream` says, as those read it who translate it.
fn read(dialect: &'static dyn Dialect, stream: &[u8]) -> Said {
    let (mut decoder, mut out) = (dialect.decoder(), Vec::new());
    let mut sequencer = Sequencer::new(Box::new(Silent), dialect.name(), "p".to_owned(), "id".to_owned());
    for event in dialect.framing().events(stream) {
        let Some(data) = event.data.as_deref().filter(|_| !dialect.is_sign_of_life(&event)) else { continue };
        let data = String::from_utf8_lossy(data);
        decoder.decode(&event, &data, &mut |event| sequencer.take(event, &mut out));
    }
    decoder.finish(&mut |event| sequencer.take(event, &mut out));
    sequencer.finish(&mut out);
    sequencer.into_answer().into()
}

#[test]
fn every_recorded_stream_says_as_one_answer_what_it_says_as_a_stream() {
    let mut count = 0;
    for dialect in dialect::ALL.iter().filter(|dialect| dialect.name() != "ollama") {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dialect.name());
        for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_none_or(|extension| extension != "sse") {
                continue;
            }
            let stream = fs::read(&file).unwrap();
            let mut observer = Observer::new(*dialect, 1);
            observer.observe(&stream);
            if !observer.is_complete() || observer.error().is_some() {
                continue;
            }
            let mut events =
                dialect.framing().events(&stream).filter_map(|event| serde_json::from_slice(&event.data?).ok());
            let Some(answer) = dialect.gather(&mut events) else {
                assert!(String::from_utf8_lossy(&stream).contains("partialArgs"), "{}", file.display());
                continue;
            };
            let answer = answer.to_string();
            let (told, _) = transcoder::read_answer(*dialect, "p", "id", answer.as_bytes())
                .unwrap_or_else(|error| panic!("{}: {error}: {answer}", file.display()));
            assert_eq!(Said::from(told), read(*dialect, &stream), "{}", file.display());
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
}
