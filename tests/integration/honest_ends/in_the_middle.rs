//! From the first frame on, a failure is one error event, and nothing says that all is well.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{logged, reply_to};
use crate::support::{DONE, FINISH, Proxy, ROLE, Reply, Script, Upstream, fixture, token};

/// What the client has got before anything goes wrong.
fn begun() -> String {
    [ROLE, &token("one")].concat()
}

/// What a client gets of streams that begin well and, once it has their head, go on as `scripts` say.
async fn replies_to_begun(scripts: &[Script]) -> Vec<Reply> {
    let cue = Arc::new(Notify::new());
    let whole = |script: &Script| Script::stream().send(begun()).cue(&cue).append(script.clone());
    let upstream = Upstream::in_turn(scripts.iter().map(whole)).await;
    let proxy = Proxy::before(&upstream).await;
    let mut replies = Vec::new();
    for _ in scripts {
        let head = proxy.chat(true).await;
        cue.notify_one();
        replies.push(Reply::of(head).await);
    }
    replies
}

/// What a client gets of a stream that begins and goes on as `script` says.
async fn reply_to_begun(script: Script) -> Reply {
    replies_to_begun(&[script]).await.remove(0)
}

/// What a client gets of a recorded stream, and what the log tells of it. The first two events come by themselves.
async fn replayed(recording: &str) -> (Reply, (String, Option<String>)) {
    let data = recording.find("data: ").unwrap();
    let (second, _) = recording[data..].match_indices("\n\n").nth(1).unwrap();
    let begun = data + second + 2;
    let cue = Arc::new(Notify::new());
    let (start, rest) = recording.split_at(begun);
    let script = Script::stream().send(start.to_owned()).cue(&cue).send(rest.to_owned()).end();
    let upstream = Upstream::start(script).await;
    let proxy = Proxy::before(&upstream).await;
    let head = proxy.chat(true).await;
    cue.notify_one();
    let reply = Reply::of(head).await;
    let log = logged(&reply).await;
    (reply, log)
}

fn upstream_failed(error: &str) -> (String, Option<String>) {
    ("upstream_failed".to_owned(), Some(error.to_owned()))
}

fn completed() -> (String, Option<String>) {
    ("completed".to_owned(), None)
}

/// The rest of a stream.
fn then() -> Script {
    Script::default()
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_in_one_error() {
    let half = "data: {\"choices\":[{\"delta\":{\"con";
    let (truncated, broken) = ("upstream_truncated", "upstream_connection_broken");
    let cases = [
        (then().end(), truncated),
        (then().send(half).end(), truncated),
        (then().close(), broken),
        (then().reset(), broken),
        (then().send(half).close(), broken),
        (then().send(half).reset(), broken),
        (then().then_raw("ff\r\ndata: {\"choices\"").close(), broken),
        (then().then_raw("no length\r\n").hang(), broken),
    ];
    let scripts = cases.clone().map(|(script, _)| script);
    for ((script, code), reply) in cases.iter().zip(replies_to_begun(&scripts).await) {
        assert_eq!(reply.status, 200, "{script:?}");
        assert_eq!(reply.error_event()["code"], *code, "{script:?}");
        assert_eq!(reply.body.strip_prefix(&begun()).unwrap().matches("data:").count(), 1, "{script:?} gave {reply:?}");
        assert_eq!(logged(&reply).await, upstream_failed(code), "{script:?}");
    }
}

#[tokio::test]
async fn a_stream_without_chunks_that_is_cut_ends_in_one_error() {
    for (framing, code) in
        [("connection: close", "upstream_truncated"), ("content-length: 9999", "upstream_connection_broken")]
    {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}\r\n\r\n");
        let reply = reply_to(Script::raw(head + &begun()).close(), true).await;
        assert!(reply.body.starts_with(&begun()), "{reply:?}");
        assert_eq!(reply.error_event()["code"], code);
    }
}

#[tokio::test]
async fn an_error_event_of_the_upstream_passes_as_it_is_and_no_second_one_follows() {
    let error = "data: {\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\"}}\n\n";
    let named = format!("event: error\n{error}");
    for (scripts, text) in [
        ([then().send(error).end(), then().send(error).close(), then().send(error.trim_end()).end()], error),
        (
            [
                then().send(named.clone()).end(),
                then().send(named.clone()).reset(),
                then().send(named.trim_end().to_owned()).end(),
            ],
            &named,
        ),
    ] {
        for (script, reply) in scripts.iter().zip(replies_to_begun(&scripts).await) {
            assert_eq!(reply.body, begun() + text, "{script:?}");
            assert_eq!(logged(&reply).await, upstream_failed("upstream_error"), "{script:?}");
        }
    }
}

#[tokio::test]
async fn an_error_event_of_the_upstream_is_an_error_whatever_follows_it() {
    let error = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";
    for (script, behind) in [
        (then().send(error).send(DONE).end(), DONE),
        (then().send(error).send(DONE).hang(), DONE),
        (then().send(error).send(FINISH).reset(), FINISH),
    ] {
        let reply = reply_to_begun(script.clone()).await;
        assert_eq!(reply.body, [&begun(), error, behind].concat(), "{script:?}");
        assert_eq!(logged(&reply).await, upstream_failed("upstream_error"), "{script:?}");
    }
}

#[tokio::test]
async fn an_error_where_clients_do_not_look_is_put_where_they_do_and_no_done_hides_it() {
    for hidden in [
        "error: {\"code\":500,\"message\":\"out of memory\"}\n\n",
        "data: {\"object\":\"error\",\"message\":\"out of memory\",\"code\":500}\n\n",
        "event: error\ndata: {\"message\":\"out of memory\"}\n\n",
        "event: error\ndata: out of memory\n\n",
    ] {
        let scripts = [
            then().send(hidden).end(),
            then().send(hidden).send(DONE).end(),
            then().send([hidden, DONE].concat()).hang(),
            then().send([&token("two"), hidden, DONE].concat()).end(),
        ];
        for (script, reply) in scripts.iter().zip(replies_to_begun(&scripts).await) {
            assert_eq!(reply.error_event()["message"], "out of memory", "{script:?}");
            assert!(reply.body.starts_with(&begun()), "{script:?} gave {reply:?}");
            assert_eq!(reply.body.contains("two"), format!("{script:?}").contains("two"), "{script:?} gave {reply:?}");
            assert_eq!(logged(&reply).await, upstream_failed("upstream_error"), "{script:?}");
        }
    }
}

#[tokio::test]
async fn an_error_that_the_end_cuts_short_is_an_error() {
    for cut in [
        "error: {\"message\":\"out of memory\"}",
        "event: error\ndata: {\"message\":\"out of memory\"}\n",
        "{\n  \"error\": {\n    \"message\": \"out of memory\"\n  }\n}\n",
    ] {
        let reply = reply_to_begun(then().send(cut).end()).await;
        assert_eq!(reply.error_event()["message"], "out of memory", "{cut}");
    }
}

#[tokio::test]
async fn a_recorded_error_event_with_a_name_passes_as_it_is() {
    let recording = fixture("openai-chat/groq-mid-stream-event-error-tool-use-failed.sse");
    let (reply, log) = replayed(&recording).await;
    assert_eq!(reply.body, recording);
    assert!(reply.error_event()["message"].as_str().unwrap().starts_with("Tool call validation failed"));
    assert_eq!(log, upstream_failed("upstream_error"));
}

#[tokio::test]
async fn a_recorded_error_field_becomes_an_error_event() {
    let recording = fixture("openai-chat/gpustack-llamacpp-error-field-line-mid-stream.sse");
    let (reply, log) = replayed(&recording).await;
    assert!(reply.body.starts_with(&recording[..recording.find("error: {").unwrap()]));
    let message = "failed to decode, try again, increasing context size or reducing parallel";
    assert_eq!(reply.error_event()["message"], message);
    assert_eq!(log, upstream_failed("upstream_error"));
}

#[tokio::test]
async fn a_recorded_error_behind_a_finish_reason_passes_and_counts() {
    let recording = fixture("openai-chat/openrouter-error-chunk-after-finish-length.sse");
    let (reply, log) = replayed(&recording).await;
    assert_eq!(reply.body, recording);
    assert_eq!(log, upstream_failed("upstream_error"));
}

#[tokio::test]
async fn a_finish_reason_makes_an_answer_whole_however_the_connection_ends() {
    let finished = || then().send(FINISH);
    let scripts = [finished().end(), finished().close(), finished().reset(), finished().send("data: {\"cho").close()];
    for (script, reply) in scripts.iter().zip(replies_to_begun(&scripts).await) {
        assert_eq!(reply.body, begun() + FINISH, "{script:?}");
        assert_eq!(logged(&reply).await, completed(), "{script:?}");
    }
}

#[tokio::test]
async fn done_makes_an_answer_whole_without_a_finish_reason() {
    let recording = fixture("openai-chat/snowflake-no-finish-reason-empty-ids.sse");
    let (reply, log) = replayed(&recording).await;
    assert_eq!(reply.body, recording);
    assert_eq!(log, completed());
}

#[tokio::test]
async fn a_done_without_its_empty_line_is_given_one() {
    let reply = reply_to_begun(then().send(FINISH).send("data: [DONE]").end()).await;
    assert_eq!(reply.body, [&begun(), FINISH, DONE].concat());
    assert_eq!(logged(&reply).await, completed());
}

#[tokio::test]
async fn every_choice_must_finish() {
    let second = FINISH.replace("\"index\":0", "\"index\":1");
    let begun = || Script::stream().send(begun()).send(FINISH);
    let upstream = Upstream::in_turn([begun().end(), begun().send(second).end()]).await;
    let proxy = Proxy::before(&upstream).await;
    let ask = async || {
        let body = r#"{"model":"m","stream":true,"n":2,"messages":[]}"#;
        Reply::of(proxy.post("/v1/chat/completions", body).await).await
    };
    assert_eq!(ask().await.error_event()["code"], "upstream_truncated");
    assert!(!ask().await.body.contains("\"error\""));
}

#[tokio::test]
async fn done_ends_the_response_although_the_upstream_leaves_its_connection_open() {
    let mut upstream = Upstream::start(Script::stream().send([&begun(), FINISH, DONE].concat()).hang()).await;
    let proxy = Proxy::before(&upstream).await;
    let reply = proxy.ask(true).await;
    assert!(reply.body.ends_with(DONE));
    assert_eq!(logged(&reply).await, completed());
    upstream.abandoned().await;
}

#[tokio::test]
async fn a_stream_of_another_endpoint_may_end_unannounced_but_not_break() {
    let event = "data: {\"type\":\"speech.audio.delta\",\"audio\":\"aGk=\"}\n\n";
    let begun = || Script::stream().send(event);
    let upstream = Upstream::in_turn([begun().end(), begun().close(), begun().reset()]).await;
    let proxy = Proxy::before(&upstream).await;
    let ask = async || Reply::of(proxy.post("/v1/audio/speech", r#"{"model":"m","stream_format":"sse"}"#).await).await;
    let whole = ask().await;
    assert_eq!(whole.body, event);
    assert_eq!(logged(&whole).await, completed());
    for _ in 0..2 {
        let broken = ask().await;
        assert_eq!(broken.error_event()["code"], "upstream_connection_broken");
        assert_eq!(logged(&broken).await, upstream_failed("upstream_connection_broken"));
    }
}
