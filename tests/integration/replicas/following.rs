//! A stream is one and the same at every replica.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use super::{CHAT, eventually, pair};
use crate::resume::{
    TONGUES, a_moment, begin, body, come_back, cued, delete, endless, events, list, name, said, status_of,
};
use crate::support::{Proxy, Tongue, Upstream, client, key, soon};

const TEXTS: [&str; 5] = ["eins", "zwei", "drei", "vier", "fünf"];

#[tokio::test]
async fn a_client_that_changes_the_replica_at_every_token_loses_nothing_and_gets_nothing_twice() {
    for tongue in TONGUES {
        let cue = Arc::<Notify>::default();
        let upstream = Upstream::start(cued(tongue, &TEXTS, &cue)).await;
        let (_redis, one, two) = pair(&upstream, tongue, |_| {}).await;
        let mut reader = begin(&one, tongue, None).await;
        assert!(reader.read_until("\r\n\r\n").await.contains("x-sluicegate-resume-scope: shared"));
        let (stream, mut whole, mut last) = (name(&reader), String::new(), None);
        for (text, replica) in TEXTS.iter().zip([&two, &one].into_iter().cycle()) {
            cue.notify_one();
            reader.read_until(text).await;
            let came = events(&body(&reader));
            whole.extend(came.iter().map(|event| event.text.as_str()));
            last = came.last().map(|event| event.id.clone()).or(last);
            drop(reader);
            reader = come_back(replica, &stream, last.as_deref()).await;
            reader.read_until("\r\n\r\n").await;
        }
        cue.notify_one();
        reader.read_until("\r\n0\r\n\r\n").await;
        whole += &said(&body(&reader));
        let texts: String = TEXTS.iter().map(|text| tongue.text(text)).collect();
        let sent = tongue.begin() + &texts + &tongue.end(&TEXTS.concat());
        assert_eq!(whole, sent.replace("\r\n", "\n"), "{tongue:?}");
        assert_eq!(upstream.request_count(), 1);
    }
}

#[tokio::test]
async fn a_stream_that_has_ended_is_whole_at_every_replica() {
    let upstream = Upstream::start(CHAT.stream(&TEXTS)).await;
    let (_redis, one, two) = pair(&upstream, CHAT, |_| {}).await;
    let mut reader = begin(&one, CHAT, None).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    let stream = name(&reader);
    let mut other = come_back(&two, &stream, None).await;
    other.read_until("\r\n0\r\n\r\n").await;
    assert_eq!(body(&other), body(&reader));
    let last = events(&body(&reader)).pop().unwrap().id;
    let all = come_back(&two, &stream, Some(&last)).await.read_until("\r\n\r\n").await;
    assert!(all.starts_with("HTTP/1.1 204"), "{all}");
    let never = come_back(&two, &stream, Some(&format!("{stream}:99"))).await.read_until("\r\n\r\n").await;
    assert!(never.starts_with("HTTP/1.1 404"), "{never}");
}

#[tokio::test]
async fn a_delete_at_any_replica_stops_the_upstream_and_the_name_is_unknown_everywhere() {
    let mut upstream = Upstream::start(endless(CHAT)).await;
    let (_redis, one, two) = pair(&upstream, CHAT, |_| {}).await;
    for other_first in [true, false] {
        let mut here = begin(&one, CHAT, None).await;
        here.read_until("eins").await;
        let stream = name(&here);
        let mut there = come_back(&two, &stream, None).await;
        there.read_until("eins").await;
        assert_eq!(delete(if other_first { &two } else { &one }, &stream).await, 204);
        upstream.abandoned().await;
        for reader in [&mut here, &mut there] {
            reader.read_until("\r\n0\r\n\r\n").await;
            assert!(body(reader).contains("stream_stopped") && !body(reader).contains("[DONE]"));
        }
        assert_eq!([status_of(&one, &stream).await, status_of(&two, &stream).await], [404, 404]);
        assert_eq!(delete(&two, &stream).await, 404);
        assert!(list(&one).await.is_empty() && list(&two).await.is_empty());
    }
}

async fn status(proxy: &Proxy, method: &str, path: &str, secret: &str) -> u16 {
    let request = client().request(method.parse().unwrap(), proxy.url(path)).bearer_auth(secret);
    soon("an answer", request.send()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn another_s_stream_looks_like_none_at_all_at_every_replica() {
    let upstream = Upstream::start(endless(CHAT)).await;
    let keys = vec![key("alice", "a-secret"), key("bob", "b-secret")];
    let (_redis, one, two) = pair(&upstream, CHAT, |config| config.keys.clone_from(&keys)).await;
    let mut reader = begin(&one, CHAT, Some("authorization: Bearer a-secret")).await;
    reader.read_until("eins").await;
    let path = format!("/v1/streams/{}", name(&reader));
    for secret in ["b-secret", "b-secret"] {
        assert_eq!([status(&two, "GET", &path, secret).await, status(&two, "DELETE", &path, secret).await], [404, 404]);
    }
    assert_eq!(status(&two, "GET", &path, "a-secret").await, 200);
    // Now there is a copy, and it is no more another's than before.
    assert_eq!(
        [status(&two, "GET", &path, "b-secret").await, status(&two, "DELETE", &path, "b-secret").await],
        [404, 404]
    );
    assert_eq!(status(&two, "DELETE", &path, "a-secret").await, 204);
}

#[tokio::test]
async fn the_token_of_a_posted_stream_lets_readers_in_at_every_replica() {
    let upstream = Upstream::start(endless(CHAT)).await;
    let keys = vec![key("alice", "a-secret")];
    let (_redis, one, two) = pair(&upstream, CHAT, |config| config.keys.clone_from(&keys)).await;
    let post = client().post(one.url("/v1/streams")).bearer_auth("a-secret").header("content-type", "application/json");
    let answer = soon("an answer", post.body(CHAT.request(true).to_string()).send()).await.unwrap();
    let created: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let url = created["url"].as_str().unwrap();
    assert_eq!(two.get(url).await.status(), 200);
    assert_eq!(two.get(&format!("{}?token=1", url.split('?').next().unwrap())).await.status(), 404);
}

#[tokio::test]
async fn the_list_has_the_streams_of_all_replicas_and_counts_all_their_readers() {
    let upstream = Upstream::start(endless(CHAT)).await;
    let (_redis, one, two) = pair(&upstream, CHAT, |_| {}).await;
    let mut here = begin(&one, CHAT, None).await;
    here.read_until("eins").await;
    let mut there = come_back(&two, &name(&here), None).await;
    there.read_until("eins").await;
    for proxy in [&one, &two] {
        eventually("two readers", async || list(proxy).await[0]["readers"] == 2).await;
        let listed = list(proxy).await;
        assert_eq!((listed.len(), &listed[0]["scope"], &listed[0]["state"]), (1, &"shared".into(), &"running".into()));
        assert_eq!((&listed[0]["id"], &listed[0]["events"]), (&name(&here).into(), &2.into()));
    }
    drop(there);
    eventually("one reader", async || list(&two).await[0]["readers"] == 1).await;
}

#[tokio::test]
async fn a_reader_at_another_replica_keeps_a_stream_from_being_cancelled_and_its_leaving_does_not() {
    let mut upstream = Upstream::start(endless(CHAT)).await;
    let grace = Duration::from_millis(1500);
    let (_redis, one, two) = pair(&upstream, CHAT, |config| config.resume.grace = grace).await;
    let mut here = begin(&one, CHAT, None).await;
    here.read_until("eins").await;
    let mut there = come_back(&two, &name(&here), None).await;
    there.read_until("eins").await;
    drop(here);
    tokio::time::sleep(grace * 2).await;
    assert!(!upstream.was_abandoned(), "it is read elsewhere");
    drop(there);
    upstream.abandoned().await;
}

#[tokio::test]
async fn what_is_written_down_does_not_outlive_what_is_kept() {
    let upstream = Upstream::start(CHAT.stream(&TEXTS)).await;
    let (redis, one, _two) =
        pair(&upstream, CHAT, |config| config.resume.keep_finished = Duration::from_millis(500)).await;
    let mut reader = begin(&one, CHAT, None).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    let stream = name(&reader);
    let exists = format!("EXISTS sluicegate:{{{stream}}}:about sluicegate:{{{stream}}}:frames");
    assert_eq!(redis.ask(&exists).unwrap(), ":2");
    eventually("the end of its keys", async || redis.ask(&exists).unwrap() == ":0").await;
}

#[tokio::test]
async fn no_frame_is_shown_before_it_is_written_down() {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(Tongue::Chat, &["eins", "zwei"], &cue)).await;
    let (redis, one, _two) = pair(&upstream, CHAT, |config| config.redis.timeout = Duration::from_secs(60)).await;
    let mut reader = begin(&one, CHAT, None).await;
    cue.notify_one();
    reader.read_until("eins").await;
    redis.stall();
    cue.notify_one();
    a_moment().await;
    let shown = tokio::time::timeout(Duration::from_millis(200), reader.read_until("zwei")).await;
    assert!(shown.is_err(), "it is nowhere but in memory");
    redis.wake();
    reader.read_until("zwei").await;
}

#[tokio::test]
async fn a_response_in_the_background_is_fetched_and_cancelled_at_any_replica() {
    let responses = Tongue::Responses;
    let mut upstream = Upstream::start(endless(responses)).await;
    let (_redis, one, two) = pair(&upstream, responses, |_| {}).await;
    let mut body = responses.request(false);
    body["background"] = true.into();
    let answer = soon("an answer", one.post("/v1/responses", body.to_string()).await.text()).await.unwrap();
    let created: Value = serde_json::from_str(&answer).unwrap();
    let path = format!("/v1/responses/{}", created["id"].as_str().unwrap());
    let status = async |proxy: &Proxy| {
        let text = soon("an answer", proxy.get(&path).await.text()).await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["status"].as_str().unwrap_or_default().to_owned()
    };
    eventually("the response to begin", async || status(&two).await == "in_progress").await;
    let cancelled = soon("an answer", two.post(&format!("{path}/cancel"), "").await.text()).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&cancelled).unwrap()["status"], "cancelled", "{cancelled}");
    upstream.abandoned().await;
    assert_eq!([status(&one).await, status(&two).await], ["cancelled", "cancelled"]);
}
