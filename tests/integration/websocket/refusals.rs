//! What is refused, and that the connection goes on.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Value, json};

use super::{proxy, proxy_configured};
use crate::support::{Script, TONGUES, Tongue, Upstream, WebSocket, nowhere, speaker};

#[tokio::test]
async fn what_cannot_be_understood_is_an_error_with_a_name_and_the_connection_goes_on() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let mut client = WebSocket::connect(&proxy).await;
    for (message, param) in [
        ("", None),
        ("{", None),
        ("[1]", None),
        ("\"text\"", None),
        (r#"{"type":7}"#, None),
        ("{}", Some("type")),
        (r#"{"type":"response.steer"}"#, Some("type")),
        (r#"{"type":"response.create","input":"hi"}"#, Some("model")),
        (r#"{"type":"response.create","model":"m","input":"hi","background":true}"#, Some("background")),
        (r#"{"type":"response.create","input":"hi","generate":false}"#, Some("model")),
        (r#"{"type":"response.create","model":"m","input":7}"#, Some("input")),
    ] {
        client.send(message.into()).await;
        let error = client.error().await;
        assert_eq!((&error["status"], error["error"]["param"].as_str()), (&json!(400), param), "{message}: {error}");
    }
    let long = "x".repeat(200);
    client.create(json!({"stream_id": long})).await;
    assert_eq!(client.error().await["error"]["param"], "stream_id");
    client.send(tokio_tungstenite::tungstenite::Message::binary(&b"{}"[..])).await;
    assert_eq!(client.error().await["status"], 400);
    assert_eq!(upstream.request_count(), 0);
    client.create(json!({})).await;
    client.until("response.completed").await;
}

#[tokio::test]
async fn an_error_names_the_stream_it_is_about() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let proxy = proxy_configured(&upstream, Tongue::Chat, |config| {
        // No model but this is anybody's.
        config.providers.push(speaker("openai-chat", "other", &nowhere()));
    })
    .await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({"stream_id": "a", "model": "nobodys"})).await;
    let error = client.error().await;
    assert_eq!((&error["stream_id"], &error["error"]["code"]), (&json!("a"), &json!("model_not_found")));
    assert_eq!(error["status"], 404);
    let line = proxy.log_line(&client.id_of_response(1)).await;
    assert_eq!((&*line["outcome"], &*line["status"], &*line["error"]), ("rejected", "404", "model_not_found"));
}

#[tokio::test]
async fn an_upstreams_refusal_comes_with_its_status_and_words() {
    for tongue in TONGUES {
        for status in [401, 429, 500] {
            let upstream = Upstream::start(tongue.refusal(status, "not today")).await;
            let proxy = proxy(&upstream, tongue).await;
            let mut client = WebSocket::connect(&proxy).await;
            client.create(json!({"stream_id": "a"})).await;
            let error = client.error().await;
            assert_eq!((&error["status"], &error["stream_id"]), (&json!(status), &json!("a")), "{tongue:?}");
            assert!(error["error"]["message"].as_str().unwrap().contains("not today"), "{error}");
            let line = proxy.log_line(&client.id_of_response(1)).await;
            assert_eq!(line["outcome"], "upstream_failed", "{tongue:?}");
        }
    }
}

#[tokio::test]
async fn when_to_ask_again_comes_with_the_error() {
    let body = r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#;
    let headers = "content-type: application/json\r\nretry-after: 7\r\nset-cookie: a=b\r\n";
    let upstream = Upstream::start(Script::response("429 Too Many Requests", headers, body)).await;
    let proxy = proxy(&upstream, Tongue::Responses).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    assert_eq!(client.error().await["error"]["headers"], json!({"retry-after": "7"}));
}

#[tokio::test]
async fn an_upstream_that_is_not_there_or_does_not_begin_is_an_error_however_long_that_takes() {
    let mut config = sluicegate::config::Config::for_testing();
    config.providers.push(speaker("openai-chat", "upstream", &nowhere()));
    let proxy = crate::support::Proxy::start(config).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    let error = client.error().await;
    assert_eq!((&error["status"], &error["error"]["code"]), (&json!(502), &json!("upstream_unreachable")));

    let upstream = Upstream::start(Script::silence()).await;
    let proxy = proxy_configured(&upstream, Tongue::Chat, |config| {
        // Over HTTP the head of the response would have gone out long before.
        config.stream.commit_after = Duration::from_millis(10);
        config.stream.headers_timeout = Duration::from_millis(300);
    })
    .await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    let error = client.error().await;
    assert_eq!((&error["status"], &error["error"]["code"]), (&json!(504), &json!("headers_timeout")));
    assert_eq!(proxy.log_line(&client.id_of_response(1)).await["outcome"], "headers_timeout");
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_in_an_error_and_is_never_called_whole() {
    for tongue in TONGUES {
        let begun = || tongue.head().send(tongue.begin()).send(tongue.text("eins"));
        let broken = [begun().close(), begun().reset(), begun().end(), begun().send(tongue.error_event("ouch")).hang()];
        for (at, script) in broken.into_iter().enumerate() {
            let upstream = Upstream::in_turn([script, tongue.stream(&["zwei"])]).await;
            let proxy = proxy_configured(&upstream, tongue, |config| config.retry.max_attempts = NonZeroU32::MIN).await;
            let mut client = WebSocket::connect(&proxy).await;
            client.create(json!({})).await;
            let events = client.until("error").await;
            assert!(events.iter().all(|event| event["type"] != "response.completed"), "{tongue:?} {at}");
            let last = events.last().unwrap();
            let told = [&last["error"]["message"], &last["message"]].map(Value::is_string);
            assert!(told.contains(&true), "{tongue:?} {at}: {last}");
            assert_eq!(proxy.log_line(&client.id_of_response(1)).await["outcome"], "upstream_failed");
            client.create(json!({})).await;
            client.until("response.completed").await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_stalls_ends_in_an_error() {
    let script = Tongue::Chat.head().send(Tongue::Chat.begin()).send(Tongue::Chat.text("eins")).hang();
    let mut upstream = Upstream::start(script).await;
    let proxy = proxy_configured(&upstream, Tongue::Chat, |config| {
        config.stream.idle_timeout = Duration::from_millis(300);
    })
    .await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    let events = client.until("error").await;
    assert_eq!(events.last().unwrap()["error"]["code"], "idle_timeout");
    upstream.abandoned().await;
}
