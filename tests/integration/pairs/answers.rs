//! Streams and answers arrive, and live.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{ask, proxy};
use crate::support::{Client, Tongue, Upstream, client, pairs, request};

#[tokio::test]
async fn a_stream_arrives_whole_in_the_client_s_dialect() {
    for (client, upstream_speaks) in pairs() {
        let about = format!("{client:?} at {upstream_speaks:?}");
        let mut upstream = Upstream::start(upstream_speaks.stream(&["Hel", "lo ", "wörld"])).await;
        let proxy = proxy(&upstream, upstream_speaks).await;
        let reply = ask(&proxy, client, true).await;
        assert_eq!(reply.status, 200, "{about}: {reply:?}");
        assert!(client.is_whole(&reply.body), "{about}: {}", reply.body);
        let told: usize =
            ["Hel", "lo ", "wörld"].iter().map(|text| reply.body.matches(&format!("\"{text}\"")).count()).sum();
        assert!(told >= 3, "{about}: {}", reply.body);
        let kind = if client == Tongue::Ollama { "application/x-ndjson" } else { "text/event-stream" };
        assert_eq!(reply.header("content-type"), kind, "{about}");
        let asked = upstream.request().await;
        let line = format!("POST {} HTTP/1.1", upstream_speaks.upstream_path(true));
        assert_eq!(asked.head.lines().next(), Some(&*line), "{about}");
        let logged = proxy.log_line(reply.request_id()).await;
        assert_eq!([&*logged["outcome"], &*logged["output_tokens"]], ["completed", "9"], "{about}");
    }
}

#[tokio::test]
async fn each_token_arrives_before_the_next_is_sent() {
    for (client, upstream_speaks) in pairs() {
        let cue = Arc::<Notify>::default();
        let begun = upstream_speaks.head().send(upstream_speaks.begin());
        let script = ["eins", "zwei", "drei"]
            .iter()
            .fold(begun, |script, text| script.send(upstream_speaks.text(text)).cue(&cue));
        let upstream = Upstream::start(script.send(upstream_speaks.end("einszweidrei")).end()).await;
        let proxy = proxy(&upstream, upstream_speaks).await;
        let mut reader = Client::connect(proxy.address).await;
        reader.send(&request(client.path(true), &client.request(true).to_string())).await;
        for text in ["eins", "zwei", "drei"] {
            reader.read_until(text).await;
            cue.notify_one();
        }
        reader.read_until("\r\n0\r\n\r\n").await;
    }
}

#[tokio::test]
async fn an_answer_that_does_not_stream_arrives_in_the_client_s_dialect() {
    for (client, upstream_speaks) in pairs() {
        let about = format!("{client:?} at {upstream_speaks:?}");
        let mut upstream = Upstream::start(upstream_speaks.answer("Hello, wörld")).await;
        let proxy = proxy(&upstream, upstream_speaks).await;
        let reply = ask(&proxy, client, false).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{about}: {reply:?}");
        let body = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(client.answer_text(&body), Some("Hello, wörld"), "{about}: {body}");
        let asked = upstream.request().await;
        let line = format!("POST {} HTTP/1.1", upstream_speaks.upstream_path(false));
        assert_eq!(asked.head.lines().next(), Some(&*line), "{about}");
    }
}

#[tokio::test]
async fn what_a_client_says_in_header_fields_of_its_dialect_stays_in_that_dialect() {
    let mut upstream = Upstream::start(Tongue::Chat.answer("hi")).await;
    let proxy = proxy(&upstream, Tongue::Chat).await;
    let fields = [("anthropic-beta", "b"), ("anthropic-version", "2023-06-01"), ("traceparent", "00-1-2-03")];
    let post = client().post(proxy.url("/v1/messages")).header("content-type", "application/json");
    let post = fields.iter().fold(post, |post, (name, value)| post.header(*name, *value));
    let response = post.body(Tongue::Anthropic.request(false).to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let asked = upstream.request().await;
    assert_eq!(asked.header("anthropic-beta").or(asked.header("anthropic-version")), None, "{}", asked.head);
    assert_eq!(asked.header("traceparent"), Some("00-1-2-03"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
}
