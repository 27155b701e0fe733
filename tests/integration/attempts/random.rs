//! Upstreams that fail at random, in every way there is: what a client gets is one answer, whole, or an error.
//!
//! `SLUICEGATE_TEST_FAULTS` says how many requests there are to be, and `SLUICEGATE_TEST_SEED` repeats a run, but for its timing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::config::model::Strategy;
use tokio::task::JoinSet;

use super::{ANSWER, NO, everything_is_given_back, proxy_before};
use crate::support::{Client, DONE, Dice, FINISH, Proxy, ROLE, Reply, Script, Step, Upstream, token, variable};

const DEFAULT_REQUESTS: usize = 400;
/// Requests at a time.
const CLIENTS: usize = 12;

#[tokio::test]
async fn whatever_fails_a_client_gets_one_answer_whole_or_an_error_and_every_place_is_given_back() {
    let (seed, requests) = (Dice::seed(), variable("SLUICEGATE_TEST_FAULTS").unwrap_or(DEFAULT_REQUESTS));
    let upstreams = [upstream(seed, 1).await, upstream(seed, 2).await, upstream(seed, 3).await];
    let proxy = proxy_before(&[&upstreams[0], &upstreams[1], &upstreams[2]], configure).await;
    let proxy = Arc::new(proxy);
    let (mut running, mut whole) = (JoinSet::new(), 0);
    for number in 0..requests {
        if running.len() == CLIENTS {
            whole += outcome(running.join_next().await, seed);
        }
        running.spawn(visit(Arc::clone(&proxy), Dice::of(seed, [0, number as u64])));
    }
    while let Some(ended) = running.join_next().await {
        whole += outcome(Some(ended), seed);
    }
    assert!(whole > requests / 4, "{whole} of {requests} were answered; seed {seed}");
    everything_is_given_back(&proxy).await;
}

/// One if the client was answered.
fn outcome(ended: Option<Result<bool, tokio::task::JoinError>>, seed: u64) -> usize {
    usize::from(ended.unwrap().unwrap_or_else(|error| panic!("SLUICEGATE_TEST_SEED={seed}: {error}")))
}

/// Short times, so that every clock is heard.
fn configure(config: &mut Config) {
    config.stream.commit_after = Duration::from_millis(30);
    config.stream.keep_alive = Some(Duration::from_millis(15));
    config.stream.headers_timeout = Duration::from_millis(150);
    config.stream.response_timeout = Duration::from_millis(200);
    config.stream.first_token_timeout = Duration::from_millis(200);
    config.stream.idle_timeout = Duration::from_millis(150);
    config.health.cool_down = Duration::from_millis(20);
    config.health.max_cool_down = Duration::from_millis(100);
    config.queue.queue_timeout = Duration::from_millis(50);
    config.models[0].strategy = Strategy::LeastInFlight;
    config.models[0].targets[0].max_in_flight = Some(3);
    config.models[0].targets[1].max_in_flight = Some(5);
}

/// An upstream whose every answer is another, and says in each of its tokens which it is, which token, and of how many.
async fn upstream(seed: u64, name: u64) -> Upstream {
    let count = AtomicU64::new(0);
    Upstream::start_with(move |request| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let mut dice = Dice::of(seed, [name, number]);
        let streams = !request.body.windows(14).any(|window| window == b"\"stream\":false");
        if streams { stream(&mut dice, &format!("{name}.{number}")) } else { whole(&mut dice) }
    })
    .await
}

fn whole(dice: &mut Dice) -> Script {
    if dice.once_in(2) { Script::json("200 OK", ANSWER) } else { instead(dice) }
}

/// What may come in place of an answer.
fn instead(dice: &mut Dice) -> Script {
    let limited = Script::response("429 Slow", "retry-after-ms: 20\r\n", NO);
    match dice.between(0, 8) {
        0 => Script::default().close(),
        1 => Script::default().reset(),
        2 => Script::silence(),
        3 => Script::raw("HTTP/1.1 200 O").reset(),
        4 => Script::json("500 Oops", NO),
        5 => limited,
        6 => Script::response("200 OK", "content-type: text/html\r\n", "<html>"),
        7 => Script::json("200 OK", NO),
        _ => Script::stream().end(),
    }
}

/// A stream, whole or not, in pieces that respect no frame.
fn stream(dice: &mut Dice, name: &str) -> Script {
    if dice.once_in(4) {
        return instead(dice);
    }
    let tokens = dice.between(1, 12);
    let texts = (0..tokens).map(|index| token(&format!("<{name}:{index}:{tokens}>")));
    let mut frames: Vec<String> = [ROLE.to_owned()].into_iter().chain(texts).collect();
    frames.extend([FINISH.to_owned(), DONE.to_owned()]);
    // Of a whole one, all frames; of another, so many as end before it is.
    let is_whole = dice.once_in(2);
    let kept = if is_whole { frames.len() } else { dice.between(0, tokens) };
    let mut rest = frames[..kept].concat();
    if !is_whole && dice.once_in(3) {
        rest += &frames[kept][..dice.between(1, frames[kept].len() - 1)];
    }
    let mut script = Script::stream();
    while !rest.is_empty() {
        let behind = rest.split_off(dice.between(1, 300).min(rest.len()));
        script = script.send(std::mem::replace(&mut rest, behind));
        if dice.once_in(4) {
            script = script.wait(dice.between(1, 20) as u64);
        }
    }
    match (is_whole, dice.between(0, 4)) {
        (true, _) => script.end(),
        (false, 0) => script.then(Step::Reset),
        (false, 1) => script.hang(),
        (false, 2) => script.send("\n\ndata: {\"error\":{\"message\":\"crashed\"}}\n\n").end(),
        (false, 3) => script.end(),
        (false, _) => script.close(),
    }
}

/// One request; whether it was answered whole. Some leave before that.
async fn visit(proxy: Arc<Proxy>, mut dice: Dice) -> bool {
    if dice.once_in(8) {
        let client = Client::chat(proxy.address, dice.once_in(2)).await;
        tokio::time::sleep(Duration::from_millis(dice.between(0, 60) as u64)).await;
        drop(client);
        return false;
    }
    let streams = !dice.once_in(5);
    let reply = proxy.ask(streams).await;
    if reply.status != 200 {
        reply.error();
        assert!(reply.status >= 400 && !reply.body.contains('<'), "{reply:?}");
        return false;
    }
    if streams { is_whole(&reply) } else { reply.body == ANSWER }
}

/// Whether a stream is whole. Whole or not, it is one answer from its beginning on, and tells the truth of its end.
fn is_whole(reply: &Reply) -> bool {
    let names = reply.body.split('<').skip(1).filter_map(|text| text.split_once('>'));
    let mut said = names.map(|(name, _)| name).peekable();
    let first = said.peek().map(|text| text.split(':').collect::<Vec<_>>());
    let mut count = 0;
    for text in said {
        let first = first.as_ref().unwrap();
        assert_eq!(text, format!("{}:{count}:{}", first[0], first[2]), "{reply:?}");
        count += 1;
    }
    let is_done = reply.body.ends_with(DONE);
    if is_done {
        assert_eq!(Some(count.to_string().as_str()), first.as_ref().map(|first| first[2]), "{reply:?}");
        assert_eq!((reply.body.matches(ROLE).count(), reply.body.matches(FINISH).count()), (1, 1), "{reply:?}");
    } else {
        reply.error_event();
    }
    is_done
}
