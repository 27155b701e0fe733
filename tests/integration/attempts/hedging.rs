//! A second target beside one that is slow: who wins, who is ended, and how often that may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::config::hedge::{After, Hedge};
use sluicegate::config::secret::Secret;
use sluicegate::upstream::fleet::Status;
use tokio::sync::Notify;

use super::{ANSWER, NO, always, everything_is_given_back, good, good_text, outcomes, proxy_at, proxy_before};
use crate::support::anthropic::speaker;
use crate::support::{Client, ROLE, Reply, Script, Upstream, chat, nowhere, request, token, until};

const DELAY: Duration = Duration::from_millis(50);
const ERROR: &str = "data: {\"error\":{\"message\":\"crashed\"}}\n\n";

/// The models hedge after [`DELAY`].
fn hedged(config: &mut Config) {
    config.models[0].hedge = Some(Hedge { after: After::Time(DELAY), ..Hedge::default() });
}

/// Says who it is and no more.
async fn slow() -> Upstream {
    always(Script::stream().send(ROLE).hang()).await
}

/// Answers, but not at once.
async fn leisurely(milliseconds: u64) -> Upstream {
    always(Script::default().wait(milliseconds).append(Script::answer(&["at last"]))).await
}

#[tokio::test]
async fn the_second_wins_over_one_that_is_slow_and_the_first_is_ended_at_once() {
    for silence in [Script::silence(), Script::stream().hang(), Script::stream().send(ROLE).hang()] {
        let (mut first, second) = (always(silence).await, good().await);
        let proxy = proxy_before(&[&first, &second], hedged).await;
        let reply = proxy.ask(true).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, good_text().as_str()));
        first.abandoned().await;
        let told = reply.header("x-sluicegate-attempts").to_owned();
        assert_eq!(outcomes(&told), ["a/m;hedge_lost", "b/m;ok"]);
        assert_eq!(proxy.log_line(reply.request_id()).await["attempts"], told);
        everything_is_given_back(&proxy).await;
    }
}

#[tokio::test]
async fn who_is_quick_is_asked_alone_and_so_is_who_stops_after_it_has_begun() {
    let cue = Arc::new(Notify::new());
    let pause = Script::stream().send([ROLE, &token("one")].concat()).cue(&cue).send(token("two")).hang();
    let (first, second) = (always(pause).await, good().await);
    let proxy = proxy_before(&[&first, &second], hedged).await;
    let mut client = Client::chat(proxy.address, true).await;
    client.read_until("one").await;
    tokio::time::sleep(DELAY * 4).await;
    cue.notify_one();
    client.read_until("two").await;
    assert_eq!([first.request_count(), second.request_count()], [1, 0]);
}

#[tokio::test]
async fn the_first_may_still_win_and_then_the_second_is_ended() {
    let (first, mut second) = (leisurely(300).await, slow().await);
    let proxy = proxy_before(&[&first, &second], hedged).await;
    let reply = proxy.ask(true).await;
    assert!(reply.body.contains("at last"), "{reply:?}");
    second.abandoned().await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["b/m;hedge_lost", "a/m;ok"]);
    everything_is_given_back(&proxy).await;
}

#[tokio::test]
async fn an_error_of_the_second_wins_nothing() {
    for (error, outcome) in [
        (Script::stream().send(ERROR).end(), "b/m;502"),
        (Script::stream().send(ROLE).send(ERROR).end(), "b/m;502"),
        (Script::stream().end(), "b/m;upstream_truncated"),
        (Script::json("400 No", NO), "b/m;400"),
        (Script::default().reset(), "b/m;upstream_connection_broken"),
    ] {
        let (first, second) = (leisurely(300).await, always(error.clone()).await);
        let proxy = proxy_before(&[&first, &second], hedged).await;
        let reply = proxy.ask(true).await;
        assert!(reply.body.contains("at last"), "{error:?} became {reply:?}");
        assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), [outcome, "a/m;ok"], "{error:?}");
    }
}

#[tokio::test]
async fn when_the_first_fails_meanwhile_the_second_is_the_next_attempt() {
    let first = always(Script::stream().wait(150).send(ERROR).end()).await;
    let (second, third) = (leisurely(400).await, good().await);
    let proxy = proxy_before(&[&first, &second, &third], hedged).await;
    let reply = proxy.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;502", "b/m;ok"]);
    assert_eq!([first.request_count(), second.request_count(), third.request_count()], [1, 1, 0]);
}

#[tokio::test]
async fn when_both_fail_the_next_is_asked_and_if_there_is_none_the_last_error_is_told() {
    let first = always(Script::stream().wait(300).send(ERROR).end()).await;
    let second = always(Script::json("503 Busy", NO)).await;
    let only_once = |config: &mut Config| {
        hedged(config);
        config.retry.max_attempts = 2.try_into().unwrap();
    };
    let reply = proxy_before(&[&first, &second], only_once).await.ask(true).await;
    assert_eq!((reply.status, reply.error()["message"].as_str()), (502, Some("crashed")));
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["b/m;503", "a/m;502"]);
    let third = good().await;
    let reply = proxy_before(&[&first, &second, &third], hedged).await.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["b/m;503", "a/m;502", "c/m;ok"]);
}

#[tokio::test]
async fn a_second_that_cannot_be_reached_or_has_no_room_is_no_loss() {
    let first = leisurely(300).await;
    let reply = proxy_at(&[first.url(), nowhere()], hedged).await.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["b/m;upstream_unreachable", "a/m;ok"]);
    let mut second = slow().await;
    let proxy = proxy_before(&[&first, &second], |config| {
        hedged(config);
        config.models[0].targets[1].max_in_flight = Some(1);
    })
    .await;
    let body = chat(true).replace("\"m\"", "\"b/m\"");
    let mut busy = Client::connect(proxy.address).await;
    busy.send(&request("/v1/chat/completions", &body)).await;
    second.request().await;
    assert_eq!(proxy.ask(true).await.header("x-sluicegate-attempts"), "");
    assert_eq!(second.request_count(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_the_race_ends_both() {
    for commit_after in [20, 5000] {
        let (mut first, mut second) = (slow().await, slow().await);
        let proxy = proxy_before(&[&first, &second], |config| {
            hedged(config);
            config.stream.commit_after = Duration::from_millis(commit_after);
        })
        .await;
        let client = Client::chat(proxy.address, true).await;
        second.request().await;
        drop(client);
        first.abandoned().await;
        second.abandoned().await;
        everything_is_given_back(&proxy).await;
    }
}

#[tokio::test]
async fn when_the_time_is_up_both_are_told() {
    let (first, second) = (slow().await, slow().await);
    let proxy = proxy_before(&[&first, &second], |config| {
        hedged(config);
        config.stream.total_timeout = Some(Duration::from_millis(400));
    })
    .await;
    let reply = proxy.ask(true).await;
    assert_eq!(reply.status, 504);
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;total_timeout", "b/m;total_timeout"]);
    everything_is_given_back(&proxy).await;
}

#[tokio::test]
async fn losing_a_race_is_no_failure_and_counts_against_nobody() {
    let (first, second) = (slow().await, good().await);
    let proxy = proxy_before(&[&first, &second], |config| {
        hedged(config);
        config.health.failures = 1.try_into().unwrap();
    })
    .await;
    for _ in 0..3 {
        assert!(proxy.ask(true).await.body.contains("rescued"));
    }
    assert_eq!(first.request_count(), 3, "it is asked first as ever");
    let is_well = |status: &Status| status.keys.iter().all(|(_, rest)| rest.is_none());
    assert!(proxy.fleet.status().iter().all(is_well));
    let is_first = |status: &&Status| (&*status.provider, &*status.model) == ("a", "m");
    let known = proxy.fleet.status().iter().find(is_first).unwrap().time_to_first_token;
    assert!(known.is_some_and(|time| time >= DELAY), "that it is slow is known: {known:?}");
}

#[tokio::test]
async fn no_more_are_hedged_than_the_share_says_and_a_few_that_are_always_allowed() {
    let (first, second) = (leisurely(200).await, slow().await);
    let proxy = Arc::new(proxy_before(&[&first, &second], hedged).await);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let proxy = Arc::clone(&proxy);
        running.spawn(async move { assert!(proxy.ask(true).await.body.contains("at last")) });
    }
    while let Some(asked) = running.join_next().await {
        asked.unwrap();
    }
    assert_eq!((first.request_count(), second.request_count()), (60, 10 + 6));
}

#[tokio::test]
async fn a_hedge_is_paid_for_as_an_attempt_at_who_has_failed_is() {
    let (first, second) = (leisurely(150).await, slow().await);
    let proxy = proxy_before(&[&first, &second], |config| {
        config.models[0].hedge = Some(Hedge { after: After::Time(DELAY), max_percent: 100 });
        config.retry.budget_percent = 0;
    })
    .await;
    for _ in 0..13 {
        assert!(proxy.ask(true).await.body.contains("at last"));
    }
    assert_eq!((first.request_count(), second.request_count()), (13, 10));
}

#[tokio::test]
async fn how_long_is_too_long_is_learned_from_what_came_before() {
    let count = AtomicU64::new(0);
    let first = Upstream::start_with(move |_| {
        let is_slow = count.fetch_add(1, Ordering::SeqCst) >= 20;
        if is_slow { Script::stream().send(ROLE).hang() } else { Script::answer(&["quick"]) }
    })
    .await;
    let second = good().await;
    let proxy = proxy_before(&[&first, &second], |config| config.models[0].hedge = Some(Hedge::default())).await;
    for _ in 0..20 {
        assert!(proxy.ask(true).await.body.contains("quick"));
    }
    assert_eq!(second.request_count(), 0, "nothing is known yet");
    let reply = proxy.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;hedge_lost", "b/m;ok"]);
}

#[tokio::test]
async fn a_model_that_does_not_ask_for_it_and_an_answer_that_does_not_stream_are_not_hedged() {
    let (first, second) = (leisurely(300).await, good().await);
    let reply = proxy_before(&[&first, &second], |_| {}).await.ask(true).await;
    assert!(reply.body.contains("at last"), "{reply:?}");
    let whole = always(Script::default().wait(300).append(Script::json("200 OK", ANSWER))).await;
    assert_eq!(proxy_before(&[&whole, &second], hedged).await.ask(false).await.body, ANSWER);
    assert_eq!(second.request_count(), 0);
}

#[tokio::test]
async fn a_target_that_cannot_be_asked_in_its_words_is_passed_over() {
    let (first, second, third) = (slow().await, good().await, good().await);
    let proxy = proxy_before(&[&first, &second, &third], |config| {
        hedged(config);
        config.providers[1] = speaker("b", &second.url());
    })
    .await;
    // Nobody can be asked for two answers in Anthropic's words.
    let body = chat(true).replacen('{', "{\"n\":2,", 1);
    let reply = Reply::of(proxy.post("/v1/chat/completions", body).await).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;hedge_lost", "c/m;ok"]);
    assert_eq!(second.request_count(), 0);
}

/// Another key of the same provider leads to the same slow model.
#[tokio::test]
async fn a_hedge_goes_to_another_target_and_not_to_another_key() {
    let (first, second) = (slow().await, good().await);
    let proxy = proxy_before(&[&first, &second], |config| {
        hedged(config);
        config.providers[0].api_keys = vec![Secret::new("one"), Secret::new("two")];
    })
    .await;
    let reply = proxy.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;hedge_lost", "b/m;ok"]);
    assert_eq!(first.request_count(), 1);
    until("the end of the first", || first.connection_count() == 0).await;
}
