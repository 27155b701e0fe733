//! What is answered.

use serde_json::json;

use super::{proxy, proxy_configured};
use crate::support::websocket::text;
use crate::support::{Script, TONGUES, Tongue, Upstream, WebSocket};

#[tokio::test]
async fn an_answer_of_every_upstream_is_told_in_events() {
    for tongue in TONGUES {
        let mut upstream = Upstream::start(tongue.stream(&["eins", " zwei"])).await;
        let proxy = proxy(&upstream, tongue).await;
        let mut client = WebSocket::connect(&proxy).await;
        client.create(json!({})).await;
        let events = client.until("response.completed").await;
        assert_eq!(events[0]["type"], "response.created", "{tongue:?}");
        assert_eq!(text(&events), "eins zwei", "{tongue:?}");
        assert!(events.iter().all(|event| event.get("stream_id").is_none()), "{events:?}");
        let asked = upstream.request().await;
        let line = asked.head.lines().next().unwrap();
        assert_eq!(line, format!("POST {} HTTP/1.1", tongue.upstream_path(true)));
        assert_eq!(asked.header("x-request-id"), Some(&*client.id_of_response(1)));
        for header in ["upgrade", "connection", "sec-websocket-key"] {
            assert_eq!(asked.header(header), None, "{header}");
        }
    }
}

#[tokio::test]
async fn an_upstream_of_the_same_dialect_is_asked_in_the_clients_words_and_passed_on_in_its_own() {
    let mut upstream = Upstream::start(Tongue::Responses.stream(&["eins"])).await;
    let proxy = proxy(&upstream, Tongue::Responses).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.send(r#"{"type":"response.create","model":"m","temperature":0.10,"input":"hi","x":1e400}"#.into()).await;
    let events = client.until("response.completed").await;
    assert_eq!(
        upstream.request().await.body,
        r#"{"input":"hi","model":"m","stream":true,"temperature":0.10,"x":1e400}"#
    );
    let script = Tongue::Responses.begin() + &Tongue::Responses.text("eins") + &Tongue::Responses.end("eins");
    let sent =
        script.lines().filter_map(|line| line.strip_prefix("data: ")).map(|data| serde_json::from_str(data).unwrap());
    assert_eq!(events, sent.collect::<Vec<serde_json::Value>>());
}

#[tokio::test]
async fn several_responses_come_one_after_the_other_over_the_same_connection() {
    let answers = [Tongue::Chat.stream(&["eins"]), Tongue::Chat.stream(&["zwei"])];
    let upstream = Upstream::in_turn(answers).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let mut client = WebSocket::connect(&proxy).await;
    for answer in ["eins", "zwei"] {
        client.create(json!({})).await;
        assert_eq!(text(&client.until("response.completed").await), answer);
    }
    for (n, tokens) in [(1, "9"), (2, "9")] {
        let line = proxy.log_line(&client.id_of_response(n)).await;
        assert_eq!((&*line["outcome"], &*line["output_tokens"], &*line["model"]), ("completed", tokens, "m"));
        assert_eq!(&*line["translated"], "openai-chat");
    }
}

#[tokio::test]
async fn the_connection_has_a_line_of_its_own() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    let events = client.until("response.completed").await;
    client.send(tokio_tungstenite::tungstenite::Message::Close(None)).await;
    let line = proxy.log_line(&client.request_id()).await;
    assert_eq!((&*line["outcome"], &*line["status"], &*line["path"]), ("completed", "101", "/v1/responses"));
    assert_eq!(line["frames"], events.len().to_string());
}

#[tokio::test]
async fn what_a_translation_leaves_out_is_named_in_the_first_event() {
    let upstream = Upstream::start(Tongue::Anthropic.stream(&["eins"])).await;
    let proxy = proxy_configured(&upstream, Tongue::Anthropic, |config| config.translation.lenient = true).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({"top_logprobs": 3})).await;
    let events = client.until("response.completed").await;
    assert_eq!(events[0]["x_sluicegate_dropped"], json!(["top_logprobs"]), "{}", events[0]);
    assert!(events[1..].iter().all(|event| event.get("x_sluicegate_dropped").is_none()));
}

#[tokio::test]
async fn comments_and_the_end_mark_of_an_event_stream_are_told_to_nobody() {
    let script = Tongue::Responses.head().send(": hello\n\n").send(Tongue::Responses.begin()).send(": keep-alive\n");
    let script: Script = script.send(Tongue::Responses.end("")).send("data: [DONE]\n\n").end();
    let upstream = Upstream::start(script).await;
    let proxy = proxy(&upstream, Tongue::Responses).await;
    let mut client = WebSocket::connect(&proxy).await;
    client.create(json!({})).await;
    client.until("response.completed").await;
    assert!(client.is_silent().await);
}
