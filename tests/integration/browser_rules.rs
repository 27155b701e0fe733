//! Which web pages may call, what their browsers are told, and which names this server answers to.

use http::{HeaderMap, Method};
use sluicegate::config::Config;
use sluicegate::config::server::OriginPattern;

use crate::support::{ApiError, Client, Proxy, Script, Upstream, chat, client, key, soon};

const PAGE: &str = "https://chat.example";
const FOREIGN: &str = "https://evil.example";

fn allow(config: &mut Config, origins: &[&str]) {
    config.cors.allowed_origins =
        origins.iter().map(|origin| OriginPattern::try_from((*origin).to_owned()).unwrap()).collect();
}

async fn upstream() -> Upstream {
    Upstream::start_with(|request| {
        let streams = request.body.windows(13).any(|window| window == b"\"stream\":true");
        if streams { Script::answer(&["hi"]) } else { Script::json("200 OK", r#"{"choices":[],"data":[]}"#) }
    })
    .await
}

/// A proxy that allows [`PAGE`] and no other.
async fn proxy(upstream: &Upstream) -> Proxy {
    Proxy::configured(upstream, |config| allow(config, &[PAGE])).await
}

async fn send(proxy: &Proxy, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> reqwest::Response {
    let request = client().request(method, proxy.url(path)).body(body.to_owned());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    soon("a response", request.send()).await.unwrap()
}

async fn chat_from(proxy: &Proxy, origin: &str, stream: bool) -> reqwest::Response {
    let headers = [("origin", origin), ("content-type", "application/json")];
    send(proxy, Method::POST, "/v1/chat/completions", &headers, &chat(stream)).await
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[track_caller]
fn assert_open_to(headers: &HeaderMap, origin: &str) {
    assert_eq!(header(headers, "access-control-allow-origin"), Some(origin));
    assert_eq!(header(headers, "access-control-allow-credentials"), None);
    assert_eq!(header(headers, "vary"), Some("origin"));
    let exposed = header(headers, "access-control-expose-headers").unwrap();
    assert!(
        ["x-request-id", "x-sluicegate-error", "retry-after"].iter().all(|name| exposed.contains(name)),
        "{exposed}"
    );
}

#[track_caller]
fn assert_closed(headers: &HeaderMap) {
    assert!(!headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{headers:?}");
}

// === preflight ===

const PREFLIGHT: [(&str, &str); 3] = [
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "authorization,content-type"),
    ("access-control-request-private-network", "true"),
];

#[tokio::test]
async fn an_allowed_page_s_preflight_is_answered_without_a_key() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| {
        allow(config, &[PAGE]);
        config.keys = vec![key("k", "right")];
    })
    .await;
    for path in ["/v1/chat/completions", "/v1/models", "/v1/files/x", "/nope"] {
        let headers = [&[("origin", PAGE)], &PREFLIGHT[..]].concat();
        let response = send(&proxy, Method::OPTIONS, path, &headers, "").await;
        assert_eq!(response.status(), 204);
        assert_open_to(response.headers(), PAGE);
        for (name, value) in [
            ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
            ("access-control-allow-headers", "authorization,content-type"),
            ("access-control-allow-private-network", "true"),
            ("access-control-max-age", "600"),
        ] {
            assert_eq!(header(response.headers(), name), Some(value), "{name}");
        }
        assert!(response.headers().contains_key("x-request-id"));
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_preflight_that_asks_for_little_is_told_little() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream).await;
    let response = send(&proxy, Method::OPTIONS, "/v1/models", &[("origin", PAGE), PREFLIGHT[0]], "").await;
    assert_eq!(response.status(), 204);
    assert_eq!(header(response.headers(), "access-control-allow-headers"), None);
    assert_eq!(header(response.headers(), "access-control-allow-private-network"), None);
}

#[tokio::test]
async fn a_foreign_page_s_preflight_is_refused_with_or_without_keys() {
    let upstream = upstream().await;
    for keys in [vec![], vec![key("k", "right")]] {
        let proxy = Proxy::configured(&upstream, |config| {
            allow(config, &[PAGE]);
            config.keys = keys;
        })
        .await;
        for origin in [FOREIGN, "null"] {
            let headers = [&[("origin", origin)], &PREFLIGHT[..]].concat();
            let response = send(&proxy, Method::OPTIONS, "/v1/chat/completions", &headers, "").await;
            assert_closed(response.headers());
            ApiError::of(response).await.assert_refused(403, "origin_not_allowed");
        }
    }
}

// === answers ===

#[tokio::test]
async fn an_allowed_page_may_read_answers_streams_and_errors_alike() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| {
        allow(config, &[PAGE]);
        config.server.max_body_bytes = 200;
    })
    .await;
    for stream in [false, true] {
        let response = chat_from(&proxy, PAGE, stream).await;
        assert_eq!(response.status(), 200);
        assert_open_to(response.headers(), PAGE);
    }
    let json = ("content-type", "application/json");
    let large = "x".repeat(300);
    for (method, path, headers, body, status) in [
        (Method::GET, "/v1/models", vec![], "", 200),
        (Method::GET, "/v1/files", vec![], "", 200),
        (Method::GET, "/livez", vec![], "", 200),
        (Method::GET, "/sluicegate.js", vec![], "", 200),
        (Method::GET, "/v1/models/none", vec![], "", 404),
        (Method::GET, "/nope", vec![], "", 404),
        (Method::PUT, "/v1/chat/completions", vec![], "", 405),
        (Method::POST, "/v1/chat/completions", vec![json], "{", 400),
        (Method::POST, "/v1/chat/completions", vec![json], &large, 413),
        (Method::POST, "/v1/chat/completions", vec![], "{}", 415),
    ] {
        let headers = [vec![("origin", PAGE)], headers].concat();
        let response = send(&proxy, method, path, &headers, body).await;
        assert_eq!(response.status(), status, "{path}");
        assert_open_to(response.headers(), PAGE);
    }
}

#[tokio::test]
async fn an_allowed_page_may_read_that_its_key_is_wrong() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| {
        allow(config, &[PAGE]);
        config.keys = vec![key("k", "right")];
    })
    .await;
    let response = chat_from(&proxy, PAGE, true).await;
    assert_eq!(response.status(), 401);
    assert_open_to(response.headers(), PAGE);
}

#[tokio::test]
async fn without_keys_a_foreign_page_is_refused() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| {
        allow(config, &[PAGE, "http://localhost:*"]);
    })
    .await;
    for origin in [
        FOREIGN,
        "null",
        "http://chat.example",
        "https://chat.example:8443",
        "https://chat.example.evil.example",
        "http://localhost.evil.example",
        "https://localhost:3000",
        "http://localhost:3000.evil.example",
        "http://localhost:x",
        "file://",
        "",
    ] {
        for (method, path) in [(Method::POST, "/v1/chat/completions"), (Method::GET, "/v1/models"), (Method::GET, "/")]
        {
            let response = send(&proxy, method, path, &[("origin", origin)], "").await;
            assert_closed(response.headers());
            assert_eq!(header(response.headers(), "vary"), Some("origin"));
            ApiError::of(response).await.assert_refused(403, "origin_not_allowed");
        }
    }
    assert_eq!(upstream.request_count(), 0);
    for origin in ["http://localhost", "http://localhost:3000"] {
        assert_open_to(chat_from(&proxy, origin, false).await.headers(), origin);
    }
}

#[tokio::test]
async fn with_keys_a_foreign_page_is_served_what_its_browser_will_not_show() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| {
        allow(config, &[PAGE]);
        config.keys = vec![key("k", "right")];
    })
    .await;
    for origin in [FOREIGN, "null"] {
        for (credentials, status) in [("Bearer right", 200), ("Bearer wrong", 401)] {
            let headers = [("origin", origin), ("authorization", credentials), ("content-type", "application/json")];
            let response = send(&proxy, Method::POST, "/v1/chat/completions", &headers, &chat(true)).await;
            assert_eq!(response.status(), status);
            assert_closed(response.headers());
            assert_eq!(header(response.headers(), "vary"), Some("origin"));
        }
    }
}

#[tokio::test]
async fn this_server_s_own_page_may_always_call() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| allow(config, &[])).await;
    let port = proxy.address.port();
    let own = format!("http://{}", proxy.address);
    assert_eq!(chat_from(&proxy, &own, true).await.status(), 200);
    assert_eq!(chat_from(&proxy, &format!("http://localhost:{port}"), true).await.status(), 403);
    let behind_tls = format!("https://{}", proxy.address);
    assert_eq!(chat_from(&proxy, &behind_tls, true).await.status(), 200);
}

#[tokio::test]
async fn any_origin_may_be_allowed() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| allow(config, &["*"])).await;
    for origin in [FOREIGN, "null", "http://localhost:3000"] {
        let response = chat_from(&proxy, origin, true).await;
        assert_eq!(response.status(), 200);
        assert_open_to(response.headers(), "*");
    }
}

#[tokio::test]
async fn whoever_is_no_browser_is_not_bothered() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream).await;
    let response = proxy.chat(true).await;
    assert_eq!(response.status(), 200);
    assert_closed(response.headers());
    assert_eq!(header(response.headers(), "vary"), None);
}

// === host ===

/// The status of `GET path` with `host` as its Host field.
async fn status_for(proxy: &Proxy, host: &str, path: &str, more: &str) -> u16 {
    let mut client = Client::connect(proxy.address).await;
    client.send(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{more}\r\n")).await;
    let response = client.response().await;
    if response.status == 403 {
        ApiError::of_raw(&response).assert_refused(403, "host_not_allowed");
    }
    response.status
}

#[tokio::test]
async fn a_loopback_server_answers_to_loopback_names_only() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream).await;
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:80", "app.localhost"] {
        assert_eq!(status_for(&proxy, host, "/v1/models", "").await, 200, "{host}");
    }
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.168.0.1", "[::2]", "localhostt"] {
        for path in ["/v1/models", "/", "/livez", "/nope"] {
            assert_eq!(status_for(&proxy, host, path, "").await, 403, "{host}");
        }
    }
    assert_eq!(upstream.request_count(), 1);
}

/// What DNS rebinding looks like from here: a page of the name that was made to point to this server.
#[tokio::test]
async fn a_page_of_a_rebound_name_is_refused() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream).await;
    assert_eq!(status_for(&proxy, "evil.example", "/v1/models", "origin: http://evil.example\r\n").await, 403);
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn further_names_may_be_configured() {
    let upstream = upstream().await;
    let names = vec!["llm.example".to_owned()];
    let proxy = Proxy::configured(&upstream, |config| config.server.allowed_hosts = names).await;
    assert_eq!(status_for(&proxy, "LLM.example:8443", "/livez", "").await, 200);
    assert_eq!(status_for(&proxy, "localhost", "/livez", "").await, 200);
    assert_eq!(status_for(&proxy, "a.llm.example", "/livez", "").await, 403);
}

#[tokio::test]
async fn http2_is_held_to_the_same_names() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream).await;
    let http2 = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy()
        .resolve("evil.example", proxy.address)
        .resolve("app.localhost", proxy.address)
        .build()
        .unwrap();
    let port = proxy.address.port();
    let get = async |host: &str| {
        soon("a response", http2.get(format!("http://{host}:{port}/v1/models")).send()).await.unwrap()
    };
    ApiError::of(get("evil.example").await).await.assert_refused(403, "host_not_allowed");
    assert_eq!(get("app.localhost").await.status(), 200);
}
