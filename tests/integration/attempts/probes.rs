//! Providers that are asked whether they are there, before a request has to find out.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::upstream::fleet::Status;

use super::breakers::{strict, switchable};
use super::{NO, always, good, proxy_at, proxy_before};
use crate::support::{Proxy, Script, nowhere, until};

fn watchful(config: &mut Config) {
    strict(config);
    config.health.failures = NonZeroU32::MIN;
    config.health.probe_interval = Some(Duration::from_secs(1));
}

/// Whether the model `m` at the provider called `name` is avoided now.
fn is_avoided(proxy: &Proxy, name: &str) -> bool {
    let is_it = |status: &Status| (&*status.provider, &*status.model) == (name, "m");
    let status = proxy.fleet.status().into_iter().find(is_it);
    status.and_then(|status| status.keys[0].1).is_some_and(|left| !left.is_zero())
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_avoided_before_any_request_has_found_out() {
    let second = good().await;
    let proxy = proxy_at(&[nowhere(), second.url()], watchful).await;
    until("the first target avoided", || is_avoided(&proxy, "a")).await;
    assert!(!is_avoided(&proxy, "b"));
    let reply = proxy.ask(true).await;
    assert!(reply.body.contains("rescued"));
    assert_eq!(reply.header("x-sluicegate-attempts"), "", "nobody else was asked");
}

#[tokio::test]
async fn a_provider_that_is_back_is_tried_before_its_time_is_over() {
    let ((first, broken), second) = (switchable().await, good().await);
    let proxy = proxy_before(&[&first, &second], watchful).await;
    assert!(proxy.ask(true).await.body.contains("rescued"));
    assert!(is_avoided(&proxy, "a"));
    broken.store(false, Ordering::SeqCst);
    until("the first target ready to be tried", || !is_avoided(&proxy, "a")).await;
    assert!(proxy.ask(true).await.body.contains("first"));
}

#[tokio::test]
async fn one_that_wants_to_be_left_alone_is_left_alone_although_it_answers() {
    let limited = always(Script::response("429 No", "content-type: application/json\r\nretry-after: 60\r\n", NO)).await;
    let second = good().await;
    let proxy = proxy_before(&[&limited, &second], watchful).await;
    assert!(proxy.ask(true).await.body.contains("rescued"));
    let asked = limited.request_count();
    until("two more probes", || limited.request_count() >= asked + 2).await;
    assert!(is_avoided(&proxy, "a"));
}

#[tokio::test]
async fn nobody_is_asked_who_is_not_to_be() {
    let upstream = good().await;
    let proxy = proxy_before(&[&upstream], strict).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(upstream.request_count(), 0);
    drop(proxy);
}
