//! A target with a cap: who waits, for how long, and that every place is given back, however its request ends.

use std::sync::Arc;
use std::time::Duration;

use sluicegate::config::Config;
use tokio::sync::Notify;

use super::{ANSWER, NO, always, everything_is_given_back, good, outcomes, proxy_before};
use crate::support::{Client, DONE, FINISH, Proxy, ROLE, Script, Upstream, token, until};

/// At most one request at a time at the first target, and so many that wait.
fn narrow(config: &mut Config, max_queue: usize) {
    let target = &mut config.models[0].targets[0];
    (target.max_in_flight, target.max_queue) = (Some(1), Some(max_queue));
}

/// A stream that begins, and ends on the cue.
fn held(cue: &Arc<Notify>) -> Script {
    Script::stream().send([ROLE, &token("one")].concat()).cue(cue).send([FINISH, DONE].concat()).end()
}

/// A client whose stream has begun, and holds the only place there is.
async fn holder(proxy: &Proxy) -> Client {
    let mut client = Client::chat(proxy.address, true).await;
    client.read_until("one").await;
    client
}

fn waiting(proxy: &Proxy) -> usize {
    proxy.fleet.status().iter().map(|status| status.waiting).sum()
}

#[tokio::test]
async fn who_finds_a_target_full_waits_until_a_stream_there_has_ended() {
    let cue = Arc::new(Notify::new());
    let upstream = always(held(&cue)).await;
    let proxy = proxy_before(&[&upstream], |config| narrow(config, 2)).await;
    let mut first = holder(&proxy).await;
    let mut second = Client::chat(proxy.address, true).await;
    until("a request in the queue", || waiting(&proxy) == 1).await;
    assert_eq!(upstream.request_count(), 1);
    cue.notify_one();
    first.read_until("[DONE]").await;
    second.read_until("one").await;
    cue.notify_one();
    second.read_until("[DONE]").await;
    everything_is_given_back(&proxy).await;
}

#[tokio::test]
async fn who_finds_the_queue_full_or_waits_too_long_goes_to_the_next_target() {
    for (max_queue, word) in [(0, "a/m;queue_full"), (1, "a/m;queue_timeout")] {
        let cue = Arc::new(Notify::new());
        let (first, second) = (always(held(&cue)).await, good().await);
        let proxy = proxy_before(&[&first, &second], |config| {
            narrow(config, max_queue);
            config.queue.queue_timeout = Duration::from_millis(100);
        })
        .await;
        let _holder = holder(&proxy).await;
        let reply = proxy.ask(true).await;
        assert!(reply.body.contains("rescued"), "{reply:?}");
        assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), [word, "b/m;ok"]);
        assert_eq!(first.request_count(), 1);
    }
}

#[tokio::test]
async fn when_every_target_is_full_the_client_is_told_to_come_back() {
    let cue = Arc::new(Notify::new());
    let upstream = always(held(&cue)).await;
    let proxy = proxy_before(&[&upstream], |config| narrow(config, 0)).await;
    let _holder = holder(&proxy).await;
    for stream in [true, false] {
        let reply = proxy.ask(stream).await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
        assert_eq!(reply.header("x-sluicegate-error"), "over_capacity");
        assert_eq!(reply.error()["code"], "over_capacity");
        assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;queue_full"]);
        assert_eq!(proxy.log_line(reply.request_id()).await["outcome"], "over_capacity");
    }
    let embeddings = proxy.post("/v1/embeddings", r#"{"model":"m","input":"hi"}"#).await;
    assert_eq!(embeddings.status(), 503, "what passes through counts as well");
}

#[tokio::test]
async fn a_place_is_given_back_however_a_request_ends() {
    let begun = || Script::stream().send([ROLE, &token("one")].concat());
    for script in [
        Script::answer(&["one"]),
        begun().close(),
        begun().reset(),
        begun().send("data: {\"error\":{\"message\":\"crashed\"}}\n\n").end(),
        begun().hang(),
        Script::json("500 Oops", NO),
        Script::json("400 No", NO),
        Script::default().close(),
        Script::silence(),
    ] {
        let upstream = always(script.clone()).await;
        let proxy = proxy_before(&[&upstream], |config| {
            narrow(config, 0);
            config.stream.idle_timeout = Duration::from_millis(200);
            config.stream.headers_timeout = Duration::from_millis(200);
        })
        .await;
        let reply = proxy.ask(true).await;
        assert_ne!(reply.status, 503, "{script:?}");
        everything_is_given_back(&proxy).await;
    }
    let upstream = always(begun().hang()).await;
    let proxy = proxy_before(&[&upstream], |config| narrow(config, 0)).await;
    drop(holder(&proxy).await);
    everything_is_given_back(&proxy).await;
    let upstream = always(Script::json("200 OK", ANSWER)).await;
    let proxy = proxy_before(&[&upstream], |config| narrow(config, 0)).await;
    for _ in 0..3 {
        assert_eq!(proxy.ask(false).await.status, 200);
        assert_eq!(proxy.post("/v1/embeddings", r#"{"model":"m","input":"hi"}"#).await.text().await.unwrap(), ANSWER);
        everything_is_given_back(&proxy).await;
    }
}

#[tokio::test]
async fn a_cap_holds_for_many_at_once() {
    let upstream = Upstream::start(
        Script::stream()
            .send([ROLE, &token("one")].concat())
            .wait(20)
            .append(Script(Script::stream().send([FINISH, DONE].concat()).end().0[1..].to_vec())),
    )
    .await;
    let proxy = proxy_before(&[&upstream], |config| {
        let target = &mut config.models[0].targets[0];
        (target.max_in_flight, target.max_queue) = (Some(3), Some(100));
    })
    .await;
    let most = std::sync::atomic::AtomicUsize::new(0);
    let asking = (0..40).map(|_| async {
        let reply = proxy.ask(true).await;
        let in_flight = proxy.fleet.status().iter().map(|status| status.in_flight).max().unwrap();
        most.fetch_max(in_flight, std::sync::atomic::Ordering::SeqCst);
        assert!(reply.body.ends_with(DONE), "{reply:?}");
    });
    all_of(asking).await;
    assert!(most.into_inner() <= 3);
    everything_is_given_back(&proxy).await;
}

/// Waits for all of `futures`, on this task.
async fn all_of(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
