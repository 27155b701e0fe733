//! Whoever stops or leaves stops the upstream, in every phase.

use std::time::Duration;

use serde_json::json;

use super::{proxy, proxy_configured};
use crate::support::{Script, TONGUES, Tongue, Upstream, WebSocket};

/// The ways in which an upstream may be found when it is left: it has not answered, not begun, or is speaking.
fn phases(tongue: Tongue) -> [(Script, bool); 3] {
    let begun = tongue.head().send(tongue.begin()).send(tongue.text("eins")).hang();
    [(Script::silence(), false), (tongue.head().hang(), false), (begun, true)]
}

#[tokio::test]
async fn a_cancelled_response_stops_its_upstream_and_the_connection_goes_on() {
    for tongue in TONGUES {
        for (script, speaks) in phases(tongue) {
            let mut upstream = Upstream::in_turn([script, tongue.stream(&["zwei"])]).await;
            let proxy = proxy(&upstream, tongue).await;
            let mut client = WebSocket::connect(&proxy).await;
            client.create(json!({})).await;
            upstream.request().await;
            if speaks {
                client.until("response.output_text.delta").await;
            }
            client.say(&json!({"type": "response.cancel"})).await;
            let last = client.event().await;
            assert_eq!(
                (&last["type"], &last["response"]["status"]),
                (&json!("response.cancelled"), &json!("cancelled"))
            );
            assert!(last["response"]["id"].as_str().unwrap().starts_with("resp_"), "{last}");
            upstream.abandoned().await;
            let line = proxy.log_line(&client.id_of_response(1)).await;
            assert_eq!(line["outcome"], "cancelled", "{tongue:?}");
            client.create(json!({})).await;
            client.until("response.completed").await;
        }
    }
}

#[tokio::test]
async fn a_response_can_be_cancelled_by_its_id_and_none_but_it() {
    let script = Tongue::Chat.head().send(Tongue::Chat.begin()).send(Tongue::Chat.text("eins")).hang();
    let mut upstream = Upstream::start(script).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({"stream_id": "a"})).await;
    let id = client.until("response.output_text.delta").await[0]["response"]["id"].clone();
    for wrong in [json!({"response_id": "resp_1"}), json!({}), json!({"response_id": id, "stream_id": "b"})] {
        let mut cancel = json!({"type": "response.cancel"});
        cancel.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        client.say(&cancel).await;
        let refused = client.error().await;
        assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!(404), &json!("response_not_found")));
    }
    assert!(!upstream.was_abandoned());
    client.say(&json!({"type": "response.cancel", "response_id": id})).await;
    let last = client.event().await;
    assert_eq!((&last["response"]["id"], &last["stream_id"]), (&id, &json!("a")));
    upstream.abandoned().await;
}

#[tokio::test]
async fn what_waits_behind_a_cancelled_response_has_its_turn() {
    let upstream = Upstream::in_turn([Script::silence(), Tongue::Chat.stream(&["zwei"])]).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    client.create(json!({})).await;
    client.say(&json!({"type": "response.cancel"})).await;
    assert_eq!(client.event().await["type"], "response.cancelled");
    client.until("response.completed").await;
}

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    Close,
    Fin,
    Reset,
    HalfClose,
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_upstream_in_every_phase_and_in_every_way() {
    for leaving in [Leaving::Close, Leaving::Fin, Leaving::Reset, Leaving::HalfClose] {
        for (script, speaks) in phases(Tongue::Chat) {
            let mut upstream = Upstream::start(script).await;
            let quiet = |config: &mut sluicegate::config::Config| config.stream.keep_alive = None;
            let proxy = proxy_configured(&upstream, Tongue::Chat, quiet).await;
            let mut client = WebSocket::connect(&proxy).await;
            client.create(json!({})).await;
            upstream.request().await;
            if speaks {
                client.until("response.output_text.delta").await;
            }
            assert!(!upstream.was_abandoned());
            let id = client.id_of_response(1);
            let kept = leave(client, leaving).await;
            upstream.abandoned().await;
            let line = proxy.log_line(&id).await;
            assert_eq!(line["outcome"], "client_gone", "{leaving:?}");
            proxy.has_no_connection().await;
            drop(kept);
        }
    }
}

/// Leaves, and returns what must not be dropped before that is seen.
async fn leave(mut client: WebSocket, leaving: Leaving) -> Option<tokio::net::TcpStream> {
    match leaving {
        Leaving::Close => {
            client.send(tokio_tungstenite::tungstenite::Message::Close(None)).await;
            assert!(matches!(client.message().await, tokio_tungstenite::tungstenite::Message::Close(_)));
            None
        }
        Leaving::Fin => None,
        Leaving::Reset => {
            socket2::SockRef::from(&client.into_raw()).set_linger(Some(Duration::ZERO)).unwrap();
            None
        }
        Leaving::HalfClose => {
            let mut socket = client.into_raw();
            tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
            Some(socket)
        }
    }
}
