//! What streams may cost.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{begin, body, come_back, endless, events, list, name, proxy, status_of};
use crate::support::{Proxy, Reply, Tongue, Upstream, key};

const CHAT: Tongue = Tongue::Chat;

/// Reads a whole stream and returns its name.
async fn whole(proxy: &Proxy, header: Option<&str>) -> String {
    let mut reader = begin(proxy, CHAT, header).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    name(&reader)
}

#[tokio::test]
async fn a_stream_that_outgrows_its_limit_goes_on_but_not_from_the_start() {
    let cue = Arc::<Notify>::default();
    let script = CHAT.head().send(CHAT.begin()).repeat(CHAT.text(&"x".repeat(1000)), 100).cue(&cue);
    let upstream = Upstream::start(script.send(CHAT.text("zwei")).send(CHAT.end("")).end()).await;
    let proxy = proxy(&upstream, CHAT, |config| config.resume.max_stream_bytes = 20_000).await;
    let mut reader = begin(&proxy, CHAT, None).await;
    reader.read_until(":101\n").await;
    let stream = name(&reader);
    let from_the_start = come_back(&proxy, &stream, None).await.read_until("\r\n\r\n").await;
    assert!(from_the_start.starts_with("HTTP/1.1 404"), "{from_the_start}");
    let mut recent = come_back(&proxy, &stream, Some(&format!("{stream}:98"))).await;
    cue.notify_one();
    recent.read_until("\r\n0\r\n\r\n").await;
    reader.read_until("\r\n0\r\n\r\n").await;
    let all = events(&body(&reader));
    assert_eq!(events(&body(&recent)), all[98..]);
    assert!(body(&reader).contains("[DONE]") && list(&proxy).await[0]["bytes"].as_u64().unwrap() <= 20_000);
}

#[tokio::test]
async fn what_ended_first_is_forgotten_first_when_there_are_too_many() {
    for key in ["caller", "total"] {
        let upstream = Upstream::start(CHAT.stream(&["eins"])).await;
        let proxy = proxy(&upstream, CHAT, |config| match key {
            "caller" => config.resume.max_caller_streams = 2,
            _ => config.resume.max_total_streams = 2,
        })
        .await;
        let streams = [whole(&proxy, None).await, whole(&proxy, None).await, whole(&proxy, None).await];
        let mut statuses = Vec::new();
        for stream in &streams {
            statuses.push(status_of(&proxy, stream).await);
        }
        assert_eq!(statuses, [404, 200, 200], "{key}");
    }
}

#[tokio::test]
async fn what_ended_first_is_forgotten_first_when_it_is_too_much() {
    for limit in ["caller", "total"] {
        let upstream = Upstream::start(CHAT.stream(&[&"x".repeat(10_000)])).await;
        let proxy = proxy(&upstream, CHAT, |config| match limit {
            "caller" => config.resume.max_caller_bytes = 25_000,
            _ => config.resume.max_total_bytes = 25_000,
        })
        .await;
        let streams = [whole(&proxy, None).await, whole(&proxy, None).await, whole(&proxy, None).await];
        assert_eq!([status_of(&proxy, &streams[0]).await, status_of(&proxy, &streams[2]).await], [404, 200], "{limit}");
        let kept: u64 = list(&proxy).await.iter().map(|stream| stream["bytes"].as_u64().unwrap()).sum();
        assert!(kept <= 25_000, "{limit}: {kept}");
    }
}

#[tokio::test]
async fn one_caller_s_streams_do_not_cost_another_s() {
    let upstream = Upstream::start(CHAT.stream(&["eins"])).await;
    let proxy = proxy(&upstream, CHAT, |config| {
        config.keys = vec![key("alice", "a-secret"), key("bob", "b-secret")];
        config.resume.max_caller_streams = 1;
    })
    .await;
    let (alice, bob) = ("authorization: Bearer a-secret", "authorization: Bearer b-secret");
    let first = whole(&proxy, Some(alice)).await;
    let second = whole(&proxy, Some(bob)).await;
    for (stream, secret) in [(first, "a-secret"), (second, "b-secret")] {
        let get = crate::support::client().get(proxy.url(&format!("/v1/streams/{stream}"))).bearer_auth(secret);
        assert_eq!(get.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_stream_too_many_is_refused_to_who_asks_for_it_and_served_without_an_id_to_who_does_not() {
    let upstream = Upstream::start(endless(CHAT)).await;
    let proxy = proxy(&upstream, CHAT, |config| {
        config.resume.max_caller_streams = 1;
        config.resume.mode = sluicegate::config::resume::Mode::Always;
    })
    .await;
    let mut running = begin(&proxy, CHAT, None).await;
    running.read_until("eins").await;
    let asked = begin(&proxy, CHAT, None).await.read_until("\r\n\r\n").await;
    assert!(asked.starts_with("HTTP/1.1 429") && asked.contains("x-sluicegate-error: too_many_streams"), "{asked}");
    let unasked = proxy.chat(true).await;
    assert_eq!((unasked.status().as_u16(), unasked.headers().get("x-sluicegate-stream-id")), (200, None));
    drop(running);
    assert_eq!(upstream.request_count(), 2, "nobody is asked for what is refused");
    let refused = Reply::of(proxy.get("/v1/streams").await).await;
    assert_eq!(refused.status, 200);
}
