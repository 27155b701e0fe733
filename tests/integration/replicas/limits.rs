//! Limits count across replicas.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{CHAT, eventually, pair};
use crate::resume::{begin, cued, endless, list, name, status_of};
use crate::support::{Proxy, Upstream};

/// Reads a whole stream, of which each piece waits for a cue, and returns its name.
async fn whole(proxy: &Proxy, cue: &Notify) -> String {
    let mut reader = begin(proxy, CHAT, None).await;
    for sign in ["eins", "xxx", "[DONE]"] {
        cue.notify_one();
        reader.read_until(sign).await;
    }
    reader.read_until("\r\n0\r\n\r\n").await;
    name(&reader)
}

#[tokio::test]
async fn a_stream_too_many_is_refused_wherever_the_others_are() {
    for key in ["max_caller_streams", "max_total_streams"] {
        let upstream = Upstream::start(endless(CHAT)).await;
        let (_redis, one, two) = pair(&upstream, CHAT, |config| match key {
            "max_caller_streams" => config.resume.max_caller_streams = 2,
            _ => config.resume.max_total_streams = 2,
        })
        .await;
        let (mut first, mut second) = (begin(&one, CHAT, None).await, begin(&two, CHAT, None).await);
        first.read_until("eins").await;
        second.read_until("eins").await;
        let refused = begin(&two, CHAT, None).await.read_until("}}").await;
        assert!(refused.starts_with("HTTP/1.1 429") && refused.contains(key), "{refused}");
        assert_eq!(upstream.request_count(), 2, "nobody is asked for what is refused");
        assert_eq!(crate::resume::delete(&one, &name(&second)).await, 204);
        begin(&two, CHAT, None).await.read_until("eins").await;
    }
}

#[tokio::test]
async fn what_ended_first_is_forgotten_first_wherever_it_was() {
    let cue = Arc::<Notify>::default();
    let upstream = Upstream::start(cued(CHAT, &["eins", "xxx"], &cue)).await;
    let (_redis, one, two) = pair(&upstream, CHAT, |config| config.resume.max_caller_streams = 2).await;
    let streams = [whole(&one, &cue).await, whole(&two, &cue).await, whole(&two, &cue).await];
    for proxy in [&one, &two] {
        eventually("the first to be forgotten", async || status_of(proxy, &streams[0]).await == 404).await;
        assert_eq!([status_of(proxy, &streams[1]).await, status_of(proxy, &streams[2]).await], [200, 200]);
        assert_eq!(list(proxy).await.len(), 2);
    }
}

#[tokio::test]
async fn what_streams_cost_at_other_replicas_counts_too() {
    let cue = Arc::<Notify>::default();
    let long = "x".repeat(10_000);
    let upstream = Upstream::start(cued(CHAT, &["eins", &long], &cue)).await;
    let (_redis, one, two) = pair(&upstream, CHAT, |config| config.resume.max_caller_bytes = 25_000).await;
    let mut elsewhere = Vec::new();
    for _ in 0..2 {
        elsewhere.push(whole(&one, &cue).await);
    }
    // Each second a replica tells the others.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stream = whole(&two, &cue).await;
    assert_eq!(status_of(&two, &stream).await, 404, "it went on, but is not kept from the start");
    assert_eq!(status_of(&two, &elsewhere[1]).await, 200);
}
