//! A replica that dies, with the streams it produced.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::watcher::watch;
use super::{CHAT, eventually, process};
use crate::resume::{begin, body, come_back, cued, events, list, name, resumable};
use crate::support::{Client, Proxy, Redis, Upstream};

const STREAMS: usize = 500;

#[tokio::test]
async fn readers_of_a_killed_replica_see_every_token_once_and_then_an_error() {
    let script = CHAT.head().send(CHAT.begin()).repeat_every(CHAT.text("x"), 200, 1000).hang();
    let upstream = Upstream::start(script).await;
    let redis = Redis::start().await;
    let limits = [("SLUICEGATE__RESUME__MAX_CALLER_STREAMS", "1000"), ("SLUICEGATE__LOG__LEVEL", "warn")];
    let (doomed, other) = (process(&redis, &upstream, &limits), process(&redis, &upstream, &limits));
    let replicas = Arc::new(Mutex::new(vec![doomed.address().await]));
    let watchers: Vec<_> = (0..STREAMS).map(|_| tokio::spawn(watch(Arc::clone(&replicas)))).collect();
    eventually("all streams", async || upstream.request_count() == STREAMS).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    *replicas.lock().unwrap() = vec![other.address().await];
    doomed.signal("KILL");
    for watcher in watchers {
        let seen = tokio::time::timeout(Duration::from_secs(60), watcher).await.expect("an end").unwrap();
        assert!(seen.is_in_order() && seen.events.len() > 2 && seen.returns > 0, "{seen:?}");
        let last = &seen.events.last().unwrap().text;
        assert!(last.contains("\"code\":\"replica_lost\"") && !seen.text().contains("[DONE]"), "{last}");
        assert_eq!(seen.text().matches("replica_lost").count(), 1);
    }
    assert_eq!(upstream.request_count(), STREAMS, "nobody was asked again");
    assert!(other.errors().contains("a replica is gone"), "{}", other.errors());
}

#[tokio::test]
async fn streams_of_a_dead_replica_that_nobody_asks_for_do_not_count_for_ever() {
    let upstream = Upstream::start(crate::resume::endless(CHAT)).await;
    let redis = Redis::start().await;
    let mut config = crate::resume::configuration(&upstream, CHAT, |config| config.resume.max_caller_streams = 1);
    redis.share(&mut config);
    let other = Proxy::start(config).await;
    let doomed = process(&redis, &upstream, &[]);
    let mut reader = Client::connect(doomed.address().await).await;
    reader.send(&resumable(CHAT)).await;
    reader.read_until("eins").await;
    let refused = begin(&other, CHAT, None).await.read_until("\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    doomed.signal("KILL");
    eventually("room", async || {
        begin(&other, CHAT, None).await.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 200")
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_only_slept_goes_on_for_its_own_readers_and_nobody_else_is_told_twice() {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(CHAT, &["eins", "zwei"], &cue)).await;
    let redis = Redis::start().await;
    let (sleeper, other) = (process(&redis, &upstream, &[]), super::replica(&redis, &upstream, CHAT, |_| {}).await);
    let mut reader = Client::connect(sleeper.address().await).await;
    reader.send(&resumable(CHAT)).await;
    cue.notify_one();
    reader.read_until("eins").await;
    let stream = name(&reader);
    let mut follower = come_back(&other, &stream, None).await;
    follower.read_until("eins").await;
    sleeper.signal("STOP");
    eventually("the end for everybody else", async || {
        list(&other).await.iter().all(|listed| listed["state"] == "finished")
    })
    .await;
    follower.read_until("\r\n0\r\n\r\n").await;
    sleeper.signal("CONT");
    for sign in ["zwei", "[DONE]"] {
        cue.notify_one();
        reader.read_until(sign).await;
    }
    assert!(!reader.text().contains("replica_lost"));
    for _ in 0..2 {
        let mut late = come_back(&other, &stream, None).await;
        late.read_until("\r\n0\r\n\r\n").await;
        assert_eq!(events(&body(&late)), events(&body(&follower)));
        assert_eq!(late.text().matches("replica_lost").count(), 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn a_replica_is_not_taken_for_dead_because_redis_stood_still() {
    let upstream = Upstream::start(crate::resume::endless(CHAT)).await;
    let redis = Redis::start().await;
    let (one, two) =
        (super::replica(&redis, &upstream, CHAT, |_| {}).await, super::replica(&redis, &upstream, CHAT, |_| {}).await);
    let mut reader = begin(&one, CHAT, None).await;
    reader.read_until("eins").await;
    redis.stall();
    tokio::time::sleep(Duration::from_secs(6)).await;
    redis.wake();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!reader.text().contains("replica_lost"));
    eventually("an answer of the other", async || {
        come_back(&two, &name(&reader), None).await.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 200")
    })
    .await;
    let mut other = come_back(&two, &name(&reader), None).await;
    other.read_until("eins").await;
    assert!(!other.text().contains("replica_lost"));
}
