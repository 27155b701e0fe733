//! What goes to the upstream: the request as it is, the provider's key, and nothing of the client's own.

use serde_json::Value;
use sluicegate::config::Config;
use sluicegate::config::provider::Provider;
use sluicegate::config::secret::Secret;

use crate::support::anthropic::{ANSWER, answer, ask, message, proxy_before, proxy_configured, speaker};
use crate::support::{Proxy, Received, Reply, Script, Upstream, client, provider, soon};

/// Posts a message with `headers`.
async fn post(proxy: &Proxy, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let request = client().post(proxy.url(path)).header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    soon("a response head", request.body(message(false)).send()).await.unwrap()
}

fn fields(received: &Received, name: &str) -> Vec<String> {
    let fields = received.head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(field, _)| *field == name).map(|(_, value)| value.to_owned()).collect()
}

fn with_key(provider: Provider) -> impl FnOnce(&mut Config) {
    move |config| config.providers = vec![Provider { api_key: Some(Secret::new("provider-key")), ..provider }]
}

#[tokio::test]
async fn the_key_of_the_provider_goes_as_its_dialect_has_it_and_the_client_s_stays() {
    let upstream = Upstream::start(Script::json("200 OK", ANSWER)).await;
    let anthropic = proxy_configured(&upstream, with_key(speaker("upstream", &upstream.url()))).await;
    let compatible = Proxy::configured(&upstream, with_key(provider("upstream", &upstream.url()))).await;
    let theirs = [("x-api-key", "client-key"), ("authorization", "Bearer client-key"), ("cookie", "a=client-key")];
    for proxy in [&anthropic, &compatible] {
        assert_eq!(post(proxy, "/v1/messages", &theirs).await.status(), 200);
    }
    let received = upstream.received();
    let keys = |index: usize| ["x-api-key", "authorization"].map(|name| received[index].header(name));
    assert_eq!(keys(0), [Some("provider-key"), None]);
    // Whoever speaks both takes a key as OpenAI does.
    assert_eq!(keys(1), [None, Some("Bearer provider-key")]);
    assert!(received.iter().all(|one| !one.head.contains("client-key")), "{received:?}");
}

#[tokio::test]
async fn the_version_and_the_betas_are_the_client_s_where_it_names_them() {
    let upstream = Upstream::start(Script::json("200 OK", ANSWER)).await;
    let proxy = proxy_before(&upstream).await;
    post(&proxy, "/v1/messages", &[]).await;
    let betas = [("anthropic-version", "2030-01-01"), ("anthropic-beta", "one"), ("anthropic-beta", "two,three")];
    post(&proxy, "/v1/messages", &betas).await;
    let received = upstream.received();
    assert_eq!(fields(&received[0], "anthropic-version"), ["2023-06-01"]);
    assert_eq!(fields(&received[0], "anthropic-beta"), [""; 0]);
    assert_eq!(fields(&received[1], "anthropic-version"), ["2030-01-01"]);
    assert_eq!(fields(&received[1], "anthropic-beta"), ["one", "two,three"]);
}

#[tokio::test]
async fn the_query_passes() {
    let upstream = Upstream::start(Script::json("200 OK", ANSWER)).await;
    let proxy = proxy_before(&upstream).await;
    for path in ["/v1/messages?beta=true", "/v1/messages/count_tokens?beta=true"] {
        post(&proxy, path, &[]).await;
        let last = upstream.received().pop().unwrap();
        assert_eq!(last.head.lines().next(), Some(&*format!("POST {path} HTTP/1.1")));
    }
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider() {
    let mut upstream = Upstream::start(Script::json("200 OK", r#"{"input_tokens":14}"#)).await;
    let proxy = proxy_configured(&upstream, |config| {
        config.models = vec![toml::from_str("name = \"m\"\ntargets = [\"upstream/claude\"]").unwrap()];
    })
    .await;
    // Asked to stream, it does not: there is nothing to stream.
    for stream in [false, true] {
        let reply = Reply::of(proxy.post("/v1/messages/count_tokens", message(stream)).await).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"input_tokens":14}"#));
        let received = upstream.request().await;
        assert_eq!(serde_json::from_slice::<Value>(&received.body).unwrap()["model"], "claude");
        assert_eq!(proxy.log_line(reply.request_id()).await["outcome"], "completed");
    }
}

#[tokio::test]
async fn what_the_upstream_says_of_the_request_reaches_the_client() {
    let theirs = "content-type: text/event-stream\r\nrequest-id: req_1\r\nretry-after: 3\r\n\
                  anthropic-ratelimit-tokens-remaining: 7\r\nset-cookie: a=b\r\nserver: them\r\n";
    let stream = Script(answer(&["hi"]).0.split_off(1));
    let whole = Script::response("200 OK", &theirs.replace("text/event-stream", "application/json"), ANSWER);
    for (script, stream) in [(Script::head("200 OK", theirs).append(stream), true), (whole, false)] {
        let upstream = Upstream::start(script).await;
        let reply = ask(&proxy_before(&upstream).await, stream).await;
        let told = ["request-id", "retry-after", "anthropic-ratelimit-tokens-remaining", "set-cookie", "server"];
        assert_eq!(told.map(|name| reply.header(name)), ["req_1", "3", "7", "", ""], "stream: {stream}");
    }
}
