//! A connection may cost a client nothing for a while, but not for ever; and a good one may be used again.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::support::{Client, Proxy, Script, Upstream, chat, request, soon, token};

const TIMEOUT: Duration = Duration::from_millis(150);

async fn upstream() -> Upstream {
    Upstream::start(Script::answer(&["hi"])).await
}

/// A proxy whose time limit for heads is [`TIMEOUT`]; that for first bytes is, too, or far away.
async fn proxy(upstream: &Upstream, first_byte_timeout: Duration) -> Proxy {
    Proxy::configured(upstream, |config| {
        config.server.first_byte_timeout = first_byte_timeout;
        config.server.header_timeout = TIMEOUT;
    })
    .await
}

/// Waits until the proxy closes, and holds that it did not do so before its time.
async fn closed_in_time(mut client: Client, since: Instant) {
    client.read_to_end().await;
    assert!(since.elapsed() >= TIMEOUT, "closed after {:?}", since.elapsed());
}

// === time ===

#[tokio::test]
async fn a_client_that_says_nothing_definite_is_let_go() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream, TIMEOUT).await;
    for words in ["", "P", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
        let since = Instant::now();
        let mut client = Client::connect(proxy.address).await;
        client.send(words).await;
        closed_in_time(client, since).await;
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream, Duration::from_secs(60)).await;
    for words in ["G", "GET /livez HTTP/1.1\r\n", "GET /livez HTTP/1.1\r\nhost: localhost\r\nx: "] {
        let since = Instant::now();
        let mut client = Client::connect(proxy.address).await;
        client.send(words).await;
        closed_in_time(client, since).await;
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_gets_no_more_time() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream, Duration::from_secs(60)).await;
    let since = Instant::now();
    let mut client = Client::connect(proxy.address).await;
    client.send("GET /livez HTTP/1.1\r\n").await;
    soon("being cut off", async {
        while client.try_send("x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(since.elapsed() >= TIMEOUT);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_running_stream_is_not() {
    let upstream =
        Upstream::start(Script::stream().send("data: {\"choices\":[]}\n\n").wait(400).send("data: [DONE]\n\n").end());
    let upstream = upstream.await;
    let proxy = proxy(&upstream, Duration::from_secs(60)).await;
    let mut client = Client::chat(proxy.address, true).await;
    client.read_until("[DONE]").await;
    closed_in_time(client, Instant::now()).await;
}

// === number ===

#[tokio::test]
async fn a_connection_beyond_the_cap_waits_for_its_turn() {
    let upstream = Upstream::start(Script::stream().send(token("one")).hang()).await;
    let proxy = Proxy::configured(&upstream, |config| config.server.max_connections = 2).await;
    let mut first = Client::chat(proxy.address, true).await;
    first.read_until("data:").await;
    let mut second = Client::chat(proxy.address, true).await;
    second.read_until("data:").await;

    let mut third = Client::connect(proxy.address).await;
    third.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let early = tokio::time::timeout(Duration::from_millis(200), third.response()).await;
    assert!(early.is_err(), "served beyond the cap");
    drop(first);
    assert_eq!(third.response().await.status, 200);
    drop(second);
}

// === reuse ===

#[tokio::test]
async fn a_connection_serves_one_stream_after_the_other() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    for _ in 0..3 {
        client.send(&request("/v1/chat/completions", &chat(true))).await;
        let stream = client.read_until("0\r\n\r\n").await;
        assert!(stream.contains("[DONE]"), "{stream}");
        client.forget();
    }
    assert_eq!(upstream.request_count(), 3);
}

#[tokio::test]
async fn requests_sent_together_are_answered_in_their_order() {
    let upstream = Upstream::start(Script::json("200 OK", r#"{"id":"1","choices":[]}"#)).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    let chat = request("/v1/chat/completions", &chat(false));
    client.send(&format!("{chat}GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n{chat}")).await;
    for body in [r#"{"id":"1","choices":[]}"#, "ok\n", r#"{"id":"1","choices":[]}"#] {
        assert_eq!(client.response().await.body, body);
    }
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn http_1_0_gets_a_stream_that_ends_with_its_connection() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&request("/v1/chat/completions", &chat(true)).replacen("HTTP/1.1", "HTTP/1.0", 1)).await;
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("data: [DONE]\n\n"), "{answer}");
    assert!(!answer.contains("transfer-encoding"), "{answer}");
}

// === HTTP/2 without TLS ===

#[tokio::test]
async fn http_2_streams_side_by_side_over_one_connection() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| config.server.max_connections = 1).await;
    let http2 = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let ask =
        || http2.post(proxy.url("/v1/chat/completions")).header("content-type", "application/json").body(chat(true));
    // The first makes the connection, which is the only one there can be.
    let first = soon("a response head", ask().send()).await.unwrap();
    let mut asking: JoinSet<_> = (0..20).map(|_| ask().send()).collect();
    while let Some(response) = soon("a response head", asking.join_next()).await {
        let response = response.unwrap().unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(soon("the stream", response.text()).await.unwrap().ends_with("data: [DONE]\n\n"));
    }
    assert!(soon("the stream", first.text()).await.unwrap().ends_with("data: [DONE]\n\n"));
}
