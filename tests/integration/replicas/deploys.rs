//! Replicas that are told to stop, as in a deploy.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::watcher::watch;
use super::{CHAT, eventually, pair, process};
use crate::resume::{a_moment, begin, body, come_back, configuration, cued, events, name, resumable};
use crate::support::{Client, Proxy, Redis, Upstream, request};

const TEXTS: [&str; 3] = ["eins", "zwei", "drei"];

#[tokio::test]
async fn who_can_come_back_is_sent_to_another_replica_while_the_stream_goes_on() {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(CHAT, &TEXTS, &cue)).await;
    let (_redis, one, two) = pair(&upstream, CHAT, |_| {}).await;
    let mut reader = begin(&one, CHAT, None).await;
    cue.notify_one();
    reader.read_until("eins").await;
    one.shutdown.draining.cancel();
    let cut = reader.read_to_end().await;
    // No client can take that for the end of the answer: the body has no last chunk.
    assert!(!cut.ends_with("0\r\n\r\n") && cut.contains("retry: 1000") && !cut.contains("error"), "{cut}");
    let (stream, came) = (name(&reader), events(&body(&reader)));
    let mut second = come_back(&two, &stream, Some(&came[1].id)).await;
    second.read_until("\r\n\r\n").await;
    for text in &TEXTS[1..] {
        cue.notify_one();
        second.read_until(text).await;
    }
    cue.notify_one();
    second.read_until("\r\n0\r\n\r\n").await;
    assert_eq!(events(&body(&second))[0].id, format!("{stream}:3"));
    assert!(body(&second).contains("[DONE]"));
    one.ended().await;
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn who_did_not_ask_to_come_back_is_served_to_the_end() {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(CHAT, &TEXTS, &cue)).await;
    let always =
        |config: &mut sluicegate::config::Config| config.resume.mode = sluicegate::config::resume::Mode::Always;
    let (_redis, one, _two) = pair(&upstream, CHAT, always).await;
    let mut reader = Client::connect(one.address).await;
    reader.send(&request(CHAT.path(true), &CHAT.request(true).to_string())).await;
    cue.notify_one();
    reader.read_until("eins").await;
    assert_eq!(name(&reader).len(), 32);
    one.shutdown.draining.cancel();
    for text in &TEXTS[1..] {
        a_moment().await;
        cue.notify_one();
        reader.read_until(text).await;
    }
    cue.notify_one();
    assert!(reader.read_to_end().await.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));
    one.ended().await;
}

#[tokio::test]
async fn a_stream_that_is_to_end_with_its_reader_keeps_it() {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(CHAT, &TEXTS, &cue)).await;
    let (_redis, one, _two) = pair(&upstream, CHAT, |_| {}).await;
    let mut reader = begin(&one, CHAT, Some("x-sluicegate-on-disconnect: cancel")).await;
    cue.notify_one();
    reader.read_until("eins").await;
    one.shutdown.draining.cancel();
    for text in &TEXTS[1..] {
        a_moment().await;
        cue.notify_one();
        reader.read_until(text).await;
    }
    cue.notify_one();
    assert!(reader.read_to_end().await.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn nobody_is_sent_away_where_no_other_replica_has_the_stream() {
    for is_shared in [true, false] {
        let cue = Arc::<Notify>::default();
        let upstream = Upstream::start(cued(CHAT, &TEXTS[..2], &cue)).await;
        let (_redis, one) = if is_shared {
            let (mut redis, one, _two) = pair(&upstream, CHAT, |_| {}).await;
            redis.kill();
            (Some(redis), one)
        } else {
            (None, Proxy::start(configuration(&upstream, CHAT, |_| {})).await)
        };
        let mut reader = begin(&one, CHAT, None).await;
        cue.notify_one();
        reader.read_until("eins").await;
        one.shutdown.draining.cancel();
        a_moment().await;
        cue.notify_one();
        reader.read_until("zwei").await;
        cue.notify_one();
        assert!(reader.read_to_end().await.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{is_shared}");
    }
}

#[tokio::test]
async fn a_stream_that_still_runs_at_the_deadline_ends_in_an_error_at_every_replica() {
    let mut upstream = Upstream::start(crate::resume::endless(CHAT)).await;
    let redis = Redis::start().await;
    let mut leaving = process(&redis, &upstream, &[("SLUICEGATE__SERVER__DRAIN_TIMEOUT", "1s")]);
    let staying = process(&redis, &upstream, &[]);
    let mut reader = Client::connect(leaving.address().await).await;
    reader.send(&resumable(CHAT)).await;
    reader.read_until("eins").await;
    leaving.signal("TERM");
    reader.read_to_end().await;
    let mut second = Client::connect(staying.address().await).await;
    let get = format!("GET /v1/streams/{} HTTP/1.1\r\nhost: localhost\r\n\r\n", name(&reader));
    second.send(&get).await;
    second.read_until("\r\n0\r\n\r\n").await;
    assert!(second.text().contains("\"code\":\"shutting_down\""), "{}", second.text());
    upstream.abandoned().await;
    assert_eq!(leaving.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_rolling_restart_of_two_replicas_under_load_loses_nothing() {
    let script = CHAT.head().send(CHAT.begin()).repeat_every(CHAT.text("x"), 100, 40).send(CHAT.end("")).end();
    let upstream = Upstream::start(script).await;
    let redis = Redis::start().await;
    let environment = [("SLUICEGATE__LOG__LEVEL", "warn")];
    let start = || process(&redis, &upstream, &environment);
    let (mut one, mut two) = (start(), start());
    let replicas = Arc::new(Mutex::new(vec![one.address().await, two.address().await]));
    let (mut watchers, mut leaving) = (Vec::new(), Vec::new());
    for round in 0..8 {
        watchers.extend((0..10).map(|_| tokio::spawn(watch(Arc::clone(&replicas)))));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let old = match round {
            2 => &mut one,
            5 => &mut two,
            _ => continue,
        };
        // As a deploy does it: the new one is there before the old one goes.
        let mut new = start();
        let (address, gone) = (new.address().await, old.address().await);
        replicas.lock().unwrap().retain(|replica| *replica != gone);
        replicas.lock().unwrap().push(address);
        std::mem::swap(old, &mut new);
        new.signal("TERM");
        leaving.push(new);
    }
    for mut old in leaving {
        eventually("the end of a replica", async || !old.is_running()).await;
        assert_eq!(old.end().await.code(), Some(0));
    }
    let (mut returns, count) = (0, watchers.len());
    for watcher in watchers {
        let seen = tokio::time::timeout(Duration::from_secs(60), watcher).await.expect("an end").unwrap();
        assert!(seen.is_in_order() && seen.events.len() == 44 && seen.text().contains("[DONE]"), "{seen:?}");
        returns += seen.returns;
    }
    assert!(returns > 0, "somebody was sent to another replica");
    assert_eq!(upstream.request_count(), count, "nobody was asked again");
}
