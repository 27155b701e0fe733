//! The list of models is what clients may ask for: configured names, and what the providers list, under the names that lead there.

use serde_json::{Value, json};
use sluicegate::config::Config;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{ApiError, Proxy, Script, Upstream, client, logs, provider, soon};

/// An upstream that lists `ids` as OpenAI does.
async fn listing(ids: &[&str]) -> Upstream {
    let cards: Vec<Value> = ids.iter().map(|id| json!({"id": id, "object": "model", "owned_by": "them"})).collect();
    Upstream::start(Script::json("200 OK", &json!({"object": "list", "data": cards}).to_string())).await
}

async fn json(response: reqwest::Response) -> Value {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_str(&soon("a body", response.text()).await.unwrap()).unwrap()
}

async fn ids(proxy: &Proxy) -> Vec<String> {
    let list = json(proxy.get("/v1/models").await).await;
    assert_eq!(list["object"], "list");
    list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_only_provider_s_models_are_listed_as_they_are() {
    let mut upstream = listing(&["gpt-4o", "org/llama"]).await;
    let proxy = Proxy::before(&upstream).await;
    let list = json(proxy.get("/v1/models").await).await;
    assert_eq!(list["data"][0], json!({"id": "gpt-4o", "object": "model", "owned_by": "them"}));
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    let asked = upstream.request().await;
    assert!(asked.head.starts_with("GET /v1/models HTTP/1.1\r\n"), "{}", asked.head);
}

#[tokio::test]
async fn the_demo_upstream_lists_its_models() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = Config::for_testing();
    config.providers.push(provider("demo", &format!("http://{}/v1", listener.local_addr().unwrap())));
    let demo = tokio::spawn(sluicegate::demo::serve(listener));
    let proxy = Proxy::start(config).await;
    let known: Vec<&str> = sluicegate::demo::MODELS.iter().map(|model| model.id).collect();
    assert_eq!(ids(&proxy).await, known);
    demo.abort();
}

#[tokio::test]
async fn configured_names_come_first_and_other_providers_models_carry_their_prefix() {
    let (a, b) = (listing(&["one", "org/two"]).await, listing(&["three"]).await);
    let proxy = Proxy::configured(&a, |config| {
        config.providers = vec![provider("a", &a.url()), provider("b", &b.url())];
        config.models =
            vec![toml::from_str("name = \"chat\"\naliases = [\"gpt-4o\"]\ntargets = [\"b/three\"]").unwrap()];
    })
    .await;
    assert_eq!(ids(&proxy).await, ["chat", "gpt-4o", "a/one", "a/org/two", "b/three"]);
    assert_eq!(json(proxy.get("/v1/models/gpt-4o").await).await["owned_by"], "b");
}

#[tokio::test]
async fn the_default_provider_s_models_need_no_prefix() {
    let (a, b) = (listing(&["one"]).await, listing(&["two"]).await);
    let proxy = Proxy::configured(&a, |config| {
        config.providers = vec![provider("a", &a.url()), provider("b", &b.url())];
        config.providers[1].default = true;
    })
    .await;
    assert_eq!(ids(&proxy).await, ["a/one", "two"]);
}

#[tokio::test]
async fn one_model_is_shown_by_its_id_even_with_a_slash() {
    let upstream = listing(&["gpt-4o", "org/llama 3"]).await;
    let proxy = Proxy::before(&upstream).await;
    for path in ["/v1/models/org/llama%203", "/v1/models/org%2Fllama%203"] {
        assert_eq!(json(proxy.get(path).await).await["id"], "org/llama 3");
    }
    let error = ApiError::of(proxy.get("/v1/models/org").await).await;
    error.assert_refused(404, "model_not_found");
    assert_eq!(error.param.as_deref(), Some("model"));
}

#[tokio::test]
async fn a_provider_that_is_down_is_left_out_and_named_in_the_log() {
    let up = listing(&["one"]).await;
    let broken = Upstream::start(Script::json("500 Internal Server Error", "{}")).await;
    let garbage = Upstream::start(Script::json("200 OK", r#"{"models":[]}"#)).await;
    let proxy = Proxy::configured(&up, |config| {
        config.providers = vec![
            provider("down-refusing", "http://127.0.0.1:9/v1"),
            provider("down-broken", &broken.url()),
            provider("down-garbage", &garbage.url()),
            provider("up", &up.url()),
        ];
    })
    .await;
    assert_eq!(ids(&proxy).await, ["up/one"]);
    for name in ["down-refusing", "down-broken", "down-garbage"] {
        let named = |line: &logs::Line| line.get("provider").is_some_and(|provider| provider == name);
        assert!(logs::all().iter().any(named), "{name} is not in the log");
    }
    // A list with a hole is not kept.
    assert_eq!(ids(&proxy).await, ["up/one"]);
    assert_eq!(broken.request_count(), 2);
}

#[tokio::test]
async fn a_list_is_asked_for_once() {
    let upstream = listing(&["one"]).await;
    let proxy = Proxy::before(&upstream).await;
    let asking: JoinSet<_> = (0..20).map(|_| client().get(proxy.url("/v1/models")).send()).collect();
    for response in soon("every list", asking.join_all()).await {
        assert_eq!(response.unwrap().status(), 200);
    }
    assert_eq!(proxy.get("/v1/models/one").await.status(), 200);
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_bare_array_is_a_list_too() {
    let upstream = Upstream::start(Script::json("200 OK", r#"[{"id":"one"},{"name":"no id"},{"id":"two"}]"#)).await;
    let proxy = Proxy::before(&upstream).await;
    assert_eq!(ids(&proxy).await, ["one", "two"]);
}
