//! Connections that are ended from here.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;

use super::{proxy, proxy_configured};
use crate::support::websocket::text;
use crate::support::{Tongue, Upstream, WebSocket};

const CHAT: Tongue = Tongue::Chat;

/// An upstream that says the rest of its answer once it is given the cue.
async fn waiting(cue: &Arc<Notify>) -> Upstream {
    let script = CHAT.head().send(CHAT.begin()).send(CHAT.text("eins")).cue(cue);
    Upstream::start(script.send(CHAT.text("zwei")).send(CHAT.end("einszwei")).end()).await
}

#[tokio::test]
async fn a_shutdown_lets_what_runs_run_refuses_the_rest_and_says_goodbye() {
    let cue = Arc::new(Notify::new());
    let upstream = waiting(&cue).await;
    let proxy = proxy(&upstream, CHAT).await;
    let mut idle = WebSocket::connect(&proxy).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    client.until("response.output_text.delta").await;
    client.create(json!({})).await;
    proxy.has_read_everything().await;
    proxy.shutdown.draining.cancel();
    assert_eq!(idle.close_code().await, 1001);
    // First the one that waits, then one that comes too late.
    assert_eq!(client.error().await["error"]["code"], "shutting_down");
    client.create(json!({"stream_id": "b"})).await;
    let late = client.error().await;
    assert_eq!((&late["stream_id"], &late["status"]), (&json!("b"), &json!(503)));
    cue.notify_one();
    assert_eq!(text(&client.until("response.completed").await), "zwei");
    assert_eq!(client.close_code().await, 1001);
    assert_eq!(proxy.log_line(&client.id_of_response(1)).await["outcome"], "completed");
    assert_eq!(proxy.log_line(&client.request_id()).await["outcome"], "shut_down");
    proxy.ended().await;
}

#[tokio::test]
async fn at_the_deadline_of_a_shutdown_responses_end_in_an_error_in_every_phase() {
    for script in [crate::support::Script::silence(), CHAT.head().hang(), CHAT.head().send(CHAT.begin()).hang()] {
        let mut upstream = Upstream::start(script).await;
        let proxy = proxy(&upstream, CHAT).await;
        let mut client = WebSocket::connect(&proxy).await;
        client.create(json!({})).await;
        upstream.request().await;
        proxy.shutdown.draining.cancel();
        proxy.shutdown.deadline.cancel();
        let last = client.until("error").await.pop().unwrap();
        assert_eq!(last["error"]["code"], "shutting_down");
        let id = client.id_of_response(1);
        // What follows an error, if anything, says that the response failed.
        assert_eq!(client.close_code().await, 1001);
        assert_eq!(proxy.log_line(&id).await["outcome"], "shut_down");
        upstream.abandoned().await;
        proxy.ended().await;
    }
}

#[tokio::test]
async fn an_old_connection_says_so_and_ends_when_what_runs_has_ended() {
    let cue = Arc::new(Notify::new());
    let upstream = waiting(&cue).await;
    let proxy = proxy_configured(&upstream, CHAT, |config| {
        config.websocket.max_age = Duration::from_millis(300);
    })
    .await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    let events = client.until("error").await;
    let old = events.last().unwrap();
    assert_eq!((&old["status"], &old["error"]["code"]), (&json!(400), &json!("websocket_connection_limit_reached")));
    client.create(json!({"stream_id": "b"})).await;
    assert_eq!(client.error().await["error"]["code"], "websocket_connection_limit_reached");
    cue.notify_one();
    assert_eq!(text(&events) + &text(&client.until("response.completed").await), "einszwei");
    assert_eq!(client.close_code().await, 1001);
    proxy.has_no_connection().await;
}

#[tokio::test]
async fn a_connection_keeps_its_place_among_the_connections_that_may_be() {
    let upstream = Upstream::start(CHAT.stream(&["eins"])).await;
    let proxy = proxy_configured(&upstream, CHAT, |config| config.server.max_connections = 1).await;
    let client = WebSocket::connect(&proxy).await;
    let next = tokio::spawn({
        let url = proxy.url("/livez");
        async move { crate::support::client().get(url).send().await.unwrap().status() }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!next.is_finished());
    drop(client);
    assert_eq!(crate::support::soon("the next connection", next).await.unwrap(), 200);
}
