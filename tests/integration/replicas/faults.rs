//! Redis slow, full, restarted or gone: streams go on, and say what has become of coming back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{CHAT, eventually, pair, replica};
use crate::resume::{begin, body, come_back, cued, delete, events, list, name, status_of};
use crate::support::{Client, Proxy, Redis, Upstream};

const TEXTS: [&str; 4] = ["eins", "zwei", "drei", "vier"];

/// A stream through `proxy` of which the first text has come.
async fn begun(proxy: &Proxy, cue: &Notify) -> (Client, String) {
    let mut reader = begin(proxy, CHAT, None).await;
    cue.notify_one();
    reader.read_until("eins").await;
    let stream = name(&reader);
    (reader, stream)
}

/// What `proxy` says of who can go on with `stream`.
async fn scope(proxy: &Proxy, stream: &str) -> String {
    let head = come_back(proxy, stream, None).await.read_until("\r\n\r\n").await;
    let line = head.lines().find_map(|line| line.strip_prefix("x-sluicegate-resume-scope: "));
    line.unwrap_or_else(|| panic!("{head}")).to_owned()
}

/// The stream that `reader` reads goes on without Redis, and is whole at `other` once it is back.
async fn survives(redis: &mut Redis, fault: impl AsyncFn(&mut Redis), cure: impl AsyncFn(&mut Redis)) {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(CHAT, &TEXTS, &cue)).await;
    let (one, two) = (replica(redis, &upstream, CHAT, |_| {}).await, replica(redis, &upstream, CHAT, |_| {}).await);
    let (mut reader, stream) = begun(&one, &cue).await;
    let mut follower = come_back(&two, &stream, None).await;
    follower.read_until("eins").await;
    fault(redis).await;
    cue.notify_one();
    reader.read_until("zwei").await;
    assert_eq!(scope(&one, &stream).await, "replica");
    let listed = list(&one).await;
    let it = listed.iter().find(|listed| listed["id"] == stream.as_str()).unwrap();
    assert_eq!(it["scope"], "replica");
    cue.notify_one();
    reader.read_until("drei").await;
    // Who has it in memory serves it still.
    come_back(&one, &stream, Some(&format!("{stream}:2"))).await.read_until("drei").await;
    cure(redis).await;
    eventually("sharing again", async || list(&one).await.iter().all(|listed| listed["scope"] == "shared")).await;
    cue.notify_one();
    reader.read_until("vier").await;
    cue.notify_one();
    reader.read_until("\r\n0\r\n\r\n").await;
    // The one that followed all the while has missed nothing either.
    let missed = async {
        while !follower.text().contains("[DONE]") {
            follower.read(follower.text().len() + 1).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), missed).await.unwrap();
    assert_eq!(events(&body(&follower)), events(&body(&reader)));
    let mut late = come_back(&two, &stream, None).await;
    late.read_until("\r\n0\r\n\r\n").await;
    assert_eq!(events(&body(&late)), events(&body(&reader)));
}

#[tokio::test]
async fn streams_survive_a_redis_that_stalls() {
    let mut redis = Redis::start().await;
    survives(&mut redis, async |redis| redis.stall(), async |redis| redis.wake()).await;
}

#[tokio::test]
async fn streams_survive_a_redis_that_is_full() {
    let mut redis = Redis::start().await;
    assert_eq!(redis.ask("CONFIG SET maxmemory-policy noeviction").unwrap(), "+OK");
    let set = async |redis: &mut Redis, bytes: &str| {
        assert_eq!(redis.ask(&format!("CONFIG SET maxmemory {bytes}")).unwrap(), "+OK");
    };
    survives(&mut redis, async |redis| set(redis, "1").await, async |redis| set(redis, "0").await).await;
}

#[tokio::test]
async fn streams_survive_a_redis_that_restarts_and_has_forgotten_everything() {
    let mut redis = Redis::start().await;
    survives(&mut redis, async |redis| redis.kill(), async |redis| redis.restart().await).await;
}

#[tokio::test]
async fn streams_survive_a_redis_that_forgets_everything_without_a_word() {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(CHAT, &TEXTS, &cue)).await;
    let (redis, one, two) = pair(&upstream, CHAT, |_| {}).await;
    let (mut reader, stream) = begun(&one, &cue).await;
    assert_eq!(redis.ask("FLUSHALL").unwrap(), "+OK");
    cue.notify_one();
    reader.read_until("zwei").await;
    let mut other = come_back(&two, &stream, None).await;
    other.read_until("zwei").await;
    assert_eq!(events(&body(&other))[..3], events(&body(&reader))[..3]);
}

#[tokio::test]
async fn a_stream_that_is_deleted_while_redis_is_away_is_unknown_when_it_is_back() {
    let mut upstream = Upstream::start(crate::resume::endless(CHAT)).await;
    let (redis, one, two) = pair(&upstream, CHAT, |_| {}).await;
    let mut reader = begin(&one, CHAT, None).await;
    reader.read_until("eins").await;
    let stream = name(&reader);
    redis.stall();
    assert_eq!(delete(&one, &stream).await, 204);
    upstream.abandoned().await;
    reader.read_until("stream_stopped").await;
    redis.wake();
    eventually("being unknown", async || status_of(&two, &stream).await == 404).await;
}

#[tokio::test]
async fn without_a_redis_from_the_start_every_stream_goes_on_at_its_own_replica() {
    let upstream = Upstream::start(CHAT.stream(&TEXTS)).await;
    let mut redis = Redis::start().await;
    redis.kill();
    let one = replica(&redis, &upstream, CHAT, |_| {}).await;
    let two = replica(&redis, &upstream, CHAT, |_| {}).await;
    let mut reader = begin(&one, CHAT, None).await;
    let whole = reader.read_until("\r\n0\r\n\r\n").await;
    assert!(whole.contains("x-sluicegate-resume-scope: replica"), "{whole}");
    let stream = name(&reader);
    assert_eq!(status_of(&one, &stream).await, 200);
    // The other cannot know whether there is such a stream, and does not say that there is none.
    assert_eq!([status_of(&two, &stream).await, delete(&two, &stream).await], [503, 503]);
    assert_eq!(delete(&one, &stream).await, 204);
    redis.restart().await;
    eventually("sharing", async || {
        let head = begin(&one, CHAT, None).await.read_until("\r\n\r\n").await;
        head.contains("x-sluicegate-resume-scope: shared")
    })
    .await;
    assert_eq!(status_of(&two, &stream).await, 404);
}

#[tokio::test]
async fn nobody_waits_for_a_redis_that_does_not_answer_more_than_once() {
    let script = CHAT.head().send(CHAT.begin()).repeat_every(CHAT.text("x"), 2, 300).send(CHAT.end("")).end();
    let upstream = Upstream::start(script).await;
    let (redis, one, _two) = pair(&upstream, CHAT, |config| config.redis.timeout = Duration::from_millis(300)).await;
    let mut reader = begin(&one, CHAT, None).await;
    reader.read_until("x").await;
    redis.stall();
    // Three hundred tokens, each of which would wait.
    reader.read_until("[DONE]").await;
    redis.wake();
}
