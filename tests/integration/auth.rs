//! With any key configured, nothing that costs anything happens without one.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use sluicegate::config::client_key::{ClientKey, Digest};

use crate::support::{
    ApiError, Client, DONE, FINISH, Proxy, ROLE, Script, Upstream, chat, client, key, logs, request, soon, token,
};

const ROUTES: &str = include_str!("../../src/http/routes.rs");

async fn upstream() -> Upstream {
    Upstream::start(Script::json("200 OK", r#"{"id":"1","choices":[],"data":[]}"#)).await
}

/// A proxy that wants a key: `right`, or `other`.
async fn keyed(upstream: &Upstream) -> Proxy {
    Proxy::configured(upstream, |config| config.keys = vec![key("alice", "right"), key("bob", "other")]).await
}

/// Every path of the table of routes, with something in place of each parameter.
fn paths() -> BTreeSet<String> {
    let paths = ROUTES.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    paths.map(|path| path.replace("{*id}", "org/m").replace("{*path}", "any/thing")).collect()
}

fn public() -> BTreeSet<String> {
    let list = ROUTES.split("PUBLIC: [&str;").nth(1).unwrap().split('=').nth(1).unwrap().split(';').next().unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

async fn ask(proxy: &Proxy, method: &Method, path: &str, credentials: &[&str]) -> reqwest::Response {
    let request = client().request(method.clone(), proxy.url(path)).header("content-type", "application/json");
    let request = if *method == Method::POST { request.body(chat(false)) } else { request };
    let request = credentials.iter().fold(request, |request, value| request.header("authorization", *value));
    soon("a response", request.send()).await.unwrap()
}

#[tokio::test]
async fn every_path_but_the_public_ones_needs_a_key() {
    let upstream = upstream().await;
    let proxy = keyed(&upstream).await;
    let (paths, public) = (paths(), public());
    assert!(paths.len() >= 11 && public.is_subset(&paths), "{paths:?} {public:?}");
    assert!(!public.iter().any(|path| path.contains("v1") || path.contains("completions")), "{public:?}");
    let unknown = ["/nope", "/v1", "/v1/", "//v1/models", "/livez/", "/Livez", "/chat.js%00", "/v1/models?/livez"];
    for path in paths.difference(&public).map(String::as_str).chain(unknown) {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::HEAD] {
            let response = ask(&proxy, &method, path, &[]).await;
            assert_eq!(response.status(), 401, "{method} {path}");
        }
    }
    assert_eq!(upstream.request_count(), 0);
    for path in public {
        assert_eq!(ask(&proxy, &Method::GET, &path, &[]).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn whoever_has_no_key_is_told_so() {
    let upstream = upstream().await;
    let proxy = keyed(&upstream).await;
    let refused = async |path: &str, credentials: &[&str]| {
        let response = ask(&proxy, &Method::POST, path, credentials).await;
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        ApiError::of(response).await
    };
    for path in ["/v1/chat/completions", "/chat/completions", "/v1/embeddings", "/v1/chat/completions?key=right"] {
        for credentials in [
            &[][..],
            &["right"],
            &["Basic right"],
            &["Basic Ym9iOnJpZ2h0"],
            &["Bearer"],
            &["Bearerright"],
            &["Bearer right", "Bearer right"],
            &["Bearer right", "Bearer wrong"],
        ] {
            refused(path, credentials).await.assert_refused(401, "missing_api_key");
        }
        for credentials in [
            "Bearer wrong",
            "Bearer Right",
            "Bearer righ",
            "Bearer right2",
            "Bearer right, Bearer other",
            "Bearer ' OR '1'='1",
            "Bearer 27042f4e6eca7d0b2a7ee4026df2ecfa51d3339e6d122aa099118ecd8563bad9",
        ] {
            refused(path, &[credentials]).await.assert_refused(401, "invalid_api_key");
        }
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_key_lets_in_however_its_scheme_is_written() {
    let upstream = upstream().await;
    let proxy = keyed(&upstream).await;
    for credentials in ["Bearer right", "bearer right", "BEARER right", "Bearer   right ", "Bearer other"] {
        let response = ask(&proxy, &Method::POST, "/v1/chat/completions", &[credentials]).await;
        assert_eq!(response.status(), 200, "{credentials}");
    }
    assert_eq!(ask(&proxy, &Method::GET, "/v1/models", &["Bearer right"]).await.status(), 200);
    assert_eq!(ask(&proxy, &Method::GET, "/nope", &["Bearer right"]).await.status(), 404);
}

#[tokio::test]
async fn a_key_may_be_configured_as_its_digest() {
    // echo -n right | sha256sum
    let digest = "27042F4E6eca7d0b2a7ee4026df2ecfa51d3339e6d122aa099118ecd8563bad9";
    let sha256 = Some(Digest::try_from(digest.to_owned()).unwrap());
    let upstream = upstream().await;
    let alice = ClientKey { name: "alice".to_owned(), secret: None, sha256 };
    let proxy = Proxy::configured(&upstream, |config| config.keys = vec![alice]).await;
    let chat = async |key: &str| {
        ask(&proxy, &Method::POST, "/v1/chat/completions", &[&format!("Bearer {key}")]).await.status().as_u16()
    };
    assert_eq!((chat("right").await, chat("wrong").await, chat(digest).await), (200, 401, 401));
}

#[tokio::test]
async fn a_refused_body_is_not_read() {
    let upstream = upstream().await;
    let proxy = keyed(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n").await;
    ApiError::of_raw(&client.response().await).assert_refused(401, "missing_api_key");
}

#[tokio::test]
async fn the_log_knows_the_caller_and_not_the_key() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| config.keys = vec![key("carol", "canary-client-key")]).await;
    for (credentials, caller) in [("Bearer canary-client-key", Some("carol")), ("Bearer canary-wrong-key", None)] {
        let response = ask(&proxy, &Method::POST, "/v1/chat/completions?key=canary-query", &[credentials]).await;
        let line = proxy.log_line(response.headers()["x-request-id"].to_str().unwrap()).await;
        assert_eq!(line.get("caller").map(String::as_str), caller);
        assert_eq!(line["outcome"], if caller.is_some() { "completed" } else { "rejected" });
    }
    assert!(logs::all().iter().flat_map(|line| line.values()).all(|value| !value.contains("canary")));
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_what_it_began_goes_on() {
    let script = Script::stream().send(ROLE).send(token("one")).wait(500).send(token("two")).send(FINISH).send(DONE);
    let upstream = Upstream::start(script.end()).await;
    let proxy = keyed(&upstream).await;
    let with_key = |path: &str| request(path, &chat(true)).replacen("\r\n", "\r\nauthorization: Bearer right\r\n", 1);
    let mut running = Client::connect(proxy.address).await;
    running.send(&with_key("/v1/chat/completions")).await;
    running.read_until("one").await;
    let mut idle = Client::connect(proxy.address).await;
    idle.send("GET /v1/nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n").await;

    let mut config = (**proxy.config.borrow()).clone();
    config.keys.remove(0);
    proxy.config.send_replace(Arc::new(config));
    // The worker takes it up when it next runs; a request that finds it done is what is to be shown.
    let refused = async || ask(&proxy, &Method::POST, "/v1/chat/completions", &["Bearer right"]).await;
    soon("the end of the key", async {
        while refused().await.status() != 401 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    ApiError::of(refused().await).await.assert_refused(401, "invalid_api_key");
    idle.send("authorization: Bearer right\r\n\r\n").await;
    assert_eq!(idle.response().await.status, 401);
    running.read_until("[DONE]").await;
}
