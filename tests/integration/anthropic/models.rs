//! Models are listed as the client's dialect tells them, whichever their provider speaks.

use serde_json::{Value, json};

use crate::support::anthropic::{proxy_before, speaker};
use crate::support::{self, Proxy, Reply, Script, Upstream, client, soon};

const CLAUDE: &str = r#"{"data":[{"type":"model","id":"claude","display_name":"Claude","created_at":"2025-09-29T00:00:00Z"}],"has_more":false}"#;
const GPT: &str = r#"{"object":"list","data":[{"id":"gpt","object":"model","created":7,"owned_by":"them"}]}"#;

async fn get(proxy: &Proxy, path: &str, anthropic: bool) -> Value {
    let request = client().get(proxy.url(path));
    let request = if anthropic { request.header("anthropic-version", "2023-06-01") } else { request };
    let reply = Reply::of(soon("a response head", request.send()).await.unwrap()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_str(&reply.body).unwrap()
}

#[tokio::test]
async fn a_provider_that_speaks_anthropic_is_asked_as_anthropic_is() {
    let mut upstream = Upstream::start(Script::json("200 OK", CLAUDE)).await;
    let proxy = proxy_before(&upstream).await;
    get(&proxy, "/v1/models", false).await;
    let asked = upstream.request().await;
    assert!(asked.head.starts_with("GET /v1/models?limit=1000 HTTP/1.1\r\n"), "{}", asked.head);
    assert_eq!(asked.header("anthropic-version"), Some("2023-06-01"));
}

#[tokio::test]
async fn every_client_sees_every_model_in_its_own_shape_under_the_name_that_leads_there() {
    let (claude, gpt) =
        (Upstream::start(Script::json("200 OK", CLAUDE)).await, Upstream::start(Script::json("200 OK", GPT)).await);
    let proxy = Proxy::configured(&gpt, |config| {
        config.providers =
            vec![support::speaker("openai-chat", "openai", &gpt.url()), speaker("anthropic", &claude.url())];
        config.models = vec![toml::from_str("name = \"best\"\ntargets = [\"anthropic/claude\"]").unwrap()];
    })
    .await;
    let card = |id: &str, owner: &str, created: u32| json!({"id": id, "object": "model", "created": created, "owned_by": owner});
    assert_eq!(
        get(&proxy, "/v1/models", false).await,
        json!({"object": "list", "data": [
            card("best", "anthropic", 0), card("gpt", "them", 7), card("anthropic/claude", "anthropic", 0),
        ]})
    );
    let epoch = "1970-01-01T00:00:00Z";
    let card =
        |id: &str, name: &str, at: &str| json!({"type": "model", "id": id, "display_name": name, "created_at": at});
    assert_eq!(
        get(&proxy, "/v1/models", true).await,
        json!({"has_more": false, "first_id": "best", "last_id": "claude", "data": [
            card("best", "best", epoch), card("openai/gpt", "openai/gpt", epoch),
            card("claude", "Claude", "2025-09-29T00:00:00Z"),
        ]})
    );
    assert_eq!(get(&proxy, "/v1/models/claude", true).await["display_name"], "Claude");
    assert_eq!([gpt.request_count(), claude.request_count()], [1, 1]);
}
