//! `POST /v1/streams`, and what an `EventSource` does with the URL it answers with.

use std::time::Duration;

use serde_json::{Value, json};

use super::{TONGUES, endless, events, proxy, said};
use crate::support::{Proxy, Reply, Tongue, Upstream, client, key, soon};

/// Begins a stream for others to read.
async fn create(proxy: &Proxy, query: &str, body: &Value) -> Reply {
    let post = client().post(proxy.url(&format!("/v1/streams{query}"))).bearer_auth("a-secret");
    let post = post.header("content-type", "application/json").body(body.to_string());
    Reply::of(soon("an answer", post.send()).await.unwrap()).await
}

async fn proxy_with_a_key(upstream: &Upstream, tongue: Tongue) -> Proxy {
    proxy(upstream, tongue, |config| config.keys = vec![key("alice", "a-secret")]).await
}

fn created(reply: &Reply) -> Value {
    assert_eq!(reply.status, 201, "{reply:?}");
    serde_json::from_str(&reply.body).unwrap()
}

#[tokio::test]
async fn a_posted_stream_is_read_by_its_url_alone() {
    for tongue in TONGUES {
        let mut upstream = Upstream::start(tongue.stream(&["eins", "zwei"])).await;
        let proxy = proxy_with_a_key(&upstream, tongue).await;
        let query = format!("?dialect={}{}", tongue.name(), if tongue == Tongue::Gemini { "&model=m" } else { "" });
        let mut body = tongue.request(true);
        body.as_object_mut().unwrap().remove("stream");
        let reply = create(&proxy, &query, &body).await;
        let stream = created(&reply);
        let url = stream["url"].as_str().unwrap();
        assert_eq!(reply.header("location"), url);
        assert_eq!(reply.header("x-sluicegate-stream-id"), stream["id"]);
        // No header is needed: the URL is all that an `EventSource` has.
        let read = Reply::of(proxy.get(url).await).await;
        assert_eq!((read.status, read.header("content-type")), (200, "text/event-stream"));
        let sent = tongue.begin() + &tongue.text("eins") + &tongue.text("zwei") + &tongue.end("einszwei");
        assert_eq!(said(&read.body), sent.replace("\r\n", "\n"), "{tongue:?}");
        // It comes back by itself, with the last id, and is told to stay away.
        let last = events(&read.body).pop().unwrap().id;
        let again = client().get(proxy.url(url)).header("last-event-id", last);
        assert_eq!(soon("an answer", again.send()).await.unwrap().status(), 204, "{tongue:?}");
        if tongue != Tongue::Gemini {
            let asked: Value = serde_json::from_slice(&upstream.request().await.body).unwrap();
            assert_eq!(asked["stream"], true, "{tongue:?}");
        }
    }
}

#[tokio::test]
async fn a_token_reads_one_stream_for_a_while_and_does_nothing_else() {
    let mut upstream = Upstream::start(endless(Tongue::Chat)).await;
    let proxy = proxy(&upstream, Tongue::Chat, |config| {
        config.keys = vec![key("alice", "a-secret")];
        config.resume.token_lifetime = Duration::from_millis(500);
    })
    .await;
    let [one, two] = [
        created(&create(&proxy, "", &Tongue::Chat.request(true)).await),
        created(&create(&proxy, "", &Tongue::Chat.request(true)).await),
    ];
    let url = one["url"].as_str().unwrap();
    let other = url.replace(one["id"].as_str().unwrap(), two["id"].as_str().unwrap());
    assert_eq!(proxy.get(&other).await.status(), 404, "another stream");
    assert_eq!(proxy.get(&format!("{url}0")).await.status(), 404, "another token");
    let delete = client().delete(proxy.url(url));
    assert_eq!(soon("an answer", delete.send()).await.unwrap().status(), 401, "it only reads");
    assert_eq!(proxy.get(url).await.status(), 200);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(proxy.get(url).await.status(), 404, "its time is over");
    // A reader with a key does not bring it back.
    let by_key = client().get(proxy.url(url.split('?').next().unwrap())).bearer_auth("a-secret");
    let reader = soon("an answer", by_key.send()).await.unwrap();
    assert_eq!([reader.status(), proxy.get(url).await.status()], [200, 404]);
    assert!(!upstream.was_abandoned());
}

#[tokio::test]
async fn a_page_that_has_read_for_longer_than_a_token_lives_comes_back_with_it() {
    let upstream = Upstream::start(endless(Tongue::Chat)).await;
    let proxy = proxy(&upstream, Tongue::Chat, |config| {
        config.keys = vec![key("alice", "a-secret")];
        config.resume.token_lifetime = Duration::from_millis(500);
    })
    .await;
    let stream = created(&create(&proxy, "", &Tongue::Chat.request(true)).await);
    let url = stream["url"].as_str().unwrap();
    let reader = proxy.get(url).await;
    assert_eq!(reader.status(), 200);
    tokio::time::sleep(Duration::from_millis(800)).await;
    let second = proxy.get(url).await;
    assert_eq!(second.status(), 200, "while it is read it does not age");
    drop((reader, second));
    proxy.has_no_connection().await;
    assert_eq!(proxy.get(url).await.status(), 200, "its time begins when nobody reads");
}

#[tokio::test]
async fn a_posted_stream_that_nobody_reads_is_stopped() {
    let mut upstream = Upstream::start(endless(Tongue::Chat)).await;
    let proxy = proxy(&upstream, Tongue::Chat, |config| config.resume.grace = Duration::from_millis(300)).await;
    created(&create(&proxy, "", &Tongue::Chat.request(true)).await);
    upstream.abandoned().await;
}

#[tokio::test]
async fn what_cannot_be_read_as_events_is_refused_before_anybody_is_asked() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    for query in ["?dialect=ollama", "?dialect=latin", "?dialect=gemini"] {
        let reply = create(&proxy, query, &Tongue::Chat.request(true)).await;
        assert_eq!(reply.status, 400, "{query}: {reply:?}");
    }
    assert_eq!(create(&proxy, "", &json!([1])).await.status, 400);
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn an_upstream_s_refusal_is_the_answer_to_the_post() {
    let upstream = Upstream::start(Tongue::Chat.refusal(429, "not now")).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let reply = create(&proxy, "", &Tongue::Chat.request(true)).await;
    assert_eq!((reply.status, &reply.error()["message"]), (429, &json!("not now")));
    assert!(super::list(&proxy).await.is_empty());
}
