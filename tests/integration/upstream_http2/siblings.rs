//! What becomes of one stream is nothing to the others on its connection.

use std::time::Duration;

use h2::Reason;

use super::{ask_at_once, assert_whole, proxy_before};
use crate::support::{
    Client, DONE, FINISH, FrameUpstream, Http2Client, Http2Upstream, ROLE, chat, request, soon, token, with_header,
};

const PING: Duration = Duration::from_millis(150);

/// Small frames that nobody reads count against the connection, and so does every byte against its window.
#[tokio::test]
async fn streams_that_nobody_reads_end_none_beside_them() {
    const UNREAD: usize = 9;
    let mut upstream = Http2Upstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    // Their clients leave nearly everything to the proxy.
    let mut client = Http2Client::connect_with(proxy.address, 1024).await;
    let (mut unread, mut floods) = (Vec::new(), Vec::new());
    for number in 0..UNREAD {
        let request = client.chat(&format!("unread-{number}")).await;
        let mut flood = upstream.request().await;
        flood.send(ROLE);
        let piece =
            if number == 0 { token(&"x".repeat(1000)) } else { ": a comment of forty bytes and no more\n\n".into() };
        (0..1800).for_each(|_| flood.send(piece.clone()));
        unread.push(request.answer().await);
        floods.push(flood);
    }
    let replies = ask_at_once(&proxy, 20);
    let mut calm = upstream.requests(20).await;
    for _ in 0..50 {
        calm.iter_mut().for_each(|exchange| exchange.send(token("calm")));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for mut exchange in calm {
        exchange.send([FINISH, DONE].concat());
        exchange.end();
    }
    for reply in assert_whole(replies).await {
        assert_eq!(reply.body.matches("calm").count(), 50);
    }
    assert_eq!(upstream.accepted_count(), 1);
    // Those that were not read are none the worse either.
    let mut flood = floods.pop().unwrap();
    flood.send([FINISH, DONE].concat());
    flood.end();
    let told = unread.pop().unwrap().read_to_end().await.unwrap();
    assert_eq!(told.matches("forty").count(), 1800);
    assert!(told.ends_with(DONE));
}

/// The request is small, the answers are large: what stands unread is no more than a window.
#[tokio::test]
async fn a_client_that_stops_and_goes_on_gets_every_byte_in_order() {
    let mut upstream = Http2Upstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&with_header(&request("/v1/chat/completions", &chat(true)), "connection: close")).await;
    let mut exchange = upstream.request().await;
    let padding = "x".repeat(1000);
    let event = |number: usize| format!("data: {{\"choices\":[],\"number\":{number},\"padding\":\"{padding}\"}}\n\n");
    let events: String = (0..8 << 10).map(event).collect();
    for piece in events.as_bytes().chunks(3000) {
        exchange.send(piece.to_vec());
    }
    exchange.send([FINISH, DONE].concat());
    exchange.end();
    for megabytes in 1..8 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.read(megabytes << 20).await;
    }
    client.read_to_end().await;
    assert!(client.body() == [&events, FINISH, DONE].concat().as_bytes(), "the answer differs");
}

#[tokio::test]
async fn a_stream_that_the_server_resets_ends_alone() {
    let upstream = FrameUpstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    let replies = ask_at_once(&proxy, 2);
    let mut connection = upstream.accept().await;
    let streams = connection.requests(2).await;
    for stream in &streams {
        connection.begin(*stream, "hi").await;
    }
    connection.reset_stream(streams[0], Reason::INTERNAL_ERROR).await;
    connection.finish(streams[1]).await;
    let mut ends = Vec::new();
    for reply in replies {
        ends.push(soon("a reply", reply).await.unwrap());
    }
    let (whole, broken): (Vec<_>, Vec<_>) = ends.into_iter().partition(|reply| reply.body.ends_with(DONE));
    assert_eq!((whole.len(), broken.len()), (1, 1));
    assert_eq!(broken[0].error_event()["code"], "upstream_connection_broken");
}

#[tokio::test]
async fn a_server_that_vanishes_is_found_out() {
    let upstream = FrameUpstream::start().await;
    let proxy = proxy_before(&upstream.url(), |limits| limits.http2_ping = Some(PING)).await;
    let mut replies = ask_at_once(&proxy, 1);
    let mut connection = upstream.accept().await;
    connection.answers_pings = false;
    let stream = connection.request().await;
    connection.begin(stream, "hi").await;
    let reply = soon("a reply", replies.pop().unwrap()).await.unwrap();
    assert_eq!(reply.error_event()["code"], "upstream_connection_broken");
}

#[tokio::test]
async fn a_server_that_is_silent_and_alive_is_waited_for() {
    let mut upstream = Http2Upstream::start().await;
    let proxy = proxy_before(&upstream.url(), |limits| limits.http2_ping = Some(PING)).await;
    let reply = ask_at_once(&proxy, 1);
    let exchange = upstream.request().await;
    tokio::time::sleep(PING * 6).await;
    exchange.answer("at last");
    assert_whole(reply).await;
}
