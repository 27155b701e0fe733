//! Responses that go on from others.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{proxy, proxy_configured};
use crate::support::websocket::text;
use crate::support::{Script, TONGUES, Tongue, Upstream, WebSocket};

/// Asks, and returns the id of the response.
async fn ask(client: &mut WebSocket, more: Value) -> Value {
    client.create(more).await;
    client.until("response.completed").await.pop().unwrap()["response"]["id"].clone()
}

#[tokio::test]
async fn a_response_goes_on_from_any_earlier_one_of_its_connection_whatever_the_upstream_keeps() {
    for tongue in TONGUES {
        let mut upstream = Upstream::start(tongue.stream(&["eins"])).await;
        let proxy = proxy(&upstream, tongue).await;
        let mut client = WebSocket::connect(&proxy).await;
        let first = ask(&mut client, json!({"input": "frage eins", "store": false})).await;
        let more = json!({"input": [{"role": "user", "content": "frage zwei"}], "previous_response_id": first});
        let second = ask(&mut client, more).await;
        // Another stream may go on from it, too.
        ask(&mut client, json!({"input": "frage drei", "previous_response_id": second, "stream_id": "b"})).await;
        upstream.request().await;
        let asked = [upstream.request().await, upstream.request().await];
        let [second, third] = asked.map(|request| String::from_utf8(request.body.to_vec()).unwrap());
        let in_order = |body: &str, words: &[&str]| {
            let mut rest = body;
            words.iter().all(|word| rest.split_once(word).map(|(_, behind)| rest = behind).is_some())
        };
        // Gemini's requests have the reply in other words around it, but the words themselves in order.
        assert!(in_order(&second, &["frage eins", "eins", "frage zwei"]), "{tongue:?}: {second}");
        assert!(in_order(&third, &["frage eins", "eins", "frage zwei", "eins", "frage drei"]), "{tongue:?}: {third}");
        assert!(!third.contains("previous_response_id"), "{third}");
    }
}

#[tokio::test]
async fn a_queued_request_goes_on_from_the_one_before_it() {
    // Its id is known before its end: the upstream's own.
    let cue = Arc::new(Notify::new());
    let answer = Tongue::Responses.stream(&["eins"]);
    let slow = Script::default().cue(&cue).append(answer.clone());
    let mut upstream = Upstream::in_turn([slow, answer]).await;
    let proxy = proxy(&upstream, Tongue::Responses).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({"input": "frage eins"})).await;
    client.create(json!({"input": "frage zwei", "previous_response_id": "resp_1"})).await;
    // Behind both of them, and refused at once: so both have been read.
    client.say(&json!({"type": "response.cancel", "stream_id": "b"})).await;
    client.error().await;
    cue.notify_one();
    client.until("response.completed").await;
    client.until("response.completed").await;
    upstream.request().await;
    let body: Value = serde_json::from_slice(&upstream.request().await.body).unwrap();
    assert_eq!(body["input"].as_array().unwrap().len(), 3, "{body}");
    assert_eq!(body["input"][1]["content"][0]["text"], "eins");
}

#[tokio::test]
async fn a_response_that_is_not_known_is_asked_of_who_may_know_it_and_of_nobody_else() {
    let mut upstream = Upstream::start(Tongue::Responses.stream(&["eins"])).await;
    let stored = proxy(&upstream, Tongue::Responses).await;
    let mut client = WebSocket::connect(&stored).await;
    ask(&mut client, json!({"previous_response_id": "resp_elsewhere"})).await;
    let body: Value = serde_json::from_slice(&upstream.request().await.body).unwrap();
    assert_eq!((&body["previous_response_id"], &body["input"]), (&json!("resp_elsewhere"), &json!("hi")));

    for lenient in [false, true] {
        let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
        let proxy = proxy_configured(&upstream, Tongue::Chat, |config| config.translation.lenient = lenient).await;
        let mut client = WebSocket::connect(&proxy).await;
        client.create(json!({"previous_response_id": "resp_elsewhere"})).await;
        let error = client.error().await;
        assert_eq!((&error["status"], &error["error"]["code"]), (&json!(400), &json!("previous_response_not_found")));
        assert_eq!(upstream.request_count(), 0);
    }
}

#[tokio::test]
async fn a_request_that_no_model_is_to_answer_is_gone_on_from_and_asks_nobody() {
    for tongue in TONGUES {
        let mut upstream = Upstream::start(tongue.stream(&["eins"])).await;
        let proxy = proxy(&upstream, tongue).await;
        let mut client = WebSocket::connect(&proxy).await;
        client.create(json!({"input": "frage eins", "generate": false})).await;
        let events = client.until("response.completed").await;
        let response = &events.last().unwrap()["response"];
        assert_eq!((&response["output"], &response["model"]), (&json!([]), &json!("m")), "{tongue:?}");
        assert_eq!((&*text(&events), upstream.request_count()), ("", 0));
        assert_eq!(proxy.log_line(&client.id_of_response(1)).await["outcome"], "completed");
        ask(&mut client, json!({"input": "frage zwei", "previous_response_id": response["id"]})).await;
        let body = String::from_utf8(upstream.request().await.body.to_vec()).unwrap();
        assert!(body.contains("frage eins") && body.contains("frage zwei"), "{tongue:?}: {body}");
        client.create(json!({"generate": false, "previous_response_id": "resp_elsewhere"})).await;
        assert_eq!(client.error().await["error"]["code"], "previous_response_not_found");
    }
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_is_of_this_connection_alone() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let proxy = proxy_configured(&upstream, Tongue::Chat, |config| config.websocket.max_history_bytes = 1000).await;
    let mut client = WebSocket::connect(&proxy).await;
    let first = ask(&mut client, json!({"input": "x".repeat(600)})).await;
    let mut other = WebSocket::connect(&proxy).await;
    other.create(json!({"previous_response_id": first})).await;
    assert_eq!(other.error().await["error"]["code"], "previous_response_not_found");
    let second = ask(&mut client, json!({"input": "y".repeat(600)})).await;
    client.create(json!({"previous_response_id": first})).await;
    assert_eq!(client.error().await["error"]["code"], "previous_response_not_found");
    ask(&mut client, json!({"previous_response_id": second})).await;
}
