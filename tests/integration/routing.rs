//! A model's name leads to a provider: a configured name first, then a provider's prefix, then the default provider.

use sluicegate::config::Config;
use sluicegate::config::model::Model;
use sluicegate::config::provider::BaseUrl;

use crate::support::{ApiError, Client, Proxy, Script, Upstream, provider, request};

async fn upstream() -> Upstream {
    Upstream::start(Script::json("200 OK", r#"{"id":"1","choices":[]}"#)).await
}

fn model(name: &str, aliases: &[&str], targets: &[&str]) -> Model {
    Model {
        name: name.to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        targets: targets.iter().map(|target| (*target).to_owned().try_into().unwrap()).collect(),
        ..Model::default()
    }
}

fn body(model: &str) -> String {
    serde_json::json!({ "model": model, "messages": [] }).to_string()
}

/// Asks `proxy` for each model and tells what `upstream` was asked for.
async fn arrives(proxy: &Proxy, upstream: &mut Upstream, model: &str, arrived: &str) {
    for path in ["/v1/chat/completions", "/v1/completions", "/chat/completions", "/v1/embeddings"] {
        assert_eq!(proxy.post(path, body(model)).await.status(), 200, "{model} on {path}");
        assert_eq!(upstream.request().await.body, body(arrived), "{model} on {path}");
    }
}

#[tokio::test]
async fn every_model_passes_through_to_the_only_provider() {
    let mut upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    arrives(&proxy, &mut upstream, "gpt-4o", "gpt-4o").await;
    arrives(&proxy, &mut upstream, "meta-llama/Llama-3", "meta-llama/Llama-3").await;
    arrives(&proxy, &mut upstream, "日本/\"x\"\n", "日本/\"x\"\n").await;
    arrives(&proxy, &mut upstream, "upstream/gpt-4o", "gpt-4o").await;
}

#[tokio::test]
async fn names_aliases_and_prefixes_lead_to_their_providers() {
    let (mut a, mut b) = (upstream().await, upstream().await);
    let proxy = Proxy::configured(&a, |config| {
        config.providers = vec![provider("a", &a.url()), provider("b", &b.url())];
        config.models = vec![model("chat", &["gpt-4o", "b/special"], &["a/llama-3"]), model("code", &[], &["b/x/y"])];
    })
    .await;
    arrives(&proxy, &mut a, "chat", "llama-3").await;
    arrives(&proxy, &mut a, "gpt-4o", "llama-3").await;
    arrives(&proxy, &mut a, "a/any", "any").await;
    arrives(&proxy, &mut a, "b/special", "llama-3").await;
    arrives(&proxy, &mut b, "code", "x/y").await;
    arrives(&proxy, &mut b, "b/org/model", "org/model").await;
    assert_eq!((a.request_count(), b.request_count()), (16, 8));
}

#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let (a, b) = (upstream().await, upstream().await);
    let proxy = Proxy::configured(&a, |config| {
        config.providers = vec![provider("a", &a.url()), provider("b", &b.url())];
        config.models = vec![model("chat", &[], &["a/llama-3"])];
    })
    .await;
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] {
        for unknown in ["llama-3", "Chat", "c/llama-3", "A/llama-3", "/", "a"] {
            let error = ApiError::of(proxy.post(path, body(unknown)).await).await;
            error.assert_refused(404, "model_not_found");
            assert_eq!(error.param.as_deref(), Some("model"));
            assert!(error.message.contains(&format!("`{unknown}`")), "{error:?}");
        }
    }
    assert_eq!((a.request_count(), b.request_count()), (0, 0));
}

#[tokio::test]
async fn the_default_provider_takes_every_other_model() {
    let (mut a, mut b) = (upstream().await, upstream().await);
    let proxy = Proxy::configured(&a, |config| {
        config.providers = vec![provider("a", &a.url()), provider("b", &b.url())];
        config.providers[1].default = true;
    })
    .await;
    arrives(&proxy, &mut b, "gpt-4o", "gpt-4o").await;
    arrives(&proxy, &mut b, "c/gpt-4o", "c/gpt-4o").await;
    arrives(&proxy, &mut a, "a/gpt-4o", "gpt-4o").await;
}

#[tokio::test]
async fn an_upstream_on_the_command_line_takes_every_other_model() {
    let (mut configured, mut given) = (upstream().await, upstream().await);
    let mut sources = sluicegate::config::Sources {
        upstream: Some(BaseUrl::try_from(given.url()).unwrap()),
        ..sluicegate::config::Sources::default()
    };
    let local = format!("[{{ name = \"local\", kind = \"compatible\", base_url = \"{}\" }}]", configured.url());
    sources.environment.insert("SLUICEGATE__PROVIDER".to_owned(), local);
    let proxy = Proxy::start(sources.load().unwrap()).await;
    arrives(&proxy, &mut given, "gpt-4o", "gpt-4o").await;
    arrives(&proxy, &mut given, "upstream/gpt-4o", "gpt-4o").await;
    arrives(&proxy, &mut configured, "local/gpt-4o", "gpt-4o").await;
}

#[tokio::test]
async fn a_base_url_is_kept_with_its_path() {
    let mut upstream = upstream().await;
    let mut config = Config::for_testing();
    config.providers.push(provider("p", &format!("http://{}/some/where/", upstream.address)));
    let proxy = Proxy::start(config).await;
    for (path, arrived) in
        [("/v1/chat/completions", "/some/where/chat/completions"), ("/v1/x/y?z", "/some/where/x/y?z")]
    {
        let mut client = Client::connect(proxy.address).await;
        client.send(&request(path, &body("m"))).await;
        assert_eq!(client.response().await.status, 200);
        assert!(upstream.request().await.head.starts_with(&format!("POST {arrived} HTTP/1.1\r\n")));
    }
}

#[tokio::test]
async fn a_failing_target_is_followed_by_the_next() {
    let failing = Upstream::start(Script::json("503 Service Unavailable", r#"{"error":{"message":"busy"}}"#)).await;
    let mut healthy = upstream().await;
    let proxy = Proxy::configured(&failing, |config| {
        config.providers = vec![provider("a", &failing.url()), provider("b", &healthy.url())];
        config.models = vec![model("chat", &[], &["a/one", "b/two"])];
    })
    .await;
    let response = proxy.post("/v1/chat/completions", body("chat")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(healthy.request().await.body, body("two"));
    assert_eq!(failing.request_count(), 1);
    let line = proxy.log_line(response.headers()["x-request-id"].to_str().unwrap()).await;
    assert_eq!((line["model"].as_str(), line["provider"].as_str()), ("chat", "b"));
}
