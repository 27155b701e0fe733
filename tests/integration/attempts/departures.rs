//! A client that leaves before it is answered leaves nothing behind, wherever its request is at that moment.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{NO, always, everything_is_given_back, good, proxy_before};
use crate::support::{Client, ROLE, Script, Upstream, token, until};

#[tokio::test]
async fn who_leaves_the_queue_takes_nobody_s_place() {
    let cue = Arc::new(Notify::new());
    let upstream = always(Script::stream().send([ROLE, &token("one")].concat()).cue(&cue).end()).await;
    let proxy = proxy_before(&[&upstream], |config| config.models[0].targets[0].max_in_flight = Some(1)).await;
    let waiting = |many: usize| {
        let fleet = Arc::clone(&proxy.fleet);
        async move {
            until("the queue", || fleet.status().iter().map(|status| status.waiting).sum::<usize>() == many).await;
        }
    };
    let mut first = Client::chat(proxy.address, true).await;
    first.read_until("one").await;
    let leaving = Client::chat(proxy.address, true).await;
    waiting(1).await;
    let mut staying = Client::chat(proxy.address, true).await;
    waiting(2).await;
    drop(leaving);
    waiting(1).await;
    drop(first);
    staying.read_until("one").await;
    assert_eq!(upstream.request_count(), 2);
    drop(staying);
    everything_is_given_back(&proxy).await;
}

#[tokio::test]
async fn who_leaves_between_two_attempts_is_the_cause_of_no_second_one() {
    let upstream = always(Script::response("429 Slow", "retry-after: 1\r\n", NO)).await;
    let proxy = proxy_before(&[&upstream], |_| {}).await;
    let client = Client::chat(proxy.address, true).await;
    until("the first attempt", || upstream.request_count() == 1).await;
    drop(client);
    proxy.has_no_connection().await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    assert_eq!(upstream.request_count(), 1);
    everything_is_given_back(&proxy).await;
}

#[tokio::test]
async fn who_leaves_during_the_second_attempt_ends_it() {
    let first = always(Script::json("500 Oops", NO)).await;
    let mut second = always(Script::stream().send(ROLE).hang()).await;
    for commit_after in [50, 5000] {
        let proxy = proxy_before(&[&first, &second], |config| {
            config.stream.commit_after = Duration::from_millis(commit_after);
        })
        .await;
        let client = Client::chat(proxy.address, true).await;
        second.request().await;
        drop(client);
        second.abandoned().await;
        everything_is_given_back(&proxy).await;
    }
}

#[tokio::test]
async fn who_leaves_while_trying_a_target_leaves_it_to_others_to_try() {
    let scripts = [Script::json("500 Oops", NO), Script::silence(), Script::answer(&["first"])];
    let (first, second) = (Upstream::in_turn(scripts).await, good().await);
    let proxy = proxy_before(&[&first, &second], |config| {
        config.health.failures = NonZeroU32::MIN;
        config.health.cool_down = Duration::from_millis(50);
    })
    .await;
    assert!(proxy.ask(true).await.body.contains("rescued"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let client = Client::chat(proxy.address, true).await;
    until("the one that tries", || first.request_count() == 2).await;
    assert!(proxy.ask(true).await.body.contains("rescued"), "one at a time");
    drop(client);
    everything_is_given_back(&proxy).await;
    assert!(proxy.ask(true).await.body.contains("first"));
}
