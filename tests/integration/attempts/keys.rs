//! A provider with several keys.

use sluicegate::config::provider::Provider;
use sluicegate::config::secret::Secret;

use super::{NO, always, good, outcomes, proxy_before};
use crate::support::{Proxy, Received, Script, Upstream, logs, provider};

const SPENT: &str = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
const CAPPED: &str = r#"{"type":"error","error":{"type":"rate_limit_error","message":"spend limit",
    "details":{"error_code":"enforced_spend_limit_reached"}}}"#;

fn with_keys(name: &str, upstream: &Upstream, keys: &[&str]) -> Provider {
    let api_keys = keys.iter().map(|key| Secret::new(key)).collect();
    Provider { api_keys, ..provider(name, &upstream.url()) }
}

/// A proxy before one upstream, called `a`, with two keys.
async fn proxy_with_keys(upstream: &Upstream) -> Proxy {
    proxy_before(&[upstream], |config| config.providers = vec![with_keys("a", upstream, &["key-one", "key-two"])]).await
}

/// An upstream that answers with `script` whoever comes with the first key, and well whoever comes with another.
async fn picky(script: Script) -> Upstream {
    Upstream::start_with(
        move |request| {
            if key(request) == "key-one" { script.clone() } else { Script::answer(&["rescued"]) }
        },
    )
    .await
}

fn key(request: &Received) -> String {
    request.header("authorization").unwrap().trim_start_matches("Bearer ").to_owned()
}

fn keys(upstream: &Upstream) -> Vec<String> {
    upstream.received().iter().map(key).collect()
}

#[tokio::test]
async fn keys_are_used_in_turn() {
    let upstream = good().await;
    let proxy = proxy_with_keys(&upstream).await;
    for _ in 0..4 {
        assert_eq!(proxy.ask(true).await.status, 200);
    }
    assert_eq!(keys(&upstream), ["key-one", "key-two", "key-one", "key-two"]);
}

#[tokio::test]
async fn a_key_that_is_refused_spent_or_limited_is_followed_by_the_next_and_left_alone() {
    let refused = |status| Script::json(status, NO);
    let limited = Script::response("429 Slow Down", "retry-after: 30\r\n", NO);
    for script in [
        refused("401 Unauthorized"),
        refused("403 Forbidden"),
        refused("402 Payment Required"),
        Script::json("429 Quota", SPENT),
        Script::json("429 Limit", CAPPED),
        limited,
    ] {
        let upstream = picky(script.clone()).await;
        let proxy = proxy_with_keys(&upstream).await;
        for _ in 0..6 {
            let reply = proxy.ask(true).await;
            assert!(reply.body.contains("rescued"), "{script:?} became {reply:?}");
        }
        let first = keys(&upstream).iter().filter(|key| *key == "key-one").count();
        assert_eq!((first, upstream.request_count()), (1, 7), "{script:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_refused_raises_an_alarm_that_does_not_show_it() {
    let upstream = picky(Script::json("401 Unauthorized", r#"{"error":{"message":"bad key key-one"}}"#)).await;
    let proxy = proxy_before(&[&upstream], |config| {
        config.providers = vec![with_keys("alarming", &upstream, &["key-one", "key-two"])];
        config.models.clear();
    })
    .await;
    let reply = proxy.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["alarming/m;401", "alarming/m;ok"]);
    let alarms: Vec<_> =
        logs::all().into_iter().filter(|line| line.get("provider").is_some_and(|name| name == "alarming")).collect();
    assert!(alarms.iter().any(|line| line.get("why").is_some_and(|why| why.contains("refused")) && line["key"] == "1"));
    assert!(!format!("{alarms:?}{:?}", reply.headers).contains("key-one"));
}

#[tokio::test]
async fn when_every_key_is_refused_nobody_else_is_asked_and_the_client_is_told() {
    let (first, second) = (always(Script::json("401 Unauthorized", NO)).await, good().await);
    let proxy = proxy_before(&[&first, &second], |config| {
        config.providers[0] = with_keys("a", &first, &["key-one", "key-two"]);
    })
    .await;
    let reply = proxy.ask(true).await;
    assert_eq!((reply.status, first.request_count(), second.request_count()), (401, 2, 0));
}

#[tokio::test]
async fn a_sole_key_that_is_spent_is_no_reason_to_ask_again_but_one_to_ask_elsewhere() {
    for script in [Script::json("429 Quota", SPENT), Script::json("402 Payment Required", NO)] {
        let (alone, second) = (always(script.clone()).await, good().await);
        assert_ne!(proxy_before(&[&alone], |_| {}).await.ask(true).await.status, 200);
        assert_eq!(alone.request_count(), 1, "{script:?}");
        let reply = proxy_before(&[&alone, &second], |_| {}).await.ask(true).await;
        assert!(reply.body.contains("rescued"), "{script:?}");
    }
}

/// What is stored at a provider belongs to whoever stored it.
#[tokio::test]
async fn what_is_of_no_model_goes_with_the_first_key() {
    let upstream = always(Script::json("200 OK", "{}")).await;
    let proxy = proxy_with_keys(&upstream).await;
    for _ in 0..3 {
        assert_eq!(proxy.get("/v1/files/f").await.status(), 200);
    }
    assert_eq!(keys(&upstream), ["key-one"; 3]);
}
