//! Upstreams that fail at random, in every way there is: what a client gets is one answer, whole, or an error.
//!
//! `SLUICEGATE_TEST_FAULTS` says how many requests there are to be, and `SLUICEGATE_TEST_SEED` repeats a run, but for its timing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sluicegate::config::Config;
use sluicegate::config::hedge::{After, Hedge};
use sluicegate::config::model::Strategy;
use tokio::task::JoinSet;

use super::{NO, everything_is_given_back, proxy_at};
use crate::support::{
    Client, DONE, Dice, FINISH, Proxy, ROLE, Reply, Script, Step, Upstream, nowhere, token, until, variable,
};

const DEFAULT_REQUESTS: usize = 400;
/// Requests at a time.
const CLIENTS: usize = 32;

/// What upstreams have said, by the names of their answers.
type Ledger = Arc<Mutex<HashMap<String, Said>>>;

/// What of an answer its upstream has said.
#[derive(Debug, Clone, Copy)]
struct Said {
    /// Texts that were sent whole.
    texts: usize,
    /// The same with one that lacked nothing but an empty line.
    most: usize,
    /// To its end.
    is_whole: bool,
    /// What was sent has arrived, unless somebody lost patience: it was not followed by a reset.
    arrives: bool,
}

#[tokio::test]
async fn whatever_fails_a_client_gets_one_answer_whole_or_an_error_and_every_place_is_given_back() {
    let (seed, requests) = (Dice::seed(), variable("SLUICEGATE_TEST_FAULTS").unwrap_or(DEFAULT_REQUESTS));
    let ledger = Ledger::default();
    let upstreams = [1, 2, 3].map(|name| upstream(seed, name, Arc::clone(&ledger)));
    let [first, second, third] = upstreams;
    let upstreams = [first.await, second.await, third.await];
    let mut urls: Vec<String> = upstreams.iter().map(Upstream::url).collect();
    urls.push(nowhere());
    let proxy = Arc::new(proxy_at(&urls, configure).await);
    let (mut running, mut whole) = (JoinSet::new(), 0);
    for number in 0..requests {
        if running.len() == CLIENTS {
            whole += outcome(running.join_next().await, seed);
        }
        running.spawn(visit(Arc::clone(&proxy), Arc::clone(&ledger), Dice::of(seed, [0, number as u64])));
    }
    while let Some(ended) = running.join_next().await {
        whole += outcome(Some(ended), seed);
    }
    assert!(whole > requests / 4, "{whole} of {requests} were answered; seed {seed}");
    everything_is_given_back(&proxy).await;
    let is_idle = |upstream: &Upstream| upstream.busy_count() == 0;
    until("the end of every answer that nobody waits for", || upstreams.iter().all(is_idle)).await;
    drop(proxy);
    until("the end of every connection", || upstreams.iter().all(|upstream| upstream.connection_count() == 0)).await;
}

/// One if the client was answered.
fn outcome(ended: Option<Result<bool, tokio::task::JoinError>>, seed: u64) -> usize {
    usize::from(ended.unwrap().unwrap_or_else(|error| panic!("SLUICEGATE_TEST_SEED={seed}: {error}")))
}

/// Short times, so that every clock is heard, and attempts that are free, so that all ways are gone.
fn configure(config: &mut Config) {
    config.stream.commit_after = Duration::from_millis(60);
    config.stream.keep_alive = Some(Duration::from_millis(15));
    config.stream.headers_timeout = Duration::from_millis(150);
    config.stream.response_timeout = Duration::from_millis(200);
    config.stream.first_token_timeout = Duration::from_millis(200);
    config.stream.idle_timeout = Duration::from_millis(150);
    config.retry.budget_percent = 100;
    config.retry.max_backoff = Duration::from_millis(100);
    config.health.cool_down = Duration::from_millis(20);
    config.health.max_cool_down = Duration::from_millis(100);
    config.queue.queue_timeout = Duration::from_millis(50);
    let model = &mut config.models[0];
    model.strategy = Strategy::LeastInFlight;
    model.hedge = Some(Hedge { after: After::Time(Duration::from_millis(25)), max_percent: 50 });
    model.targets[0].max_in_flight = Some(6);
    model.targets[1].max_in_flight = Some(10);
}

/// An upstream whose every answer is another, and says in each of its texts which it is, which text, and of how many. The
/// third is not there now and then.
async fn upstream(seed: u64, name: u64, ledger: Ledger) -> Upstream {
    let count = AtomicU64::new(0);
    Upstream::start_with(move |request| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        if name == 3 && number % 40 >= 30 {
            return Script::default().reset();
        }
        let mut dice = Dice::of(seed, [name, number]);
        let streams = !request.body.windows(14).any(|window| window == b"\"stream\":false");
        let name = format!("{name}.{number}");
        let (script, said) = if streams { stream(&mut dice, &name) } else { whole(&mut dice, &name) };
        ledger.lock().unwrap().insert(name, said);
        if dice.once_in(6) { Script::default().wait(dice.between(10, 120) as u64).append(script) } else { script }
    })
    .await
}

const NOTHING: Said = Said { texts: 0, most: 0, is_whole: false, arrives: true };

/// The answer called `name`, if it does not stream.
fn answer(name: &str) -> String {
    serde_json::json!({ "choices": [{
        "index": 0, "message": { "role": "assistant", "content": name }, "finish_reason": "stop",
    }] })
    .to_string()
}

/// An answer that does not stream, whole or cut anywhere.
fn whole(dice: &mut Dice, name: &str) -> (Script, Said) {
    let answer = answer(name);
    match dice.between(0, 5) {
        0..3 => (Script::json("200 OK", &answer), Said { is_whole: true, ..NOTHING }),
        3 => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            let all = [head, answer].concat();
            (Script::raw(all[..dice.between(1, all.len() - 1)].to_owned()).close(), NOTHING)
        }
        4 => (Script::json("200 OK", &answer[..dice.between(0, answer.len() - 1)]), NOTHING),
        _ => (instead(dice), NOTHING),
    }
}

/// What may come in place of an answer.
fn instead(dice: &mut Dice) -> Script {
    match dice.between(0, 10) {
        0 => Script::default().close(),
        1 => Script::default().reset(),
        2 => Script::silence(),
        3 => Script::raw("HTTP/1.1 200 O").reset(),
        4 => Script::raw("SSH-2.0-OpenSSH_9.6\r\n").hang(),
        5 => Script::json("500 Oops", NO),
        6 => limited(dice),
        7 => Script::response("200 OK", "content-type: text/html\r\n", "<html>"),
        8 => Script::json("200 OK", NO),
        9 => Script::stream().send("data: not JSON\n\n").end(),
        _ => Script::stream().end(),
    }
}

/// A rate limit in each form in which its end is told.
fn limited(dice: &mut Dice) -> Script {
    let info = r#"{"error":{"code":429,"message":"no","details":[{"retryDelay":"0.02s"}]}}"#;
    let date = format!("retry-after: {}\r\n", httpdate::fmt_http_date(SystemTime::now()));
    match dice.between(0, 4) {
        0 => Script::response("429 Slow", "retry-after-ms: 20\r\n", NO),
        1 => Script::response("429 Slow", "retry-after: 0.02\r\n", NO),
        2 => Script::response("429 Slow", &date, NO),
        3 => Script::json("429 Slow", info),
        _ => Script::stream().send(format!("data: {info}\n\n")).end(),
    }
}

/// A stream, whole or not, in pieces that respect no frame.
fn stream(dice: &mut Dice, name: &str) -> (Script, Said) {
    if dice.once_in(4) {
        return (instead(dice), NOTHING);
    }
    let count = dice.between(1, 12);
    let texts = (0..count).map(|index| token(&format!("{name}:{index}:{count}")));
    let mut frames: Vec<String> = [ROLE.to_owned()].into_iter().chain(texts).collect();
    frames.extend([FINISH.to_owned(), DONE.to_owned()]);
    if dice.once_in(2) {
        let script = in_pieces(dice, frames.concat()).end();
        return (script, Said { texts: count, most: count, is_whole: true, arrives: true });
    }
    // So many as end before it is whole, and some of the next.
    let kept = dice.between(0, count);
    let next = &frames[kept];
    let cut = if dice.once_in(3) { dice.between(1, next.len() - 1) } else { 0 };
    let texts = kept.saturating_sub(1);
    let most = if kept > 0 && cut >= next.len() - 2 { texts + 1 } else { texts };
    let script = in_pieces(dice, frames[..kept].concat() + &next[..cut]);
    let error = "\n\ndata: {\"error\":{\"message\":\"crashed\"}}\n\n";
    let script = match dice.between(0, 5) {
        0 => return (script.then(Step::Reset), Said { texts, most, is_whole: false, arrives: false }),
        1 => script.hang(),
        2 => script.send(error).end(),
        3 => script.send("\n\ndata: not JSON\n\n").end(),
        4 => script.end(),
        _ => script.close(),
    };
    (script, Said { texts, most, is_whole: false, arrives: true })
}

/// `text`, now and then with pauses, now and then a few bytes at a time.
fn in_pieces(dice: &mut Dice, text: String) -> Script {
    let (longest, pause) = if dice.once_in(8) { (text.len() / 20 + 1, 4) } else { (300, 20) };
    let (mut script, mut rest) = (Script::stream(), text);
    while !rest.is_empty() {
        let behind = rest.split_off(dice.between(1, longest).min(rest.len()));
        script = script.send(std::mem::replace(&mut rest, behind));
        if dice.once_in(4) {
            script = script.wait(dice.between(1, pause) as u64);
        }
    }
    script
}

/// One request; whether it was answered whole. Some leave before that.
async fn visit(proxy: Arc<Proxy>, ledger: Ledger, mut dice: Dice) -> bool {
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
    if streams {
        return is_whole(&reply, &ledger);
    }
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    let name = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(ledger.lock().unwrap()[name].is_whole, "nobody said so: {reply:?}");
    assert_eq!(reply.body, answer(name));
    true
}

/// Whether a stream is whole. Whole or not, it is one answer from its beginning on, all that was said of it, and tells the
/// truth of its end.
fn is_whole(reply: &Reply, ledger: &Ledger) -> bool {
    let texts = texts(reply);
    // With its finish reason a chat is whole, even if its upstream is then silent for too long.
    let is_done = reply.body.ends_with(DONE) || reply.without_keep_alives().ends_with(FINISH);
    let said = texts.first().map_or(NOTHING, |first| {
        let (name, _) = first.split_once(':').unwrap();
        let count = first.rsplit(':').next().unwrap();
        let expected = (0..texts.len()).map(|index| format!("{name}:{index}:{count}"));
        assert!(expected.eq(texts.iter().cloned()), "not one answer from its beginning: {reply:?}");
        ledger.lock().unwrap()[name]
    });
    assert!(texts.len() <= said.most, "more than {said:?}: {reply:?}");
    if is_done {
        assert!(said.is_whole && texts.len() == said.texts, "not all of {said:?}: {reply:?}");
        assert_eq!((reply.body.matches(ROLE).count(), reply.body.matches(FINISH).count()), (1, 1), "{reply:?}");
    } else {
        let error = reply.error_event();
        let lost_patience = error["code"].as_str().is_some_and(|code| code.ends_with("_timeout"));
        let may_lack = !said.arrives || lost_patience || texts.is_empty();
        assert!(may_lack || texts.len() >= said.texts, "less than {said:?}: {reply:?}");
        assert!(!said.is_whole || lost_patience, "an error behind a whole answer: {reply:?}");
    }
    is_done
}

/// The texts of a stream. What of it is no JSON is none of a model's.
fn texts(reply: &Reply) -> Vec<String> {
    let events = reply.body.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
    let texts = events.filter_map(|event: Value| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned()));
    texts.filter(|text| !text.is_empty()).collect()
}
