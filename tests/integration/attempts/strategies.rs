//! Which of several healthy targets is asked first.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use sluicegate::config::model::Strategy;
use tokio::sync::Notify;

use super::{NO, always, good, proxy_before};
use crate::support::{Client, Proxy, ROLE, Reply, Script, Upstream, chat, client, provider, request, soon, token};

/// How often each of `upstreams` is asked in `times` requests, one after the other.
async fn shares<const N: usize>(proxy: &Proxy, upstreams: [&Upstream; N], times: usize) -> [usize; N] {
    let before = upstreams.map(Upstream::request_count);
    for _ in 0..times {
        assert_eq!(proxy.ask(true).await.status, 200);
    }
    std::array::from_fn(|index| upstreams[index].request_count() - before[index])
}

#[tokio::test]
async fn the_first_in_the_list_is_asked_first_and_alone_while_it_answers() {
    let (first, second) = (good().await, good().await);
    let proxy = proxy_before(&[&first, &second], |_| {}).await;
    assert_eq!(shares(&proxy, [&first, &second], 10).await, [10, 0]);
}

#[tokio::test]
async fn a_lower_tier_is_asked_before_a_higher_one() {
    let (spare, broken, best) = (good().await, always(Script::json("500 Oops", NO)).await, good().await);
    let proxy = proxy_before(&[&spare, &broken, &best], |config| {
        config.models[0].targets[0].tier = 9;
    })
    .await;
    assert_eq!(shares(&proxy, [&spare, &broken, &best], 3).await, [0, 3, 3]);
}

#[tokio::test]
async fn each_is_asked_as_often_as_its_weight_says() {
    let (light, heavy) = (good().await, good().await);
    let proxy = proxy_before(&[&light, &heavy], |config| {
        config.models[0].strategy = Strategy::Weighted;
        config.models[0].targets[1].weight = NonZeroU32::new(4).unwrap();
    })
    .await;
    let [light, heavy] = shares(&proxy, [&light, &heavy], 100).await;
    // Twenty are to be expected; it is hardly ever less than six or more than forty.
    assert!((6..=40).contains(&light), "{light} to {heavy}");
}

#[tokio::test]
async fn the_one_with_the_fewest_requests_in_flight_is_asked() {
    let endless = || Script::stream().send([ROLE, &token("one")].concat()).hang();
    let (first, second) = (always(endless()).await, always(endless()).await);
    let proxy = proxy_before(&[&first, &second], |config| config.models[0].strategy = Strategy::LeastInFlight).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::chat(proxy.address, true).await;
        client.read_until("one").await;
        clients.push(client);
    }
    assert_eq!([first.request_count(), second.request_count()], [4, 4]);
}

#[tokio::test]
async fn the_one_that_was_quickest_lately_is_asked() {
    let slow = Script::stream().wait(300).append(Script(Script::answer(&["slow"]).0[1..].to_vec()));
    let (slow, quick) = (always(slow).await, good().await);
    let proxy = proxy_before(&[&slow, &quick], |config| config.models[0].strategy = Strategy::Fastest).await;
    assert_eq!(shares(&proxy, [&slow, &quick], 10).await, [1, 9], "each is tried once");
}

async fn ask_in_session(proxy: &Proxy, session: usize) -> Reply {
    let request = client().post(proxy.url("/v1/chat/completions")).header("content-type", "application/json");
    let request = request.header("x-session-id", session.to_string()).body(chat(true));
    Reply::of(soon("a response head", request.send()).await.unwrap()).await
}

#[tokio::test]
async fn a_session_stays_where_it_is_and_moves_only_if_its_target_fails() {
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    let first = Upstream::start_with(move |_| {
        let is_broken = is_broken.load(std::sync::atomic::Ordering::SeqCst);
        if is_broken { Script::json("500 Oops", NO) } else { Script::answer(&["first"]) }
    })
    .await;
    let (second, third) = (always(Script::answer(&["second"])).await, always(Script::answer(&["third"])).await);
    let proxy = proxy_before(&[&first, &second, &third], |config| {
        config.models[0].affinity_header = Some("X-Session-Id".to_owned());
    })
    .await;
    let mut homes = BTreeMap::new();
    for round in 0..3 {
        broken.store(round == 2, std::sync::atomic::Ordering::SeqCst);
        for session in 0..30 {
            let body = ask_in_session(&proxy, session).await.body;
            let home = ["first", "second", "third"].into_iter().find(|home| body.contains(home)).unwrap();
            let before = *homes.entry(session).or_insert(home);
            assert!(home == before || (round == 2 && before == "first"), "{session} went from {before} to {home}");
        }
    }
    let of = |home| homes.values().filter(|its| **its == home).count();
    assert!(of("first") > 0 && of("second") > 0 && of("third") > 0, "{homes:?}");
    // Without a session the order of the list counts.
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(second.request_count() > 0 && third.request_count() > 0);
}

/// A cap on a target holds whichever name leads there.
#[tokio::test]
async fn a_target_asked_by_its_own_name_is_the_same_target() {
    let cue = Arc::new(Notify::new());
    let script = Script::stream().send([ROLE, &token("one")].concat()).cue(&cue).end();
    let first = always(script).await;
    let proxy = proxy_before(&[&first], |config| {
        config.providers.push(provider("other", &first.url()));
        config.models[0].targets[0].max_in_flight = Some(1);
        config.models[0].targets[0].max_queue = Some(0);
    })
    .await;
    let mut client = Client::chat(proxy.address, true).await;
    client.read_until("one").await;
    let prefixed = chat(true).replace("\"m\"", "\"a/m\"");
    let refused = Reply::of(proxy.post("/v1/chat/completions", prefixed.clone()).await).await;
    assert_eq!(refused.status, 503);
    let mut elsewhere = Client::connect(proxy.address).await;
    elsewhere.send(&request("/v1/chat/completions", &prefixed.replace("a/m", "other/m"))).await;
    elsewhere.read_until("one").await;
}
