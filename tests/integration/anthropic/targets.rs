//! Who is asked: the targets of a model that speak the client's language, one after the other, and nobody else.

use sluicegate::config::Config;
use sluicegate::config::model::{Model, Target};
use sluicegate::config::provider::Provider;

use crate::support::anthropic::{ANSWER, START, STOP, answer, ask, error, error_event, message, speaker, text};
use crate::support::{ApiError, Proxy, Reply, Script, Upstream, provider};

/// A provider that speaks OpenAI Chat Completions and nothing else.
fn openai(name: &str, url: &str) -> Provider {
    crate::support::speaker("openai-chat", name, url)
}

/// A proxy whose model `m` is at each of `providers`, best first.
async fn proxy_before(providers: Vec<Provider>) -> Proxy {
    let targets =
        providers.iter().map(|provider| Target::try_from(format!("{}/own", provider.name)).unwrap()).collect();
    let mut config = Config::for_testing();
    config.providers = providers;
    config.models =
        vec![Model { name: "m".to_owned(), aliases: vec!["alias".to_owned()], targets, ..Model::default() }];
    Proxy::start(config).await
}

#[tokio::test]
async fn a_target_that_fails_before_its_first_event_is_followed_by_the_next() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (script, stream) in [
        (Script::json("529 Overloaded", overloaded), true),
        (Script::json("529 Overloaded", overloaded), false),
        (Script::stream().send(format!("event: ping\ndata: {{}}\n\nevent: error\ndata: {overloaded}\n\n")).end(), true),
        (Script::json("200 OK", overloaded), false),
        (Script::default().close(), true),
    ] {
        let about = format!("{script:?}");
        let good = if stream { answer(&["rescued"]) } else { Script::json("200 OK", ANSWER) };
        let (first, second) = (Upstream::start(script).await, Upstream::start(good).await);
        let proxy = proxy_before(vec![speaker("first", &first.url()), speaker("second", &second.url())]).await;
        let reply = ask(&proxy, stream).await;
        assert_eq!((reply.status, reply.body.contains("Overloaded")), (200, false), "{about}");
        assert_eq!([first.request_count(), second.request_count()], [1, 1], "{about}");
        assert_eq!(proxy.log_line(reply.request_id()).await["provider"], "second", "{about}");
        let own = message(stream).replace("\"m\"", "\"own\"");
        assert_eq!(second.received()[0].body, own, "{about}");
    }
}

#[tokio::test]
async fn a_stream_that_has_begun_and_a_request_that_is_refused_are_not_tried_again() {
    let begun = Script::stream().send([START, &text("one")].concat()).close();
    let refused =
        Script::json("400 Bad", r#"{"type":"error","error":{"type":"invalid_request_error","message":"no"}}"#);
    for script in [begun, refused] {
        let (first, second) = (Upstream::start(script).await, Upstream::start(answer(&["never"])).await);
        let proxy = proxy_before(vec![speaker("first", &first.url()), speaker("second", &second.url())]).await;
        let reply = ask(&proxy, true).await;
        let _ = if reply.status == 200 { error_event(&reply) } else { error(&reply) };
        assert_eq!(second.request_count(), 0);
    }
}

#[tokio::test]
async fn what_is_not_translated_is_refused_where_nobody_speaks_the_client_s_dialect() {
    let upstream = Upstream::start(Script::json("200 OK", ANSWER)).await;
    let anthropic = proxy_before(vec![speaker("claude", &upstream.url())]).await;
    let chats = proxy_before(vec![openai("gpt", &upstream.url())]).await;
    for model in ["m", "alias", "claude/x", "unheard-of"] {
        let body = format!(r#"{{"model":"{model}","prompt":"hi"}}"#);
        let told = ApiError::of(anthropic.post("/v1/completions", body).await).await;
        told.assert_refused(400, "wrong_dialect");
        assert_eq!(told.param.as_deref(), Some("model"));
        let expected = format!("Model \"{model}\" is served by provider \"claude\", which speaks Anthropic Messages;");
        assert!(told.message.starts_with(&expected), "{}", told.message);
        assert!(told.message.contains("POST /v1/messages"), "{}", told.message);
    }
    let reply = Reply::of(chats.post("/v1/messages/count_tokens", message(true)).await).await;
    let (kind, told) = error(&reply);
    assert_eq!((reply.status, kind.as_str()), (400, "invalid_request_error"));
    assert!(told.starts_with("Model \"m\" is served by provider \"gpt\", which speaks OpenAI Chat"), "{told}");
    assert_eq!(reply.header("x-sluicegate-error"), "wrong_dialect");
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_provider_that_speaks_several_dialects_is_asked_in_the_client_s() {
    let upstream =
        Upstream::in_turn([answer(&["hi"]), Script::json("404 Not Found", r#"{"detail":"Not Found"}"#)]).await;
    let proxy = proxy_before(vec![provider("local", &upstream.url())]).await;
    assert!(ask(&proxy, true).await.body.ends_with(STOP));
    let reply = ask(&proxy, true).await;
    assert_eq!((reply.status, error(&reply)), (404, ("not_found_error".to_owned(), "Not Found".to_owned())));
    assert!(upstream.received().iter().all(|one| one.head.starts_with("POST /v1/messages HTTP/1.1")));
}

#[tokio::test]
async fn of_two_providers_each_is_the_default_in_its_own_dialect() {
    let own = Upstream::start(Script::json("200 OK", ANSWER)).await;
    let other = Upstream::start(Script::json("200 OK", r#"{"choices":[]}"#)).await;
    let mut config = Config::for_testing();
    config.providers = vec![openai("openai", &other.url()), speaker("anthropic", &own.url())];
    let proxy = Proxy::start(config).await;
    assert_eq!(ask(&proxy, false).await.status, 200);
    assert_eq!(proxy.ask(false).await.status, 200);
    let batches = proxy.post("/v1/messages/batches", r#"{"requests":[]}"#).await;
    assert_eq!(batches.status(), 200);
    assert_eq!([own.request_count(), other.request_count()], [2, 1]);
}
