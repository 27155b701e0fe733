//! Who may see a stream.

use std::time::Duration;

use serde_json::Value;

use super::{begin, endless, list, name, proxy};
use crate::support::{Proxy, Reply, Tongue, Upstream, client, key, soon};

const CHAT: Tongue = Tongue::Chat;

async fn proxy_with_keys(upstream: &Upstream) -> Proxy {
    proxy(upstream, CHAT, |config| config.keys = vec![key("alice", "a-secret"), key("bob", "b-secret")]).await
}

async fn ask(proxy: &Proxy, method: &str, path: &str, secret: &str) -> Reply {
    let request = client().request(method.parse().unwrap(), proxy.url(path)).bearer_auth(secret);
    Reply::of(soon("an answer", request.send()).await.unwrap()).await
}

#[tokio::test]
async fn another_s_stream_looks_like_none_at_all() {
    let mut upstream = Upstream::start(endless(CHAT)).await;
    let proxy = proxy_with_keys(&upstream).await;
    let mut reader = begin(&proxy, CHAT, Some("authorization: Bearer a-secret")).await;
    reader.read_until("eins").await;
    let (stream, none) = (name(&reader), "0".repeat(32));
    for method in ["GET", "DELETE"] {
        let mut answers = Vec::new();
        for path in [format!("/v1/streams/{stream}"), format!("/v1/streams/{none}"), "/v1/streams/x".to_owned()] {
            let reply = ask(&proxy, method, &path, "b-secret").await;
            answers.push((reply.status, reply.body));
        }
        assert_eq!(answers[0].0, 404);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{method}: {answers:?}");
    }
    let post = client().post(proxy.url("/v1/chat/completions")).bearer_auth("b-secret");
    let post = post.header("last-event-id", format!("{stream}:1")).body(CHAT.request(true).to_string());
    assert_eq!(soon("an answer", post.send()).await.unwrap().status(), 404);
    assert!(!upstream.was_abandoned() && upstream.request_count() == 1);
    let listed = |reply: &Reply| serde_json::from_str::<Value>(&reply.body).unwrap()["data"].as_array().unwrap().len();
    let lists =
        [ask(&proxy, "GET", "/v1/streams", "a-secret").await, ask(&proxy, "GET", "/v1/streams", "b-secret").await];
    assert_eq!(lists.each_ref().map(listed), [1, 0]);
    assert_eq!(ask(&proxy, "DELETE", &format!("/v1/streams/{stream}"), "a-secret").await.status, 204);
}

#[tokio::test]
async fn a_stream_needs_a_key_where_one_is_needed() {
    let upstream = Upstream::start(endless(CHAT)).await;
    let proxy = proxy_with_keys(&upstream).await;
    for path in
        ["/v1/streams", "/v1/streams/x", "/v1/streams/x?token=1", "/v1/streams?token=1", "/v1/streams/x/y?token=1"]
    {
        assert_eq!(proxy.get(path).await.status(), 401, "{path}");
    }
    // A wrong token is as good as a wrong name.
    let name = "0".repeat(32);
    assert_eq!(proxy.get(&format!("/v1/streams/{name}?token=1")).await.status(), 404);
    for method in ["DELETE", "POST", "HEAD"] {
        let request = client().request(method.parse().unwrap(), proxy.url(&format!("/v1/streams/{name}?token=1")));
        assert_eq!(soon("an answer", request.send()).await.unwrap().status(), 401, "{method}");
    }
}

#[tokio::test]
async fn a_stream_that_has_ended_is_kept_for_a_while_and_then_unknown() {
    let upstream = Upstream::start(CHAT.stream(&["eins"])).await;
    let proxy = proxy(&upstream, CHAT, |config| config.resume.keep_finished = Duration::from_millis(300)).await;
    let mut reader = begin(&proxy, CHAT, None).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    let path = format!("/v1/streams/{}", name(&reader));
    assert_eq!(proxy.get(&path).await.status(), 200);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let (expired, unknown) =
        (Reply::of(proxy.get(&path).await).await, Reply::of(proxy.get("/v1/streams/x").await).await);
    assert_eq!((expired.status, &expired.body), (404, &unknown.body));
    assert!(list(&proxy).await.is_empty());
}

#[tokio::test]
async fn an_event_that_never_was_is_not_found() {
    let upstream = Upstream::start(CHAT.stream(&["eins"])).await;
    let proxy = proxy(&upstream, CHAT, |_| {}).await;
    let mut reader = begin(&proxy, CHAT, None).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    let path = format!("/v1/streams/{}", name(&reader));
    assert_eq!(proxy.get(&format!("{path}?after=99")).await.status(), 404);
    assert_eq!(proxy.get(&format!("{path}?after=x")).await.status(), 400);
}

#[tokio::test]
async fn whoever_needs_no_key_is_not_told_of_streams_where_others_can_reach_them() {
    let upstream = Upstream::start(endless(CHAT)).await;
    let proxy = proxy(&upstream, CHAT, |config| {
        config.server.listen.set_ip("0.0.0.0".parse().unwrap());
        config.server.allow_public_without_keys = true;
    })
    .await;
    let mut reader = begin(&proxy, CHAT, None).await;
    reader.read_until("eins").await;
    assert!(list(&proxy).await.is_empty());
    // Who has its name may read it.
    assert_eq!(super::status_of(&proxy, &name(&reader)).await, 200);
}
