//! What the client, and the log, are told of the attempts.

use std::time::Duration;

use sluicegate::config::provider::Provider;
use sluicegate::config::secret::Secret;

use super::{ANSWER, NO, always, good, outcomes, proxy_at, proxy_before};
use crate::support::{Script, nowhere, provider};

fn limited(seconds: &str) -> Script {
    Script::response("429 Slow", &format!("retry-after: {seconds}\r\n"), NO)
}

#[tokio::test]
async fn a_first_attempt_that_succeeds_is_not_worth_a_word() {
    for stream in [true, false] {
        let script = if stream { Script::answer(&["hi"]) } else { Script::json("200 OK", ANSWER) };
        let upstream = always(script).await;
        let proxy = proxy_before(&[&upstream], |_| {}).await;
        let reply = proxy.ask(stream).await;
        assert_eq!((reply.status, reply.header("x-sluicegate-attempts")), (200, ""));
        assert!(!proxy.log_line(reply.request_id()).await.contains_key("attempts"));
    }
}

#[tokio::test]
async fn every_attempt_is_told_with_its_target_its_outcome_and_its_time() {
    let slow = Script::default().wait(120).append(Script::json("503 Busy", NO));
    for stream in [true, false] {
        let good = if stream { Script::answer(&["hi"]) } else { Script::json("200 OK", ANSWER) };
        let (first, second) = (always(slow.clone()).await, always(good).await);
        let proxy = proxy_before(&[&first, &second], |_| {}).await;
        let reply = proxy.ask(stream).await;
        let told = reply.header("x-sluicegate-attempts").to_owned();
        assert_eq!(outcomes(&told), ["a/m;503", "b/m;ok"]);
        let first: u64 = told.split(", ").next().unwrap().rsplit(';').next().unwrap().parse().unwrap();
        assert!(first >= 120, "{told}");
        assert_eq!(proxy.log_line(reply.request_id()).await["attempts"], told);
    }
}

#[tokio::test]
async fn when_all_have_had_enough_the_client_is_told_when_the_first_has_not_any_more() {
    let upstreams = [always(limited("40")).await, always(limited("20")).await, always(limited("30")).await];
    let proxy = proxy_before(&[&upstreams[0], &upstreams[1], &upstreams[2]], |_| {}).await;
    for stream in [true, false] {
        let reply = proxy.ask(stream).await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, "20"));
        assert_eq!(reply.error()["message"], "no");
    }
}

#[tokio::test]
async fn the_last_failure_is_told_with_its_own_status() {
    let first = always(limited("40")).await;
    for (script, status, kind) in [
        (Script::json("500 Oops", r#"{"error":{"message":"words"}}"#), 500, "upstream_status"),
        (Script::json("529 Busy", r#"{"error":{"message":"words"}}"#), 529, "upstream_status"),
        (Script::default().reset(), 502, "upstream_connection_broken"),
        (Script::stream().send(": x\n\n").end(), 502, "upstream_truncated"),
        (Script::silence(), 504, "headers_timeout"),
    ] {
        let second = always(script.clone()).await;
        let proxy = proxy_before(&[&first, &second], |config| {
            config.stream.headers_timeout = Duration::from_millis(200);
            config.retry.max_attempts = 2.try_into().unwrap();
        })
        .await;
        let reply = proxy.ask(true).await;
        assert_eq!((reply.status, reply.header("x-sluicegate-error")), (status, kind), "{script:?}");
        assert_eq!(outcomes(reply.header("x-sluicegate-attempts"))[0], "a/m;429");
        assert_ne!(reply.header("retry-after"), "40", "that is the first one's");
    }
}

#[tokio::test]
async fn nothing_told_of_an_attempt_shows_where_it_went_or_with_what() {
    let gone = nowhere();
    let proxy = proxy_at(std::slice::from_ref(&gone), |config| {
        config.providers[0] = Provider { api_key: Some(Secret::new("sk-canary-canary")), ..provider("a", &gone) };
    })
    .await;
    let reply = proxy.ask(true).await;
    assert_eq!(reply.status, 502);
    let told = format!("{:?}{}", reply.headers, reply.body);
    let port = gone.rsplit(':').next().unwrap().trim_end_matches("/v1");
    assert!(!told.contains("canary") && !told.contains(port) && !told.contains("127.0.0.1"), "{told}");
}

/// Where a client chose the name, it may be any.
#[tokio::test]
async fn a_name_that_no_header_can_hold_is_told_all_the_same() {
    let upstream = always(Script::json("400 No", NO)).await;
    let second = good().await;
    let proxy = proxy_before(&[&upstream, &second], |config| {
        config.models.clear();
    })
    .await;
    let body = serde_json::json!({ "model": "a/é\r\nx: y, z;1", "messages": [], "stream": true }).to_string();
    let reply = crate::support::Reply::of(proxy.post("/v1/chat/completions", body).await).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/???x:?y??z?1;400"]);
    assert_eq!(reply.header("x"), "");
}
