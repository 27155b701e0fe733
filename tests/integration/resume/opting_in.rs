//! Nothing is resumable that was not asked to be.

use sluicegate::config::resume::{Mode, OnDisconnect};

use super::{begin, name, proxy};
use crate::support::{Client, Reply, TONGUES, Tongue, Upstream, client, request, soon};

const CHAT: Tongue = Tongue::Chat;

#[tokio::test]
async fn a_stream_that_nobody_asked_to_keep_is_what_it_was() {
    for mode in [Mode::Off, Mode::OnRequest] {
        for tongue in TONGUES {
            let mut upstream = Upstream::start(tongue.stream(&["eins", "zwei"])).await;
            let proxy = proxy(&upstream, tongue, |config| config.resume.mode = mode).await;
            let mut reader = Client::connect(proxy.address).await;
            reader.send(&request(tongue.path(true), &tongue.request(true).to_string())).await;
            let text = reader.read_until("\r\n0\r\n\r\n").await;
            let sent = tongue.begin() + &tongue.text("eins") + &tongue.text("zwei") + &tongue.end("einszwei");
            assert_eq!(String::from_utf8(reader.body()).unwrap(), sent, "{tongue:?}");
            assert!(!text.contains("x-sluicegate-stream-id"), "{tongue:?}: {text}");
            assert!(super::list(&proxy).await.is_empty());
            upstream.request().await;
        }
    }
}

#[tokio::test]
async fn a_stream_is_resumable_by_header_by_query_by_model_and_by_default() {
    let upstream = Upstream::start(CHAT.stream(&["eins"])).await;
    let has_name = |response: &reqwest::Response| response.headers().contains_key("x-sluicegate-stream-id");
    let plain = proxy(&upstream, CHAT, |_| {}).await;
    assert!(has_name(&plain.post("/v1/chat/completions?resumable=true", CHAT.request(true).to_string()).await));
    let by_model = proxy(&upstream, CHAT, |config| {
        let model = "name = \"m\"\naliases = [\"n\"]\nresumable = true\ntargets = [\"upstream/m\"]";
        config.models = vec![toml::from_str(model).unwrap()];
    })
    .await;
    assert!(has_name(&by_model.chat(true).await));
    let always = proxy(&upstream, CHAT, |config| config.resume.mode = Mode::Always).await;
    assert!(has_name(&always.chat(true).await));
    assert!(!has_name(&always.post("/v1/chat/completions?resumable=false", CHAT.request(true).to_string()).await));
    let mut by_header = begin(&plain, CHAT, None).await;
    by_header.read_until("[DONE]").await;
    assert_eq!(name(&by_header).len(), 32);
}

#[tokio::test]
async fn what_is_meant_for_the_proxy_does_not_reach_the_upstream() {
    let mut upstream = Upstream::start(CHAT.stream(&["eins"])).await;
    let proxy = proxy(&upstream, CHAT, |_| {}).await;
    for (query, sent) in [("?resumable=true", ""), ("?a=1&resumable=true&b=2", "?a=1&b=2")] {
        let path = format!("/v1/chat/completions{query}");
        let post = client().post(proxy.url(&path)).header("content-type", "application/json");
        let post = post.header("x-sluicegate-on-disconnect", "drain").body(CHAT.request(true).to_string());
        assert_eq!(soon("a head", post.send()).await.unwrap().status(), 200);
        let asked = upstream.request().await;
        assert_eq!(asked.head.lines().next().unwrap(), format!("POST /v1/chat/completions{sent} HTTP/1.1"));
        assert!(!asked.head.contains("x-sluicegate"), "{}", asked.head);
    }
}

#[tokio::test]
async fn what_is_no_event_stream_cannot_be_resumed_and_says_so() {
    let array = "/v1beta/models/m:streamGenerateContent";
    for (tongue, path) in [(Tongue::Ollama, "/api/chat"), (Tongue::Gemini, array)] {
        let upstream = Upstream::start(tongue.stream(&["eins"])).await;
        let proxy = proxy(&upstream, tongue, |config| config.resume.mode = Mode::Always).await;
        let post = client().post(proxy.url(path)).header("content-type", "application/json");
        let post = post.header("x-sluicegate-resumable", "true").body(tongue.request(true).to_string());
        let reply = Reply::of(soon("an answer", post.send()).await.unwrap()).await;
        assert_eq!((reply.status, upstream.request_count()), (400, 0), "{tongue:?}: {reply:?}");
        // Who did not ask is served as ever.
        let reply = Reply::of(proxy.post(path, tongue.request(true).to_string()).await).await;
        assert_eq!((reply.status, reply.header("x-sluicegate-stream-id")), (200, ""), "{tongue:?}: {reply:?}");
    }
}

#[tokio::test]
async fn google_s_sdks_get_no_ids_that_they_did_not_ask_for() {
    let gemini = Tongue::Gemini;
    let upstream = Upstream::start(gemini.stream(&["eins"])).await;
    let proxy = proxy(&upstream, gemini, |config| config.resume.mode = Mode::Always).await;
    let reply = Reply::of(proxy.post(gemini.path(true), gemini.request(true).to_string()).await).await;
    assert_eq!(reply.body, gemini.begin() + &gemini.text("eins") + &gemini.end("eins"));
    assert_eq!(reply.header("x-sluicegate-stream-id"), "");
}

#[tokio::test]
async fn wishes_that_cannot_be_granted_are_refused_before_anybody_is_asked() {
    let upstream = Upstream::start(CHAT.stream(&["eins"])).await;
    let off = proxy(&upstream, CHAT, |config| config.resume.mode = Mode::Off).await;
    let strict = proxy(&upstream, CHAT, |config| config.resume.on_disconnect_allowed = vec![OnDisconnect::Grace]).await;
    for (proxy, fields) in [
        (&off, vec![("x-sluicegate-resumable", "true")]),
        (&strict, vec![("x-sluicegate-resumable", "yes")]),
        (&strict, vec![("x-sluicegate-resumable", "true"), ("x-sluicegate-on-disconnect", "detach")]),
        (&strict, vec![("x-sluicegate-resumable", "true"), ("x-sluicegate-on-disconnect", "never")]),
        (&strict, vec![("x-sluicegate-on-disconnect", "grace")]),
    ] {
        let post = client().post(proxy.url("/v1/chat/completions")).header("content-type", "application/json");
        let post = fields.iter().fold(post, |post, (name, value)| post.header(*name, *value));
        let reply = Reply::of(soon("an answer", post.body(CHAT.request(true).to_string()).send()).await.unwrap()).await;
        assert_eq!(reply.status, 400, "{fields:?}: {reply:?}");
        reply.error();
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn an_answer_that_does_not_stream_is_what_it_was() {
    let upstream = Upstream::start(CHAT.answer("eins")).await;
    let proxy = proxy(&upstream, CHAT, |config| config.resume.mode = Mode::Always).await;
    let reply =
        Reply::of(proxy.post("/v1/chat/completions?resumable=true", CHAT.request(false).to_string()).await).await;
    assert_eq!((reply.status, reply.header("x-sluicegate-stream-id")), (200, ""), "{reply:?}");
}
