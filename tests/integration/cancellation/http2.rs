//! Leaving a stream of HTTP/2: it is reset, its siblings go on. Closing the connection leaves all of them.

use h2::Reason;
use sluicegate::config::Config;
use sluicegate::config::provider::Provider;

use crate::support::{
    Client, DONE, FINISH, Http2Client, Http2Upstream, Proxy, ROLE, Received, Script, Upstream, new_id, provider,
    standstill, token,
};

/// Does what the id of the request says.
fn as_told(request: &Received) -> Script {
    let stream = Script::stream().send(ROLE);
    match request.header("x-request-id").unwrap().split('-').next().unwrap() {
        "silence" => Script::silence(),
        "hang" => stream.send(token("one")).hang(),
        "flood" => stream.repeat(token(&"x".repeat(16000)), 1 << 20),
        _ => stream.send(token("one")).wait(300).send(token("two")).send(FINISH).send(DONE).end(),
    }
}

/// An id that tells [`as_told`] what to do.
fn told(what: &str) -> String {
    format!("{what}-{}", new_id())
}

#[tokio::test]
async fn a_stream_that_is_reset_stops_its_upstream_and_no_other() {
    let mut upstream = Upstream::start_with(as_told).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Http2Client::connect(proxy.address).await;
    let ids = ["answer", "silence", "hang", "flood"].map(told);
    let mut sibling = client.chat(&ids[0]).await.answer().await;
    sibling.read_until("one").await;

    let silent = client.chat(&ids[1]).await;
    let mut hanging = client.chat(&ids[2]).await.answer().await;
    hanging.read_until("one").await;
    let unread = client.chat(&ids[3]).await.answer().await;
    standstill("the upstream", || upstream.bytes_sent()).await;

    drop(silent);
    upstream.abandoned().await;
    drop(hanging);
    upstream.abandoned().await;
    drop(unread);
    upstream.abandoned().await;
    for id in &ids[1..] {
        assert_eq!(proxy.log_line(id).await["outcome"], "client_gone", "{id}");
    }
    assert!(sibling.read_to_end().await.unwrap().ends_with(DONE));
    assert_eq!(proxy.log_line(&ids[0]).await["outcome"], "completed");
    assert_eq!(upstream.request_count(), 4);
}

#[tokio::test]
async fn a_connection_that_is_closed_stops_the_upstreams_of_all_its_streams() {
    let mut upstream = Upstream::start_with(as_told).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Http2Client::connect(proxy.address).await;
    let ids = ["silence", "hang", "flood"].map(told);
    let mut requests = Vec::new();
    for id in &ids {
        requests.push(client.chat(id).await);
        upstream.request().await;
    }
    drop(client);
    for id in &ids {
        upstream.abandoned().await;
        assert_eq!(proxy.log_line(id).await["outcome"], "client_gone", "{id}");
    }
}

/// A proxy that speaks HTTP/2 to `upstream`.
async fn proxy_before(upstream: &Http2Upstream) -> Proxy {
    let mut config = Config::for_testing();
    config.providers.push(Provider { http2: true, ..provider("upstream", &upstream.url()) });
    Proxy::start(config).await
}

#[tokio::test]
async fn an_upstream_of_http2_sees_the_stream_reset_whose_client_leaves_and_no_other() {
    let mut upstream = Http2Upstream::start().await;
    let proxy = proxy_before(&upstream).await;
    let mut sibling = Client::chat(proxy.address, true).await;
    let mut sibling_upstream = upstream.request().await;
    sibling_upstream.send(ROLE);

    let client = Client::chat(proxy.address, true).await;
    let mut before_the_headers = upstream.request().await;
    drop(client);
    assert_eq!(before_the_headers.was_reset().await, Reason::CANCEL);

    let client = Client::chat(proxy.address, true).await;
    let mut before_the_first_token = upstream.request().await;
    before_the_first_token.send(": busy\n\n");
    drop(client);
    assert_eq!(before_the_first_token.was_reset().await, Reason::CANCEL);

    let mut client = Client::chat(proxy.address, true).await;
    let mut between_tokens = upstream.request().await;
    between_tokens.send([ROLE, &token("one")].concat());
    client.read_until("one").await;
    drop(client);
    assert_eq!(between_tokens.was_reset().await, Reason::CANCEL);

    let client = Client::chat(proxy.address, true).await;
    let mut unread = upstream.request().await;
    unread.send([ROLE, &token(&"x".repeat(1 << 20))].concat());
    drop(client);
    assert_eq!(unread.was_reset().await, Reason::CANCEL);

    sibling_upstream.send([FINISH, DONE].concat());
    sibling_upstream.end();
    sibling.read_until(DONE).await;
}

#[tokio::test]
async fn a_stream_that_is_reset_resets_the_stream_to_an_upstream_of_http2() {
    let mut upstream = Http2Upstream::start().await;
    let proxy = proxy_before(&upstream).await;
    let mut client = Http2Client::connect(proxy.address).await;
    let request = client.chat(&new_id()).await;
    let mut exchange = upstream.request().await;
    drop(request);
    assert_eq!(exchange.was_reset().await, Reason::CANCEL);
}
