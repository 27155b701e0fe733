//! An outage is not made worse: so many attempts for so many requests, and not more.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use super::{NO, always, good, proxy_before};
use crate::support::{Proxy, Script, Upstream};

/// Asks with so many clients at once, each so many times; how many were answered.
async fn storm(proxy: &Arc<Proxy>, clients: usize, times: usize) -> usize {
    let answered = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (proxy, answered) = (Arc::clone(proxy), Arc::clone(&answered));
        tasks.spawn(async move {
            for _ in 0..times {
                answered.fetch_add(usize::from(proxy.ask(true).await.status == 200), Ordering::SeqCst);
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    answered.load(Ordering::SeqCst)
}

#[tokio::test]
async fn an_outage_of_everything_costs_a_fifth_more_requests_and_not_a_multiple() {
    let (first, second) = (always(Script::json("503 Busy", NO)).await, always(Script::default().reset()).await);
    let proxy = Arc::new(proxy_before(&[&first, &second], |_| {}).await);
    assert_eq!(storm(&proxy, 10, 40).await, 0);
    let attempts = first.request_count() + second.request_count();
    // A fifth more; ten that are always allowed; and what was under way when the breakers opened.
    assert!((400..=400 + 80 + 10 + 30).contains(&attempts), "{attempts} attempts for 400 requests");
}

#[tokio::test]
async fn without_a_budget_there_are_as_many_as_the_attempts_of_each() {
    let only = always(Script::json("503 Busy", NO)).await;
    let proxy = Arc::new(proxy_before(&[&only], |config| config.retry.budget_percent = 0).await);
    storm(&proxy, 5, 10).await;
    assert_eq!(only.request_count(), 50 + 10);
}

#[tokio::test]
async fn while_one_of_two_is_well_no_client_notices_the_other() {
    let (first, second) = (always(Script::default().reset()).await, good().await);
    let proxy = Arc::new(proxy_before(&[&first, &second], |_| {}).await);
    assert_eq!(storm(&proxy, 10, 20).await, 200);
    assert_eq!(second.request_count(), 200);
    assert!(first.request_count() <= 5 + 10, "{}", first.request_count());
}

/// Up for a while, down for a while.
#[tokio::test]
async fn a_target_that_comes_and_goes_causes_no_storm_and_no_client_notices() {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let first = Upstream::start_with(|_| {
        let is_down = BEGAN.elapsed().as_millis() / 300 % 2 == 1;
        if is_down { Script::default().reset() } else { Script::answer(&["first"]) }
    })
    .await;
    let second = good().await;
    let proxy = proxy_before(&[&first, &second], |config| {
        config.health.failures = NonZeroU32::new(2).unwrap();
        config.health.cool_down = Duration::from_millis(50);
    })
    .await;
    let proxy = Arc::new(proxy);
    let mut asked = 0;
    while BEGAN.elapsed() < Duration::from_millis(1500) {
        assert_eq!(storm(&proxy, 4, 5).await, 20);
        asked += 20;
    }
    let attempts = first.request_count() + second.request_count();
    assert!(attempts * 10 <= asked * 12 + 300, "{attempts} attempts for {asked} requests");
}
