//! Signs of life, and clients that give none.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::proxy_configured;
use crate::support::{Script, Step, Tongue, Upstream, WebSocket, sockets, soon, standstill};

const SILENCE: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_silent_connection_is_pinged_whether_a_response_runs_or_not() {
    let mut upstream = Upstream::start(Script::silence()).await;
    let proxy = proxy_configured(&upstream, Tongue::Chat, |config| {
        config.stream.keep_alive = Some(SILENCE);
        config.server.write_timeout = TIMEOUT;
    })
    .await;
    let mut client = WebSocket::connect(&proxy).await;
    // Reading answers them, so that the connection outlives its time limit for those who do not.
    for _ in 0..6 {
        assert!(matches!(client.message().await, Message::Ping(_)));
    }
    client.create(json!({})).await;
    upstream.request().await;
    for _ in 0..6 {
        assert!(matches!(client.message().await, Message::Ping(_)));
    }
    assert!(!upstream.was_abandoned());
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_gone() {
    let mut upstream = Upstream::start(Script::silence()).await;
    let proxy = proxy_configured(&upstream, Tongue::Chat, |config| {
        config.stream.keep_alive = Some(SILENCE);
        config.server.write_timeout = TIMEOUT;
    })
    .await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    let (id, response) = (client.request_id(), client.id_of_response(1));
    let socket = client.into_raw();
    upstream.abandoned().await;
    assert_eq!(proxy.log_line(&response).await["outcome"], "client_gone");
    assert_eq!(proxy.log_line(&id).await["outcome"], "client_gone");
    drop(socket);
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_upstream_and_is_dropped() {
    let flood = Tongue::Responses.head().send(Tongue::Responses.begin());
    let flood = flood.repeat(Tongue::Responses.text(&"x".repeat(16000)), 4096);
    let mut upstream = Upstream::start(flood).await;
    let proxy = proxy_configured(&upstream, Tongue::Responses, |config| {
        config.server.write_timeout = Duration::from_secs(2);
    })
    .await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    let response = client.id_of_response(1);
    let socket = client.into_raw();
    let sent = standstill("the upstream", || upstream.bytes_sent()).await;
    let ends = [proxy.address.port(), upstream.address.port()].into_iter().flat_map(sockets::of_port);
    let in_kernel: u64 = ends.map(|end| end.sending + end.receiving).sum();
    // What is read at once, and what it becomes.
    assert!(sent < in_kernel + 256 * 1024, "{sent} sent, {in_kernel} of it in the kernel");
    upstream.abandoned().await;
    assert_eq!(proxy.log_line(&response).await["outcome"], "client_stalled");
    drop(socket);
}

#[tokio::test]
async fn a_client_that_pauses_misses_nothing() {
    let texts: Vec<String> = (0..2000).map(|number| format!("{number} {}", "x".repeat(2000))).collect();
    let tongue = Tongue::Responses;
    let script = texts.iter().fold(tongue.head().send(tongue.begin()), |script, text| script.send(tongue.text(text)));
    let upstream = Upstream::start(script.send(tongue.end("")).end()).await;
    let proxy = proxy_configured(&upstream, tongue, |_| {}).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let events = soon("all of it", client.until("response.completed")).await;
    assert_eq!(crate::support::websocket::text(&events), texts.concat());
}

#[tokio::test]
async fn a_client_that_is_busy_sending_is_read_although_it_does_not_read() {
    let tongue = Tongue::Responses;
    let flood = tongue.head().send(tongue.begin()).then(Step::Repeat(tongue.text(&"x".repeat(16000)).into(), 4096));
    let upstream = Upstream::in_turn([flood, tongue.stream(&["zwei"])]).await;
    let proxy = proxy_configured(&upstream, tongue, |_| {}).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.keep_little();
    client.create(json!({"stream_id": "a"})).await;
    standstill("the upstream", || upstream.bytes_sent()).await;
    // More than the kernel takes.
    client.create(json!({"stream_id": "b", "input": "x".repeat(8 << 20)})).await;
    client.say(&json!({"type": "response.cancel", "stream_id": "a"})).await;
    let events = soon("both ends", client.until("response.completed")).await;
    assert!(events.iter().any(|event| event["type"] == "response.cancelled" && event["stream_id"] == "a"));
}
