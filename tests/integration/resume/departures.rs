//! What becomes of a stream whose readers leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{a_moment, begin, body, come_back, cued, delete, endless, events, list, name, proxy, status_of};
use crate::support::logs::{self, Line};
use crate::support::{Client, Proxy, Reply, TONGUES, Tongue, Upstream, pairs, soon, until};

const CHAT: Tongue = Tongue::Chat;
const GRACE: Duration = Duration::from_millis(400);

/// A proxy whose streams wait [`GRACE`] for a reader.
async fn graceful(upstream: &Upstream) -> Proxy {
    proxy(upstream, CHAT, |config| config.resume.grace = GRACE).await
}

/// Begins a stream under `policy` and reads until it has begun.
async fn begun(proxy: &Proxy, policy: &str) -> (Client, String) {
    let mut reader = begin(proxy, CHAT, Some(&format!("x-sluicegate-on-disconnect: {policy}"))).await;
    reader.read_until("eins").await;
    let name = name(&reader);
    (reader, name)
}

/// The log line about the generation of the stream called `name`.
async fn generation(name: &str) -> Line {
    let is_it = |line: &Line| {
        line.get("stream").is_some_and(|stream| name.starts_with(stream.as_str()))
            && line.get("part").is_some_and(|part| part == "generation")
    };
    until("the line of a generation", || logs::all().iter().any(is_it)).await;
    let mut lines: Vec<Line> = logs::all().into_iter().filter(is_it).collect();
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

#[tokio::test]
async fn a_stream_that_nobody_comes_back_to_is_stopped_at_its_upstream() {
    let mut upstream = Upstream::start(endless(CHAT)).await;
    let proxy = graceful(&upstream).await;
    let (reader, name) = begun(&proxy, "grace").await;
    drop(reader);
    tokio::time::sleep(GRACE / 4).await;
    assert!(!upstream.was_abandoned(), "before its time");
    upstream.abandoned().await;
    let line = generation(&name).await;
    assert_eq!([&*line["outcome"], &*line["model"]], ["client_gone", "m"]);
    // Whoever comes too late is told the truth.
    let reply = Reply::of(proxy.get(&format!("/v1/streams/{name}?after=2")).await).await;
    assert_eq!(reply.error_event()["code"], "stream_stopped");
}

#[tokio::test]
async fn a_stream_that_somebody_comes_back_to_in_time_goes_on() {
    let cue = Arc::<Notify>::default();
    let mut upstream = Upstream::start(cued(CHAT, &["eins", "zwei"], &cue)).await;
    let proxy = graceful(&upstream).await;
    cue.notify_one();
    let (reader, name) = begun(&proxy, "grace").await;
    drop(reader);
    tokio::time::sleep(GRACE / 4).await;
    let mut reader = come_back(&proxy, &name, Some(&format!("{name}:2"))).await;
    tokio::time::sleep(GRACE * 2).await;
    assert!(!upstream.was_abandoned());
    cue.notify_one();
    reader.read_until("zwei").await;
    cue.notify_one();
    reader.read_until("[DONE]").await;
    assert_eq!(generation(&name).await["outcome"], "completed");
}

#[tokio::test]
async fn a_stream_that_is_to_be_cancelled_stops_as_soon_as_nobody_reads_it() {
    let mut upstream = Upstream::start(endless(CHAT)).await;
    let proxy = proxy(&upstream, CHAT, |config| config.resume.grace = Duration::from_secs(60)).await;
    let (reader, name) = begun(&proxy, "cancel").await;
    let mut second = come_back(&proxy, &name, None).await;
    second.read_until("eins").await;
    drop(reader);
    a_moment().await;
    assert!(!upstream.was_abandoned(), "it has a reader left");
    drop(second);
    upstream.abandoned().await;
}

#[tokio::test]
async fn a_stream_that_is_to_be_drained_or_detached_goes_on_to_its_end_and_is_accounted_for() {
    for policy in ["drain", "detach"] {
        let cue = Arc::<Notify>::default();
        let upstream = Upstream::start(cued(CHAT, &["eins", "zwei"], &cue)).await;
        let proxy = graceful(&upstream).await;
        cue.notify_one();
        let (reader, name) = begun(&proxy, policy).await;
        drop(reader);
        tokio::time::sleep(GRACE * 2).await;
        cue.notify_one();
        cue.notified_soon().await;
        let line = generation(&name).await;
        assert_eq!([&*line["outcome"], &*line["output_tokens"]], ["completed", "9"], "{policy}");
        let rest = Reply::of(proxy.get(&format!("/v1/streams/{name}?after=2")).await).await;
        assert!(rest.body.contains("zwei") && rest.body.contains("[DONE]"), "{policy}: {}", rest.body);
    }
}

trait Cue {
    /// Gives one more cue, behind the one before.
    async fn notified_soon(&self);
}

impl Cue for Notify {
    async fn notified_soon(&self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.notify_one();
    }
}

#[tokio::test]
async fn a_drain_has_a_limit_and_a_detached_stream_an_age() {
    let limit = Duration::from_millis(400);
    for policy in ["drain", "detach"] {
        let mut upstream = Upstream::start(endless(CHAT)).await;
        let proxy = proxy(&upstream, CHAT, |config| match policy {
            "drain" => config.resume.drain_limit = limit,
            _ => config.resume.max_age = limit,
        })
        .await;
        let (reader, name) = begun(&proxy, policy).await;
        drop(reader);
        upstream.abandoned().await;
        let outcome = if policy == "drain" { "client_gone" } else { "total_timeout" };
        assert_eq!(generation(&name).await["outcome"], outcome, "{policy}");
    }
}

#[tokio::test]
async fn a_delete_stops_the_upstream_at_once_under_every_policy() {
    for policy in ["cancel", "grace", "drain", "detach"] {
        let mut upstream = Upstream::start(endless(CHAT)).await;
        let proxy = proxy(&upstream, CHAT, |_| {}).await;
        let (mut reader, name) = begun(&proxy, policy).await;
        assert!(!upstream.was_abandoned());
        assert_eq!(delete(&proxy, &name).await, 204, "{policy}");
        upstream.abandoned().await;
        // Whoever reads it is told, and nobody else finds it.
        reader.read_until("\r\n0\r\n\r\n").await;
        let last = events(&body(&reader)).pop().unwrap();
        assert!(last.text.contains("stream_stopped") && !body(&reader).contains("[DONE]"), "{policy}: {last:?}");
        assert_eq!([status_of(&proxy, &name).await, delete(&proxy, &name).await], [404, 404], "{policy}");
        assert!(list(&proxy).await.is_empty());
    }
}

#[tokio::test]
async fn a_translated_stream_is_stopped_like_any_other() {
    for (client, speaks) in pairs().filter(|(client, _)| TONGUES[..4].contains(client)) {
        let mut upstream = Upstream::start(endless(speaks)).await;
        let proxy = proxy(&upstream, speaks, |_| {}).await;
        let mut reader = begin(&proxy, client, None).await;
        reader.read_until("eins").await;
        assert_eq!(delete(&proxy, &name(&reader)).await, 204);
        upstream.abandoned().await;
        reader.read_until("\r\n0\r\n\r\n").await;
        let told = client.error_message(body(&reader).trim_end()).unwrap_or_default();
        assert!(told.contains("stopped") && !client.is_whole(&body(&reader)), "{client:?} at {speaks:?}: {told}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_frame_stops_the_upstream() {
    let mut upstream = Upstream::start(crate::support::Script::silence()).await;
    let proxy = proxy(&upstream, CHAT, |config| config.stream.commit_after = Duration::from_secs(60)).await;
    let reader = begin(&proxy, CHAT, Some("x-sluicegate-on-disconnect: detach")).await;
    upstream.request().await;
    assert_eq!(list(&proxy).await.len(), 1);
    drop(reader);
    upstream.abandoned().await;
    until_no_stream(&proxy).await;
}

async fn until_no_stream(proxy: &Proxy) {
    soon("the end of every stream", async {
        while !list(proxy).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_ends_streams_that_nobody_reads_at_its_deadline() {
    let mut upstream = Upstream::start(endless(CHAT)).await;
    let proxy = proxy(&upstream, CHAT, |_| {}).await;
    let (reader, name) = begun(&proxy, "detach").await;
    drop(reader);
    proxy.has_no_connection().await;
    proxy.shutdown.draining.cancel();
    a_moment().await;
    assert!(!upstream.was_abandoned(), "before the deadline");
    proxy.shutdown.deadline.cancel();
    upstream.abandoned().await;
    assert_eq!(generation(&name).await["outcome"], "shut_down");
    proxy.ended().await;
}
