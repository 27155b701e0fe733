//! More streams than one connection takes open more connections, and no more than need be.

use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::config::provider::Provider;

use super::{ask_at_once, assert_whole, proxy_before};
use crate::support::{
    Client, FrameUpstream, Http2Exchange, Http2Upstream, ROLE, Script, Upstream, provider, soon, until,
};

/// How many of `exchanges` came over each connection, most first.
fn loads(exchanges: &[Http2Exchange]) -> Vec<usize> {
    let mut loads = vec![0; exchanges.iter().map(|exchange| exchange.connection).max().unwrap() + 1];
    exchanges.iter().for_each(|exchange| loads[exchange.connection] += 1);
    loads.sort_unstable_by(|a, b| b.cmp(a));
    loads
}

#[tokio::test]
async fn a_rush_shares_one_connection_as_far_as_it_goes() {
    let mut upstream = Http2Upstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    let replies = ask_at_once(&proxy, 40);
    let exchanges = upstream.requests(40).await;
    assert_eq!(loads(&exchanges), [40]);
    exchanges.into_iter().for_each(|exchange| exchange.answer("hi"));
    assert_whole(replies).await;
    assert_eq!(upstream.accepted_count(), 1);
}

#[tokio::test]
async fn more_streams_than_the_server_allows_on_a_connection_open_more() {
    let mut upstream = Http2Upstream::with_max_streams(10).await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    let replies = ask_at_once(&proxy, 35);
    let exchanges = upstream.requests(35).await;
    assert!(loads(&exchanges).iter().all(|load| *load <= 10), "{:?}", loads(&exchanges));
    exchanges.into_iter().for_each(|exchange| exchange.answer("hi"));
    assert_whole(replies).await;
}

#[tokio::test]
async fn more_streams_than_are_configured_for_a_connection_open_more() {
    let mut upstream = Http2Upstream::start().await;
    let proxy = proxy_before(&upstream.url(), |limits| limits.http2_streams_per_connection = 10).await;
    let replies = ask_at_once(&proxy, 35);
    let exchanges = upstream.requests(35).await;
    assert_eq!(loads(&exchanges), [10, 10, 10, 5]);
    exchanges.into_iter().for_each(|exchange| exchange.answer("hi"));
    assert_whole(replies).await;
    // Their places are free again.
    let replies = ask_at_once(&proxy, 35);
    upstream.requests(35).await.into_iter().for_each(|exchange| exchange.answer("hi"));
    assert_whole(replies).await;
    assert_eq!(upstream.accepted_count(), 4);
}

#[tokio::test]
async fn when_all_connections_are_full_a_request_waits_for_its_turn() {
    let mut upstream = Http2Upstream::start().await;
    let proxy = proxy_before(&upstream.url(), |limits| {
        limits.http2_streams_per_connection = 2;
        limits.http2_connections = 2;
    })
    .await;
    let replies = ask_at_once(&proxy, 5);
    let mut running = upstream.requests(4).await;
    // One that leaves the queue leaves nothing in it.
    let leaving = Client::chat(proxy.address, true).await;
    proxy.has_read_everything().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!upstream.has_request(), "there was no place for it");
    drop(leaving);
    running.pop().unwrap().answer("first");
    let last = upstream.request().await;
    last.answer("last");
    running.into_iter().for_each(|exchange| exchange.answer("hi"));
    assert_whole(replies).await;
    assert!(!upstream.has_request(), "a client that had left was asked for");
    assert_eq!(upstream.accepted_count(), 2);
}

#[tokio::test]
async fn a_server_that_allows_fewer_streams_than_before_gets_no_more() {
    let upstream = FrameUpstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    let mut replies = ask_at_once(&proxy, 2);
    let mut first = upstream.accept().await;
    let streams = first.requests(2).await;
    first.allow(1).await;
    first.begin(streams[0], "one").await;
    first.answer(streams[1], "one").await;
    assert_whole(vec![replies.pop().unwrap()]).await;

    replies.extend(ask_at_once(&proxy, 1));
    let mut second = upstream.accept().await;
    let stream = second.request().await;
    second.answer(stream, "two").await;
    first.finish(streams[0]).await;
    assert_whole(replies).await;
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_after_a_while() {
    use sluicegate::upstream::http1::Request;
    use sluicegate::upstream::http2::{Client, Limits};
    let mut upstream = Http2Upstream::start().await;
    let limits = Limits { streams: 10, connections: 1, ping: None };
    let url = upstream.url().parse().unwrap();
    let client = Client::new(&url, &[http::HeaderMap::new()], None, Duration::from_secs(5), limits).unwrap();
    let (method, headers, body) = (http::Method::POST, http::HeaderMap::new(), bytes::Bytes::from("{}"));
    let request =
        Request { key: 0, method: &method, base_path: "/v1", path: "/chat/completions", headers: &headers, body };
    let (response, exchange) = tokio::join!(client.send(request), async {
        let mut exchange = upstream.request().await;
        exchange.send(ROLE);
        exchange
    });
    let later = async |seconds| {
        client.sweep();
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        client.sweep();
    };
    later(60).await;
    assert_eq!(upstream.connection_count(), 1, "there is a stream on it");
    drop((response, exchange));
    later(20).await;
    assert_eq!(upstream.connection_count(), 1, "it is too early");
    later(20).await;
    until("the connection is closed", || upstream.connection_count() == 0).await;
}

#[tokio::test]
async fn a_new_configuration_closes_the_connections_of_the_old_one_when_their_streams_have_ended() {
    let mut upstream = Http2Upstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    let mut replies = ask_at_once(&proxy, 1);
    let running = upstream.request().await;
    let mut config = Config::for_testing();
    config.providers.push(Provider { http2: true, default: true, ..provider("upstream", &upstream.url()) });
    proxy.config.send(config.into()).unwrap();
    // A new connection tells that the new configuration is there.
    while upstream.accepted_count() < 2 {
        let reply = ask_at_once(&proxy, 1);
        upstream.request().await.answer("hi");
        assert_whole(reply).await;
    }
    running.answer("hi");
    assert_whole(vec![replies.pop().unwrap()]).await;
    until("the old connection is closed", || upstream.connection_count() == 1).await;
}

#[tokio::test]
async fn a_server_without_http2_cannot_be_reached_and_the_log_says_why() {
    let http1 = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = proxy_before(&http1.url(), |_| {}).await;
    let reply = soon("a reply", proxy.ask(true)).await;
    assert_eq!((reply.status, &reply.error()["code"]), (502, &"upstream_unreachable".into()));
    let line = proxy.log_line(reply.request_id()).await;
    let cause = &line["cause"];
    assert!(cause.contains("does not speak HTTP/2") && cause.contains("http2 = false"), "{cause}");
}
