//! Streams of responses within a connection.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{proxy, proxy_configured};
use crate::support::websocket::text;
use crate::support::{Received, Script, Tongue, Upstream, WebSocket, soon, until};

const CHAT: Tongue = Tongue::Chat;

const INPUTS: [&str; 4] = ["a1", "a2", "b1", "nameless"];

/// An answer that says what was asked, once it is given its cue.
fn echo(request: &Received, cues: &[Arc<Notify>; 4]) -> Script {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let asked = body["messages"][0]["content"].as_str().unwrap().to_owned();
    let cue = &cues[INPUTS.iter().position(|input| *input == asked).unwrap()];
    CHAT.head().send(CHAT.begin()).cue(cue).send(CHAT.text(&asked)).send(CHAT.end(&asked)).end()
}

#[tokio::test]
async fn responses_of_one_stream_come_in_turn_and_of_several_side_by_side() {
    let cues: [Arc<Notify>; 4] = Default::default();
    let upstream = {
        let cues = cues.clone();
        Upstream::start_with(move |request| echo(request, &cues)).await
    };
    let proxy = proxy(&upstream, CHAT).await;
    let mut client = WebSocket::connect(&proxy).await;
    for (stream, input) in [(Some("a"), "a1"), (Some("a"), "a2"), (Some("b"), "b1"), (None, "nameless")] {
        client.create(stream.map_or(json!({"input": input}), |id| json!({"input": input, "stream_id": id}))).await;
    }
    until("three requests", || upstream.request_count() == 3).await;
    // The one that came last is answered first, and the second of its stream waits for the first.
    let mut begun = Vec::new();
    for (cue, stream) in [(3, Value::Null), (2, json!("b")), (0, json!("a"))] {
        assert_eq!(upstream.request_count(), 3);
        cues[cue].notify_one();
        let events = client.until("response.completed").await;
        let (its, others): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| event["stream_id"] == stream);
        assert_eq!(text(&its), INPUTS[cue]);
        begun.extend(others);
    }
    assert_eq!(text(&begun), "");
    until("the fourth request", || upstream.request_count() == 4).await;
    cues[1].notify_one();
    let events = client.until("response.completed").await;
    assert!(events.iter().all(|event| event["stream_id"] == "a"));
    assert_eq!(text(&events), "a2");
}

#[tokio::test]
async fn streams_and_waiting_requests_are_bounded() {
    let upstream = Upstream::start(CHAT.head().send(CHAT.begin() + &CHAT.text("eins")).hang()).await;
    let proxy = proxy_configured(&upstream, CHAT, |config| {
        config.websocket.max_streams = 2;
        config.websocket.max_queued = 1;
        config.server.max_body_bytes = 1000;
    })
    .await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({"stream_id": "a"})).await;
    client.create(json!({"stream_id": "b"})).await;
    client.until("response.created").await;
    client.create(json!({"stream_id": "c"})).await;
    let refused = error(&mut client).await;
    assert_eq!(
        (&refused["error"]["code"], &refused["stream_id"]),
        (&json!("websocket_stream_limit_reached"), &json!("c"))
    );
    assert_eq!(refused["status"], 429);
    client.create(json!({"stream_id": "a"})).await;
    client.create(json!({"stream_id": "b"})).await;
    let refused = error(&mut client).await;
    assert_eq!(
        (&refused["error"]["code"], &refused["stream_id"]),
        (&json!("websocket_stream_limit_reached"), &json!("b"))
    );
    // What stops makes room.
    client.say(&json!({"type": "response.cancel", "stream_id": "b"})).await;
    soon("the end of b", client.until("response.cancelled")).await;
    client.create(json!({"stream_id": "c"})).await;
    until("the request of c", || upstream.request_count() == 3).await;
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes_too() {
    let upstream = Upstream::start(CHAT.head().send(CHAT.begin() + &CHAT.text("eins")).hang()).await;
    let proxy = proxy_configured(&upstream, CHAT, |config| config.server.max_body_bytes = 1000).await;
    let mut client = WebSocket::connect(&proxy).await;
    let large = "x".repeat(600);
    for _ in 0..3 {
        client.create(json!({"input": large})).await;
    }
    let refused = error(&mut client).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("server.max_body_bytes"), "{refused}");
    assert_eq!(upstream.request_count(), 1);
}

/// The next event that is an error.
async fn error(client: &mut WebSocket) -> Value {
    client.until("error").await.pop().unwrap()
}
