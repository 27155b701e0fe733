//! A target that keeps failing is asked last for a while, and never not at all.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::upstream::fleet::Status;

use super::{NO, always, good, outcomes, proxy_before};
use crate::support::{Client, ROLE, Script, Upstream, logs, provider, token, until};

/// An upstream that fails for as long as it is told to.
pub(super) async fn switchable() -> (Upstream, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let upstream = Upstream::start_with(move |_| {
        if is_broken.load(Ordering::SeqCst) { Script::json("500 Oops", NO) } else { Script::answer(&["first"]) }
    })
    .await;
    (upstream, broken)
}

/// Three failures in a row, and no time to recover.
pub(super) fn strict(config: &mut Config) {
    config.health.failures = NonZeroU32::new(3).unwrap();
    config.health.cool_down = Duration::from_secs(60);
    config.health.max_cool_down = Duration::from_secs(60);
}

#[tokio::test]
async fn a_target_that_keeps_failing_is_not_asked_while_there_is_another() {
    for script in [Script::json("500 Oops", NO), Script::default().reset(), Script::stream().send(ROLE).close()] {
        let (first, second) = (always(script.clone()).await, good().await);
        let proxy = proxy_before(&[&first, &second], strict).await;
        for _ in 0..10 {
            assert!(proxy.ask(true).await.body.contains("rescued"), "{script:?}");
        }
        assert_eq!([first.request_count(), second.request_count()], [3, 10], "{script:?}");
    }
}

#[tokio::test]
async fn a_target_that_begins_and_breaks_off_again_and_again_is_avoided_too() {
    let broken = Script::stream().send([ROLE, &token("one")].concat()).wait(20).then(crate::support::Step::Reset);
    let (first, second) = (always(broken).await, good().await);
    let proxy = proxy_before(&[&first, &second], |config| {
        strict(config);
        config.health.min_requests = 10;
    })
    .await;
    for _ in 0..12 {
        proxy.ask(true).await;
    }
    assert!(second.request_count() >= 5, "{}", second.request_count());
}

#[tokio::test]
async fn when_its_time_is_over_one_request_tries_it_and_it_is_asked_again() {
    let ((first, broken), second) = (switchable().await, good().await);
    let proxy = proxy_before(&[&first, &second], |config| {
        strict(config);
        config.providers[0] = provider("recovering", &first.url());
        config.models[0].targets[0].provider = "recovering".to_owned();
        config.health.cool_down = Duration::from_millis(200);
    })
    .await;
    for _ in 0..3 {
        proxy.ask(true).await;
    }
    broken.store(false, Ordering::SeqCst);
    assert!(proxy.ask(true).await.body.contains("rescued"));
    tokio::time::sleep(Duration::from_millis(250)).await;
    for _ in 0..3 {
        assert!(proxy.ask(true).await.body.contains("first"));
    }
    let told = |text: &'static str| {
        let about = |line: &logs::Line| line.get("provider").is_some_and(|name| name == "recovering");
        logs::all().iter().filter(|line| about(line) && line["message"].contains(text)).count()
    };
    assert_eq!((told("avoided"), told("works again")), (1, 1));
}

#[tokio::test]
async fn one_that_still_fails_when_it_is_tried_costs_the_client_nothing_and_is_avoided_for_longer() {
    let ((first, _broken), second) = (switchable().await, good().await);
    let proxy = proxy_before(&[&first, &second], |config| {
        strict(config);
        config.health.cool_down = Duration::from_millis(150);
    })
    .await;
    for _ in 0..3 {
        proxy.ask(true).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let reply = proxy.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;500", "b/m;ok"]);
    let is_first = |status: &Status| (&*status.provider, &*status.model) == ("a", "m");
    let left = proxy.fleet.status().into_iter().find(is_first).unwrap().keys[0].1;
    assert!(left.is_some_and(|left| left > Duration::from_millis(150)), "{left:?}");
    assert_eq!(first.request_count(), 4);
}

/// One connection reset must not turn into half a minute of refusals.
#[tokio::test]
async fn a_sole_target_is_asked_however_often_it_has_failed() {
    let (upstream, broken) = switchable().await;
    let proxy = proxy_before(&[&upstream], strict).await;
    for _ in 0..6 {
        assert_eq!(proxy.ask(true).await.status, 500);
    }
    let before = upstream.request_count();
    assert_eq!(proxy.ask(true).await.status, 500);
    assert!(upstream.request_count() > before);
    broken.store(false, Ordering::SeqCst);
    for _ in 0..3 {
        let reply = proxy.ask(true).await;
        assert_eq!((reply.status, reply.header("x-sluicegate-attempts")), (200, ""));
    }
}

#[tokio::test]
async fn what_clients_do_wrong_is_no_fault_of_a_target() {
    for status in ["400 Bad", "401 Unauthorized", "404 Not Found", "413 Large", "422 No"] {
        let first = Upstream::start_with(move |request| {
            if request.body.len() > 200 { Script::json(status, NO) } else { Script::answer(&["first"]) }
        })
        .await;
        let second = good().await;
        let proxy = proxy_before(&[&first, &second], strict).await;
        let wrong = crate::support::chat(true).replace("hi", &"x".repeat(300));
        for _ in 0..10 {
            assert_eq!(proxy.post("/v1/chat/completions", wrong.clone()).await.status().as_str(), &status[..3]);
        }
        assert!(proxy.ask(true).await.body.contains("first"), "{status}");
        assert_eq!(second.request_count(), 0);
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_no_fault_of_a_target() {
    let (first, second) = (always(Script::silence()).await, good().await);
    let proxy = proxy_before(&[&first, &second], strict).await;
    for _ in 0..5 {
        let count = first.request_count();
        let client = Client::chat(proxy.address, true).await;
        until("the request at the upstream", || first.request_count() > count).await;
        drop(client);
        super::everything_is_given_back(&proxy).await;
    }
    assert!(proxy.fleet.status().iter().all(|status| status.keys.iter().all(|(_, open)| open.is_none())));
    assert_eq!(second.request_count(), 0);
}

#[tokio::test]
async fn what_is_known_of_a_target_outlives_the_configuration() {
    let ((first, _broken), second) = (switchable().await, good().await);
    let proxy = proxy_before(&[&first, &second], strict).await;
    for _ in 0..3 {
        proxy.ask(true).await;
    }
    let mut config = (**proxy.config.borrow()).clone();
    config.models[0].aliases = vec!["n".to_owned()];
    proxy.config.send_replace(Arc::new(config));
    let renamed = crate::support::chat(true).replace("\"m\"", "\"n\"");
    let mut reloaded = false;
    for _ in 0..200 {
        let status = proxy.post("/v1/chat/completions", renamed.clone()).await.status();
        reloaded = status == 200;
        if reloaded {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(reloaded);
    assert_eq!(first.request_count(), 3);
}
