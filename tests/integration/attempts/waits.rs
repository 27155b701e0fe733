//! An upstream that says when it wants to be asked again is not asked before, and not waited for too long.

use std::time::{Duration, Instant, SystemTime};

use super::{NO, always, good, outcomes, proxy_before};
use crate::support::{ROLE, Script, Upstream};

fn limited(headers: &str, body: &str) -> Script {
    Script::response("429 Slow Down", &format!("content-type: application/json\r\n{headers}"), body)
}

#[tokio::test]
async fn every_form_of_retry_after_is_waited_for() {
    let in_two_seconds = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    let retry_info = r#"{"error":{"code":429,"message":"no","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"0.7s"}]}}"#;
    let in_the_stream = format!("data: {}\n\n", retry_info.replace('\n', ""));
    for (script, least) in [
        (limited(&format!("retry-after: {in_two_seconds}\r\n"), NO), 900),
        (limited("retry-after: 1\r\n", NO), 1000),
        (limited("retry-after-ms: 400\r\nretry-after: 1\r\n", NO), 400),
        (limited("", retry_info), 700),
        (Script::stream().send(ROLE).send(in_the_stream).end(), 700),
        (Script::response("503 Busy", "retry-after: 1\r\n", NO), 1000),
    ] {
        let upstream = Upstream::in_turn([script.clone(), Script::answer(&["rescued"])]).await;
        let proxy = proxy_before(&[&upstream], |_| {}).await;
        let asked = Instant::now();
        let reply = proxy.ask(true).await;
        assert!(reply.body.contains("rescued"), "{script:?} became {reply:?}");
        assert!(asked.elapsed() >= Duration::from_millis(least), "{script:?}: {:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn what_would_take_too_long_is_told_at_once_with_the_time_it_would_take() {
    let upstream = always(limited("retry-after: 30\r\n", NO)).await;
    let reply = proxy_before(&[&upstream], |_| {}).await.ask(true).await;
    assert_eq!((reply.status, reply.header("retry-after"), upstream.request_count()), (429, "30", 1));
}

#[tokio::test]
async fn an_error_in_a_stream_that_says_when_it_wants_to_be_asked_again_is_told_with_that_time() {
    let error = "data: {\"error\":{\"code\":429,\"message\":\"no\",\"details\":[{\"retryDelay\":\"29.2s\"}]}}\n\n";
    let upstream = always(Script::stream().send(error).end()).await;
    let reply = proxy_before(&[&upstream], |_| {}).await.ask(true).await;
    assert_eq!((reply.status, reply.header("retry-after"), upstream.request_count()), (429, "30", 1));
}

#[tokio::test]
async fn whoever_has_another_target_does_not_wait_and_asks_it_first_from_then_on() {
    let (first, second) = (always(limited("retry-after: 30\r\n", NO)).await, good().await);
    let proxy = proxy_before(&[&first, &second], |_| {}).await;
    let reply = proxy.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;429", "b/m;ok"]);
    for _ in 0..3 {
        assert_eq!(proxy.ask(true).await.header("x-sluicegate-attempts"), "");
    }
    assert_eq!([first.request_count(), second.request_count()], [1, 4]);
}

#[tokio::test]
async fn an_upstream_that_does_not_want_to_be_asked_again_is_not() {
    let upstream = always(Script::response("503 Busy", "x-should-retry: false\r\n", NO)).await;
    assert_eq!((proxy_before(&[&upstream], |_| {}).await.ask(true).await.status, upstream.request_count()), (503, 1));
}
