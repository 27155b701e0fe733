//! What an upstream refuses, and what cannot be asked of it.

use serde_json::json;

use super::{ask, proxy, proxy_configured};
use crate::support::{Reply, Tongue, Upstream, pairs, speaker};

#[tokio::test]
async fn a_refusal_keeps_its_status_and_its_words_in_the_client_s_dialect() {
    for (client, upstream_speaks) in pairs() {
        for (stream, status) in [(true, 400), (true, 404), (false, 429), (true, 500)] {
            let about = format!("{client:?} at {upstream_speaks:?}");
            let upstream = Upstream::start(upstream_speaks.refusal(status, "not like this")).await;
            let proxy = proxy(&upstream, upstream_speaks).await;
            let reply = ask(&proxy, client, stream).await;
            assert_eq!(reply.status, status, "{about}: {reply:?}");
            assert_eq!(client.error_message(&reply.body).as_deref(), Some("not like this"), "{about}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn an_overloaded_upstream_is_told_as_each_client_s_own_would() {
    for (client, status) in [(Tongue::Anthropic, 529), (Tongue::Chat, 503), (Tongue::Ollama, 503)] {
        let overloaded = if client == Tongue::Anthropic { Tongue::Chat } else { Tongue::Anthropic };
        let upstream =
            Upstream::start(overloaded.refusal(if client == Tongue::Anthropic { 503 } else { 529 }, "later")).await;
        let proxy = proxy(&upstream, overloaded).await;
        assert_eq!(ask(&proxy, client, true).await.status, status, "{client:?}");
    }
}

#[tokio::test]
async fn what_changes_the_answer_and_cannot_be_said_is_refused_by_its_name_and_never_sent() {
    let upstream = Upstream::start(Tongue::Anthropic.answer("hi")).await;
    let proxy = proxy(&upstream, Tongue::Anthropic).await;
    let mut body = Tongue::Chat.request(false);
    body["seed"] = json!(7);
    let reply = Reply::of(proxy.post("/v1/chat/completions", body.to_string()).await).await;
    let error = reply.error();
    assert_eq!((reply.status, &error["param"], &error["code"]), (400, &json!("seed"), &json!("unsupported_parameter")));
    assert!(error["message"].as_str().unwrap().starts_with("`seed` cannot be passed on: "), "{error}");
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_lenient_proxy_sends_the_rest_and_says_what_it_dropped() {
    let upstream = Upstream::start(Tongue::Anthropic.answer("hi")).await;
    let proxy = proxy_configured(&upstream, Tongue::Anthropic, |config| config.translation.lenient = true).await;
    let mut body = Tongue::Chat.request(false);
    (body["seed"], body["metadata"]) = (json!(7), json!({"a": "b"}));
    let reply = Reply::of(proxy.post("/v1/chat/completions", body.to_string()).await).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let mut dropped: Vec<&str> = reply.header("x-sluicegate-dropped").split(", ").collect();
    dropped.sort_unstable();
    assert_eq!(dropped, ["metadata", "seed"]);
    let logged = proxy.log_line(reply.request_id()).await;
    assert_eq!(logged["translated"], "anthropic");
    assert!(logged["dropped"].contains("seed"));
}

#[tokio::test]
async fn a_target_of_another_dialect_is_asked_in_its_turn_and_one_that_cannot_be_asked_is_passed_over() {
    let (first, second, third) = (
        Upstream::start(Tongue::Chat.refusal(503, "busy")).await,
        Upstream::start(Tongue::Anthropic.stream(&["never"])).await,
        Upstream::start(Tongue::Gemini.stream(&["rescued"])).await,
    );
    let proxy = proxy_configured(&first, Tongue::Chat, |config| {
        config.providers.push(speaker("anthropic", "second", &second.url()));
        config.providers.push(speaker("gemini", "third", &third.url()));
        let targets = r#"name = "m"
            targets = ["upstream/a", "second/b", "third/m"]"#;
        config.models = vec![toml::from_str(targets).unwrap()];
    })
    .await;
    let mut body = Tongue::Chat.request(true);
    body["seed"] = json!(7);
    let reply = Reply::of(proxy.post("/v1/chat/completions", body.to_string()).await).await;
    assert!(reply.body.contains("rescued") && Tongue::Chat.is_whole(&reply.body), "{reply:?}");
    assert_eq!([first.request_count(), second.request_count(), third.request_count()], [1, 0, 1]);
}
