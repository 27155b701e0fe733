//! Responses in the background, for upstreams that have none.

use std::sync::Arc;

use serde_json::{Value, json};
use sluicegate::config::Config;
use sluicegate::config::provider::Provider;
use sluicegate::config::resume::{Mode, OnDisconnect};
use sluicegate::provider;
use tokio::sync::Notify;

use super::{a_moment, cued, endless, events, list, proxy};
use crate::support::{
    Client, Proxy, Reply, Script, TONGUES, Tongue, Upstream, client, key, logs, request, soon, speaker, until,
    with_header,
};

const RESPONSES: Tongue = Tongue::Responses;

/// Asks for a response in the background.
async fn create(proxy: &Proxy, more: Value) -> Reply {
    let mut body = json!({"model": "m", "input": "hi", "background": true});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Reply::of(proxy.post("/v1/responses", body.to_string()).await).await
}

fn json(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_str(&reply.body).unwrap()
}

/// Asks for a response in the background and returns its name.
async fn begun(proxy: &Proxy) -> String {
    json(&create(proxy, json!({})).await)["id"].as_str().unwrap().to_owned()
}

async fn retrieve(proxy: &Proxy, id: &str) -> Value {
    json(&Reply::of(proxy.get(&format!("/v1/responses/{id}")).await).await)
}

async fn send(proxy: &Proxy, method: &str, path: &str) -> Reply {
    let request = client().request(method.parse().unwrap(), proxy.url(path));
    Reply::of(soon("an answer", request.send()).await.unwrap()).await
}

/// Waits until the response called `id` has come to `status`.
async fn comes_to(proxy: &Proxy, id: &str, status: &str) -> Value {
    soon(&format!("a response that is {status}"), async {
        loop {
            let response = retrieve(proxy, id).await;
            if response["status"] == status {
                return response;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await
}

/// The data of the events in `body`.
fn data(body: &str) -> Vec<Value> {
    events(body).iter().filter_map(|event| serde_json::from_str(event.text.split_once("data: ")?.1).ok()).collect()
}

#[tokio::test]
async fn a_response_goes_on_by_itself_and_is_fetched_by_its_name() {
    for speaks in TONGUES {
        let cue = Arc::<Notify>::default();
        let mut upstream = Upstream::start(cued(speaks, &["eins", "zwei"], &cue)).await;
        let proxy = proxy(&upstream, speaks, |_| {}).await;
        let reply = create(&proxy, json!({"store": true})).await;
        let queued = json(&reply);
        let id = queued["id"].as_str().unwrap();
        assert_eq!(reply.header("x-sluicegate-dropped"), "");
        assert_eq!(id, format!("resp_{}", reply.header("x-sluicegate-stream-id")));
        assert_eq!(
            (&queued["status"], &queued["background"], &queued["output"], &queued["object"]),
            (&json!("queued"), &json!(true), &json!([]), &json!("response"))
        );
        let asked: Value = serde_json::from_slice(&upstream.request().await.body).unwrap();
        assert!(asked.get("background").is_none(), "{speaks:?}: {asked}");
        cue.notify_one();
        let running = comes_to(&proxy, id, "in_progress").await;
        assert_eq!((&running["id"], &running["output"]), (&json!(id), &json!([])));
        let ending = async {
            loop {
                cue.notify_one();
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let response = tokio::select! {
            response = comes_to(&proxy, id, "completed") => response,
            () = ending => unreachable!("it goes on"),
        };
        assert_eq!(RESPONSES.answer_text(&response), Some("einszwei"), "{speaks:?}: {response}");
        assert_eq!((&response["id"], &response["background"]), (&json!(id), &json!(true)));
        assert_eq!((&response["store"], &response["created_at"]), (&json!(true), &queued["created_at"]));
        assert_eq!(response["usage"]["output_tokens"], 9);
        assert_eq!(upstream.request_count(), 1);
    }
}

#[tokio::test]
async fn its_events_have_one_name_and_numbers_to_start_after() {
    for speaks in TONGUES {
        let upstream = Upstream::start(speaks.stream(&["eins", "zwei"])).await;
        let proxy = proxy(&upstream, speaks, |_| {}).await;
        let told = create(&proxy, json!({"stream": true})).await;
        assert_eq!((told.status, told.header("content-type")), (200, "text/event-stream"));
        let all = data(&told.body);
        let kinds: Vec<_> = all.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds[..2], ["response.created", "response.queued"], "{speaks:?}");
        assert_eq!(kinds.iter().filter(|kind| **kind == "response.created").count(), 1, "{speaks:?}");
        assert_eq!(kinds.last(), Some(&"response.completed"), "{speaks:?}");
        let id = all[0]["response"]["id"].as_str().unwrap().to_owned();
        for (number, event) in (0..).zip(&all) {
            assert_eq!(event["sequence_number"], number, "{speaks:?}: {event}");
            assert!(event["response"].is_null() || event["response"]["id"] == id, "{speaks:?}: {event}");
        }
        for after in 0..all.len() {
            let path = format!("/v1/responses/{id}?stream=true&starting_after={after}");
            let rest = Reply::of(proxy.get(&path).await).await;
            assert_eq!((rest.status, data(&rest.body)), (200, all[after + 1..].to_vec()), "{speaks:?} after {after}");
        }
        let again = Reply::of(proxy.get(&format!("/v1/responses/{id}?stream=true")).await).await;
        assert_eq!(data(&again.body), all);
        assert_eq!(proxy.get(&format!("/v1/responses/{id}?stream=true&starting_after=x")).await.status(), 400);
        assert_eq!(upstream.request_count(), 1);
    }
}

#[tokio::test]
async fn events_go_on_live_behind_the_one_to_start_after() {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(Tongue::Anthropic, &["eins", "zwei"], &cue)).await;
    let proxy = proxy(&upstream, Tongue::Anthropic, |_| {}).await;
    let id = begun(&proxy).await;
    let mut reader = Client::connect(proxy.address).await;
    let get = format!("GET /v1/responses/{id}?stream=true&starting_after=1 HTTP/1.1\r\nhost: localhost\r\n\r\n");
    reader.send(&get).await;
    for text in ["eins", "zwei", "response.completed"] {
        cue.notify_one();
        reader.read_until(text).await;
    }
    let body = super::body(&reader);
    assert!(!body.contains("response.queued") && body.contains("response.in_progress"), "{body}");
}

#[tokio::test]
async fn a_cancelled_response_stops_its_upstream_and_stays_cancelled() {
    for speaks in [RESPONSES, Tongue::Chat] {
        let mut upstream = Upstream::start(endless(speaks)).await;
        let proxy = proxy(&upstream, speaks, |_| {}).await;
        let id = begun(&proxy).await;
        comes_to(&proxy, &id, "in_progress").await;
        for _ in 0..2 {
            let cancelled = json(&send(&proxy, "POST", &format!("/v1/responses/{id}/cancel")).await);
            assert_eq!((&cancelled["id"], &cancelled["status"]), (&json!(id), &json!("cancelled")));
        }
        upstream.abandoned().await;
        assert_eq!(retrieve(&proxy, &id).await["status"], "cancelled");
        let deleted = json(&send(&proxy, "DELETE", &format!("/v1/responses/{id}")).await);
        assert_eq!(deleted, json!({"id": id, "object": "response", "deleted": true}));
        assert!(list(&proxy).await.is_empty());
    }
}

#[tokio::test]
async fn one_that_is_done_is_not_undone_by_cancelling_it() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let id = begun(&proxy).await;
    let completed = comes_to(&proxy, &id, "completed").await;
    assert_eq!(json(&send(&proxy, "POST", &format!("/v1/responses/{id}/cancel")).await), completed);
}

#[tokio::test]
async fn one_that_fails_says_so_and_one_that_was_cut_short_does_too() {
    for speaks in TONGUES {
        let begun_ = || speaks.head().send(speaks.begin()).send(speaks.text("eins")).wait(50);
        for script in [begun_().send(speaks.error_event("out of breath")).end(), begun_().close()] {
            let upstream = Upstream::start(script).await;
            let proxy = proxy(&upstream, speaks, |_| {}).await;
            let id = begun(&proxy).await;
            let failed = comes_to(&proxy, &id, "failed").await;
            assert_eq!(failed["id"], id);
            let error = &failed["error"];
            assert!(error["code"].is_string() && error["message"].is_string(), "{speaks:?}: {failed}");
        }
    }
}

#[tokio::test]
async fn a_long_one_whose_beginning_is_no_longer_kept_is_still_told() {
    let long = Tongue::Chat.head().send(Tongue::Chat.begin()).repeat(Tongue::Chat.text(&"x".repeat(500)), 100);
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(long.cue(&cue).send(Tongue::Chat.end("")).end()).await;
    let proxy = proxy(&upstream, Tongue::Chat, |config| config.resume.max_stream_bytes = 70_000).await;
    let id = begun(&proxy).await;
    until("all but its end", || upstream.bytes_sent() > 50_000).await;
    let running = comes_to(&proxy, &id, "in_progress").await;
    assert_eq!((&running["id"], &running["model"]), (&json!(id), &json!("m")));
    cue.notify_one();
    let reply = soon("its end", async {
        loop {
            let reply = Reply::of(proxy.get(&format!("/v1/responses/{id}")).await).await;
            if !reply.body.contains("in_progress") {
                return reply;
            }
            a_moment().await;
        }
    });
    assert_eq!(RESPONSES.answer_text(&json(&reply.await)).unwrap().len(), 50_000);
}

#[tokio::test]
async fn a_refusal_of_the_upstream_is_the_answer_to_the_post() {
    let upstream = Upstream::start(Tongue::Chat.refusal(429, "not now")).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    assert_eq!(create(&proxy, json!({})).await.status, 429);
    assert!(list(&proxy).await.is_empty());
}

#[tokio::test]
async fn whoever_asks_is_told_at_once_however_long_the_upstream_thinks() {
    let upstream = Upstream::start(Script::silence()).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let id = begun(&proxy).await;
    assert_eq!(retrieve(&proxy, &id).await["status"], "queued");
}

#[tokio::test]
async fn nobody_else_finds_it_and_its_name_is_in_no_log() {
    let upstream = Upstream::start(endless(Tongue::Chat)).await;
    let keys = vec![key("alice", "a-secret"), key("bob", "b-secret")];
    let proxy = proxy(&upstream, Tongue::Chat, |config| config.keys = keys).await;
    let ask = async |method: &str, path: &str, secret: &str| {
        let body = r#"{"model":"m","input":"hi","background":true}"#;
        let request = client().request(method.parse().unwrap(), proxy.url(path)).bearer_auth(secret);
        let request = request.header("content-type", "application/json").body(if path.len() < 20 { body } else { "" });
        Reply::of(soon("an answer", request.send()).await.unwrap()).await
    };
    let response = json(&ask("POST", "/v1/responses", "a-secret").await);
    let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
    let unknown = format!("/v1/responses/resp_{}", "0".repeat(32));
    let not_found = ask("GET", &unknown, "b-secret").await;
    assert_eq!(not_found.status, 404);
    for (method, below) in [("GET", ""), ("GET", "?stream=true"), ("POST", "/cancel"), ("DELETE", "")] {
        let theirs = ask(method, &format!("{path}{below}"), "b-secret").await;
        assert_eq!((theirs.status, theirs.body), (404, not_found.body.clone()), "{method} {below}");
    }
    let own = ask("GET", &path, "a-secret").await;
    assert_eq!(own.status, 200);
    let line = proxy.log_line(own.request_id()).await;
    assert_eq!(line["path"], "/v1/responses/{id}");
    let secret = path.rsplit('_').next().unwrap();
    assert!(logs::all().iter().all(|line| line.values().all(|value| !value.contains(secret))));
    // What is done with others of its kind is not done with it.
    assert_eq!(ask("GET", &format!("{path}/input_items"), "a-secret").await.status, 404);
    assert_eq!(ask("PUT", &path, "a-secret").await.status, 405);
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_stream_that_is_no_response_in_the_background_is_not_one() {
    let upstream = Upstream::start(endless(Tongue::Chat)).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let mut reader = super::begin(&proxy, RESPONSES, None).await;
    reader.read_until("eins").await;
    let reply = Reply::of(proxy.get(&format!("/v1/responses/resp_{}", super::name(&reader))).await).await;
    assert_eq!((reply.status, &reply.error()["code"]), (404, &json!("stream_not_found")));
}

#[tokio::test]
async fn what_cannot_go_on_or_be_kept_is_refused_before_anybody_is_asked() {
    let upstream = Upstream::start(Tongue::Chat.stream(&["eins"])).await;
    let here = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let reply = create(&here, json!({"store": false})).await;
    assert_eq!((reply.status, &reply.error()["param"]), (400, &json!("store")));
    for (header, status) in [
        ("x-sluicegate-on-disconnect: grace", 400),
        ("x-sluicegate-resumable: false", 400),
        ("x-sluicegate-resumable: true", 200),
    ] {
        let mut client = Client::connect(here.address).await;
        let post = request("/v1/responses", r#"{"model":"m","input":"hi","background":true}"#);
        client.send(&with_header(&post, header)).await;
        assert_eq!(client.response().await.status, status, "{header}");
    }
    let posted = here.post("/v1/streams?dialect=openai-responses", r#"{"model":"m","input":"a","background":true}"#);
    assert_eq!(posted.await.status(), 400);
    let off = proxy(&upstream, Tongue::Chat, |config| config.resume.mode = Mode::Off).await;
    let reply = create(&off, json!({})).await;
    assert_eq!((reply.status, &reply.error()["param"]), (400, &json!("background")));
    let attached = proxy(&upstream, Tongue::Chat, |config| {
        config.resume.on_disconnect_allowed = vec![OnDisconnect::Grace];
    });
    let reply = create(&attached.await, json!({})).await;
    assert_eq!((reply.status, &reply.error()["param"]), (400, &json!("background")));
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_provider_that_keeps_its_responses_is_asked_in_the_client_s_own_words() {
    for kind in ["openai", "azure-openai"] {
        let mut upstream = Upstream::start(RESPONSES.answer("eins")).await;
        let mut config = Config::for_testing();
        let kind = provider::find(kind).unwrap();
        config.providers.push(Provider { kind, ..speaker("openai-responses", "upstream", &upstream.url()) });
        let proxy = Proxy::start(config).await;
        let sent = r#"{"model":"m","input":"hi","background":true}"#;
        assert_eq!(proxy.post("/v1/responses", sent).await.status(), 200);
        assert_eq!(upstream.request().await.body, sent);
        // Ours or not, a name that nobody here knows may be known there.
        let name = format!("resp_{}", "0".repeat(32));
        for (method, below) in [("GET", ""), ("POST", "/cancel"), ("DELETE", ""), ("GET", "/input_items")] {
            send(&proxy, method, &format!("/v1/responses/{name}{below}")).await;
            let head = upstream.request().await.head;
            assert!(head.starts_with(&format!("{method} /v1/responses/{name}{below} ")), "{head}");
        }
    }
}
