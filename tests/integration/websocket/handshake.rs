//! Who gets a WebSocket.

use serde_json::json;

use super::{proxy, proxy_configured};
use crate::support::websocket::HANDSHAKE;
use crate::support::{Client, Proxy, Tongue, Upstream, WebSocket, key, with_header};

async fn with_keys(upstream: &Upstream) -> Proxy {
    proxy_configured(upstream, Tongue::Chat, |config| config.keys.push(key("alice", "sk-1"))).await
}

/// The status that a handshake with more header `lines` is answered with.
async fn status(proxy: &Proxy, lines: &[&str]) -> u16 {
    let handshake = lines.iter().fold(HANDSHAKE.to_owned(), |request, line| with_header(&request, line));
    match WebSocket::connect_with(proxy, &handshake).await {
        Ok(_) => 101,
        Err(head) => head.split(' ').nth(1).unwrap().parse().unwrap(),
    }
}

#[tokio::test]
async fn without_an_upgrade_there_is_nothing_to_get() {
    let upstream = Upstream::start(Tongue::Chat.stream(&[])).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let response = proxy.get("/v1/responses").await;
    assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"POST".parse().unwrap()));
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_broken_handshake_is_told_what_it_lacks() {
    let upstream = Upstream::start(Tongue::Chat.stream(&[])).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    for (line, broken, lack) in [
        ("sec-websocket-version: 13", "sec-websocket-version: 8", "sec-websocket-version: 13"),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-key: abc", "sec-websocket-key"),
        ("connection: Upgrade", "connection: keep-alive", "connection: upgrade"),
        // Nothing is promised that will not be kept.
        ("GET /v1/responses", "GET /v1/responses?resumable=true", "Post the request"),
    ] {
        let mut client = Client::connect(proxy.address).await;
        client.send(&HANDSHAKE.replacen(line, broken, 1)).await;
        let response = client.response().await;
        assert_eq!((response.status, response.header("sec-websocket-version")), (400, Some("13")), "{broken}");
        assert!(response.body.contains(&lack.replace('"', "\\\"")), "{}", response.body);
        // It is still a connection for HTTP.
        client.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert_eq!(client.response().await.status, 200);
    }
}

#[tokio::test]
async fn a_websocket_needs_a_key_where_a_request_does() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let proxy = with_keys(&upstream).await;
    assert_eq!(status(&proxy, &[]).await, 401);
    assert_eq!(status(&proxy, &["authorization: Bearer sk-2"]).await, 401);
    let handshake = with_header(HANDSHAKE, "authorization: Bearer sk-1");
    let mut client = WebSocket::connect_with(&proxy, &handshake).await.unwrap();
    client.create(json!({})).await;
    client.until("response.completed").await;
    assert_eq!(proxy.log_line(&client.id_of_response(1)).await["caller"], "alice");
    assert!(!upstream.received()[0].head.contains("sk-1"));
}

#[tokio::test]
async fn a_browser_may_name_its_key_among_the_protocols_and_is_not_told_it_back() {
    let upstream = Upstream::start(Tongue::Chat.stream(&[])).await;
    let proxy = with_keys(&upstream).await;
    let handshake = |protocols| with_header(HANDSHAKE, &format!("sec-websocket-protocol: {protocols}"));
    let client = WebSocket::connect_with(&proxy, &handshake("responses, openai-insecure-api-key.sk-1")).await.unwrap();
    assert!(client.head.contains("sec-websocket-protocol: responses\r\n") && !client.head.contains("sk-1"));
    assert!(WebSocket::connect_with(&proxy, &handshake("responses, openai-insecure-api-key.sk-2")).await.is_err());
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_gets_none_even_with_a_key() {
    let upstream = Upstream::start(Tongue::Chat.stream(&[])).await;
    let open = proxy(&upstream, Tongue::Chat).await;
    let closed = with_keys(&upstream).await;
    let key = "authorization: Bearer sk-1";
    for (origin, expected) in [("https://evil.example", 403), ("null", 403), ("http://localhost:3000", 101)] {
        let origin = format!("origin: {origin}");
        assert_eq!(status(&open, &[&origin]).await, expected, "{origin}");
        assert_eq!(status(&closed, &[&origin, key]).await, expected, "{origin}");
    }
    let rebound = HANDSHAKE.replace("host: localhost", "host: evil.example");
    assert!(WebSocket::connect_with(&open, &rebound).await.unwrap_err().starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn a_key_that_is_taken_back_asks_for_nothing_more() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let proxy = with_keys(&upstream).await;
    let handshake = with_header(HANDSHAKE, "authorization: Bearer sk-1");
    let mut client = WebSocket::connect_with(&proxy, &handshake).await.unwrap();
    client.create(json!({})).await;
    client.until("response.completed").await;
    proxy.config.send_modify(|config| std::sync::Arc::make_mut(config).keys[0] = key("bob", "sk-2"));
    let status = async {
        loop {
            client.create(json!({})).await;
            let last = client.event().await;
            if last["type"] == "error" {
                return last["status"].clone();
            }
            client.until("response.completed").await;
        }
    };
    assert_eq!(crate::support::soon("the end of the key", status).await, 401);
}
