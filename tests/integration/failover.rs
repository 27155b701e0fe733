//! A model with several targets: the next one is asked when one fails in a way that says nothing about the request.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::config::model::{Model, Target};
use tokio::sync::Notify;

use crate::support::{Proxy, ROLE, Reply, Script, Upstream, logs, nowhere, provider, soon, token};

/// A proxy whose model `m` is at the first and, failing that, at the second of two providers.
async fn proxy_before([first, second]: [String; 2], change: impl FnOnce(&mut Config)) -> Proxy {
    let mut config = Config::for_testing();
    config.providers = vec![provider("first", &first), provider("second", &second)];
    let targets = vec![Target::new("first", "model-one"), Target::new("second", "vendor/model-two")];
    config.models.push(Model { name: "m".to_owned(), targets, ..Model::default() });
    change(&mut config);
    Proxy::start(config).await
}

/// What a client gets when the first target follows `script`, and how often the second one was asked.
async fn reply_and_retries(script: Script, stream: bool) -> (Reply, usize) {
    let good = if stream { Script::answer(&["rescued"]) } else { Script::json("200 OK", ANSWER) };
    let (first, second) = (Upstream::start(script).await, Upstream::start(good).await);
    let proxy = proxy_before([first.url(), second.url()], |_| {}).await;
    let reply = proxy.ask(stream).await;
    assert_eq!(first.request_count(), 1, "no target is asked twice");
    (reply, second.request_count())
}

const ANSWER: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"rescued"},"finish_reason":"stop"}]}"#;

async fn provider_in_log(reply: &Reply) -> String {
    soon("a log line", logs::line_of(reply.request_id())).await.remove("provider").unwrap()
}

#[tokio::test]
async fn a_target_that_cannot_be_reached_is_followed_by_the_next() {
    for stream in [true, false] {
        let good = if stream { Script::answer(&["rescued"]) } else { Script::json("200 OK", ANSWER) };
        let second = Upstream::start(good).await;
        let reply = proxy_before([nowhere(), second.url()], |_| {}).await.ask(stream).await;
        assert_eq!(reply.status, 200);
        assert!(reply.body.contains("rescued"));
        assert_eq!(provider_in_log(&reply).await, "second");
    }
}

#[tokio::test]
async fn a_target_that_fails_is_followed_by_the_next() {
    for status in ["429 Too Many Requests", "500 Oops", "502 Bad Gateway", "503 Unavailable", "529 Overloaded"] {
        for stream in [true, false] {
            let (reply, retries) =
                reply_and_retries(Script::json(status, r#"{"error":{"message":"no"}}"#), stream).await;
            assert_eq!((reply.status, retries), (200, 1), "{status}");
            assert!(reply.body.contains("rescued"));
        }
    }
}

#[tokio::test]
async fn a_target_that_sends_no_stream_is_followed_by_the_next() {
    for script in [
        Script::stream().send("data: {\"error\":{\"message\":\"crashed\"}}\n\n").end(),
        Script::stream().send("data: {\"error\":{\"message\":\"slow down\",\"code\":429}}\n\n").end(),
        Script::stream().send(": comment\n\n").close(),
        Script::response("200 OK", "content-type: text/html\r\n", "<html>"),
        Script::json("200 OK", r#"{"error":"loading"}"#),
        Script::default().close(),
    ] {
        let about = format!("{script:?}");
        let (reply, retries) = reply_and_retries(script, true).await;
        assert_eq!((reply.status, retries), (200, 1), "{about}");
        assert!(reply.body.contains("rescued") && !reply.body.contains("error"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_target_that_refuses_the_request_is_the_last() {
    for status in ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "422 Unprocessable"] {
        for stream in [true, false] {
            let (reply, retries) =
                reply_and_retries(Script::json(status, r#"{"error":{"message":"no"}}"#), stream).await;
            assert_eq!((reply.status.to_string().as_str(), retries), (&status[..3], 0));
        }
    }
    for error in [r#"{"message":"too long","code":400}"#, r#"{"message":"too long","type":"invalid_request_error"}"#] {
        let script = Script::stream().send(format!("data: {{\"error\":{error}}}\n\n")).end();
        let (reply, retries) = reply_and_retries(script, true).await;
        assert_eq!((reply.status, retries), (400, 0), "{error}");
    }
}

#[tokio::test]
async fn a_stream_that_has_begun_is_never_begun_anew() {
    for script in [
        Script::stream().send([ROLE, &token("one")].concat()).close(),
        Script::stream().send([ROLE, &token("one")].concat()).reset(),
        Script::stream().send(token("one")).wait(50).send("data: {\"error\":{\"message\":\"crashed\"}}\n\n").end(),
    ] {
        let about = format!("{script:?}");
        let (reply, retries) = reply_and_retries(script, true).await;
        assert_eq!((reply.status, retries), (200, 0), "{about}");
        reply.error_event();
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_is_asked_for_anew() {
    let cut = Script::head("200 OK", "content-type: application/json\r\n").send("{\"choices\":[").close();
    let (reply, retries) = reply_and_retries(cut, false).await;
    assert_eq!((reply.status, reply.body.as_str(), retries), (200, ANSWER, 1));
}

#[tokio::test]
async fn every_target_is_asked_for_its_own_model_with_everything_else_untouched() {
    let failing = Upstream::start(Script::json("500 Oops", "{}")).await;
    let good = Upstream::start(Script::answer(&["rescued"])).await;
    let proxy = proxy_before([failing.url(), good.url()], |_| {}).await;
    let body =
        |model: &str| format!("{{ \"x\": 1.50, \"model\" : \"{model}\", \"stream\":true,\"messages\":[\"\\u00e9\"] }}");
    Reply::of(proxy.post("/v1/chat/completions", body("m")).await).await;
    assert_eq!(failing.received()[0].body, body("model-one"));
    assert_eq!(good.received()[0].body, body("vendor/model-two"));
}

#[tokio::test]
async fn when_every_target_fails_the_last_one_is_told() {
    let first = Upstream::start(Script::json("500 Oops", r#"{"error":{"message":"first"}}"#)).await;
    let last = Script::response("429 Slow", "retry-after: 9\r\n", r#"{"error":{"message":"second"}}"#);
    let second = Upstream::start(last).await;
    let proxy = proxy_before([first.url(), second.url()], |config| {
        config.retry.max_attempts = NonZeroU32::new(2).unwrap();
    })
    .await;
    for stream in [true, false] {
        let reply = proxy.ask(stream).await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, "9"));
        assert_eq!(reply.error()["message"], "second");
        assert_eq!(provider_in_log(&reply).await, "second");
    }
}

#[tokio::test]
async fn a_target_that_is_silent_too_long_is_followed_by_the_next() {
    let (mut first, second) =
        (Upstream::start(Script::silence()).await, Upstream::start(Script::answer(&["rescued"])).await);
    let proxy = proxy_before([first.url(), second.url()], |config| {
        config.stream.headers_timeout = Duration::from_millis(150);
    })
    .await;
    let reply = proxy.ask(true).await;
    assert!(reply.body.contains("rescued"));
    first.abandoned().await;
}

#[tokio::test]
async fn when_the_time_for_the_whole_stream_is_up_nobody_else_is_asked() {
    let (first, second) = (Upstream::start(Script::silence()).await, Upstream::start(Script::answer(&["late"])).await);
    let proxy = proxy_before([first.url(), second.url()], |config| {
        config.stream.total_timeout = Some(Duration::from_millis(150));
    })
    .await;
    let reply = proxy.ask(true).await;
    assert_eq!(reply.error()["code"], "total_timeout");
    assert_eq!(second.request_count(), 0);
}

#[tokio::test]
async fn the_next_target_may_still_be_asked_after_the_head_went_out() {
    let cue = Arc::new(Notify::new());
    let first = Upstream::start(Script::default().cue(&cue).append(Script::json("500 Oops", "{}"))).await;
    let second = Upstream::start(Script::answer(&["rescued"])).await;
    let proxy = proxy_before([first.url(), second.url()], |config| {
        config.stream.commit_after = Duration::from_millis(50);
    })
    .await;
    let head = proxy.chat(true).await;
    cue.notify_one();
    let reply = Reply::of(head).await;
    assert!(reply.body.contains("rescued") && !reply.body.contains("error"), "{reply:?}");
    assert_eq!(provider_in_log(&reply).await, "second");
}
