//! A stream is handed over with its first content. Until then another target may still be asked, and nothing has left.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{always, good, good_text, outcomes, proxy_at, proxy_before};
use crate::support::anthropic::{OVERLOADED, PING, START, STOP, answer, ask, speaker};
use crate::support::{Client, DONE, FINISH, KEEP_ALIVE, ROLE, Reply, Script, nowhere, token};

const THINKING: &str = ": still thinking\n\n";

#[tokio::test]
async fn whatever_fails_before_its_first_content_is_followed_by_the_next_and_nothing_of_it_is_seen() {
    let error = "data: {\"error\":{\"message\":\"crashed\"}}\n\n";
    for script in [
        Script::default().close(),
        Script::default().reset(),
        Script::silence(),
        Script::raw("SSH-2.0-OpenSSH_9.6\r\n").hang(),
        Script::response("200 OK", "content-type: text/html\r\n", "<html>"),
        Script::json("200 OK", r#"{"error":"loading"}"#),
        Script::stream().end(),
        Script::stream().hang(),
        Script::stream().reset(),
        Script::stream().send(THINKING).end(),
        Script::stream().send("data: not JSON\n\n").hang(),
        Script::stream().send(error).end(),
        Script::stream().send(ROLE).end(),
        Script::stream().send(ROLE).close(),
        Script::stream().send(ROLE).reset(),
        Script::stream().send(ROLE).hang(),
        Script::stream().send(ROLE).send(THINKING).send(error).end(),
        Script::stream().send(ROLE).send("data: {\"choices\":[{").close(),
        Script::stream().send([ROLE, &token("one"), error].concat()).end(),
    ] {
        let (first, second) = (always(script.clone()).await, good().await);
        let proxy = proxy_before(&[&first, &second], |config| {
            config.stream.first_token_timeout = Duration::from_millis(300);
        })
        .await;
        let reply = proxy.ask(true).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, good_text().as_str()), "{script:?}");
        assert_eq!([first.request_count(), second.request_count()], [1, 1], "{script:?}");
        let attempts = outcomes(reply.header("x-sluicegate-attempts"));
        assert_eq!((attempts.len(), attempts[1].as_str()), (2, "b/m;ok"), "{script:?}");
    }
}

#[tokio::test]
async fn a_target_where_nobody_listens_is_followed_by_the_next() {
    let second = good().await;
    let reply = proxy_at(&[nowhere(), second.url()], |_| {}).await.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;upstream_unreachable", "b/m;ok"]);
}

#[tokio::test]
async fn what_comes_before_the_first_content_is_held_back_and_comes_with_it_byte_for_byte() {
    let cue = Arc::new(Notify::new());
    let early = [THINKING, ROLE, THINKING, "event: x\r\ndata: {\"choices\":[]}\r\n\r\n"];
    let script = early.iter().fold(Script::stream(), |script, piece| script.send(*piece));
    let rest = [&token("one"), FINISH, DONE].concat();
    let first = always(script.cue(&cue).send(rest.clone()).end()).await;
    let proxy = proxy_before(&[&first], |_| {}).await;
    let mut client = Client::chat(proxy.address, true).await;
    let head = tokio::time::timeout(Duration::from_millis(300), client.read(1)).await;
    assert!(head.is_err(), "{:?}", client.text());
    cue.notify_one();
    client.read_until("[DONE]").await;
    assert_eq!(client.body(), [early.concat(), rest].concat().into_bytes());
}

#[tokio::test]
async fn when_the_head_went_out_keep_alives_flow_and_another_target_may_still_be_asked() {
    let cue = Arc::new(Notify::new());
    let first = always(Script::stream().send(ROLE).send(THINKING).cue(&cue).reset()).await;
    let second = good().await;
    let proxy = proxy_before(&[&first, &second], |config| {
        config.stream.commit_after = Duration::from_millis(50);
        config.stream.keep_alive = Some(Duration::from_millis(50));
    })
    .await;
    let head = proxy.chat(true).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    cue.notify_one();
    let reply = Reply::of(head).await;
    assert!(reply.body.matches(KEEP_ALIVE).count() >= 2, "{reply:?}");
    assert_eq!(reply.without_keep_alives(), good_text());
    let line = proxy.log_line(reply.request_id()).await;
    assert_eq!(outcomes(&line["attempts"]), ["a/m;upstream_connection_broken", "b/m;ok"]);
}

#[tokio::test]
async fn an_orderly_end_without_content_is_an_answer() {
    for text in [[ROLE, FINISH, DONE].concat(), DONE.to_owned(), [ROLE, FINISH].concat()] {
        let (first, second) = (always(Script::stream().send(text.clone()).end()).await, good().await);
        let reply = proxy_before(&[&first, &second], |_| {}).await.ask(true).await;
        assert_eq!((reply.body, second.request_count()), (text, 0));
    }
}

#[tokio::test]
async fn a_message_that_has_begun_empty_may_begin_anew_elsewhere() {
    for script in [
        Script::stream().send([START, PING, OVERLOADED].concat()).end(),
        Script::stream().send(START).send(PING).close(),
    ] {
        let (first, second) = (always(script.clone()).await, always(answer(&["rescued"])).await);
        let proxy = proxy_before(&[&first, &second], |config| {
            config.providers = vec![speaker("a", &first.url()), speaker("b", &second.url())];
        })
        .await;
        let reply = ask(&proxy, true).await;
        assert_eq!(reply.body.matches("message_start").count(), START.matches("message_start").count(), "{script:?}");
        assert!(reply.body.contains("rescued") && reply.body.ends_with(STOP), "{reply:?}");
    }
}

#[tokio::test]
async fn what_is_held_back_has_a_limit() {
    let first = always(Script::stream().repeat(THINKING, 10_000).hang()).await;
    let proxy = proxy_before(&[&first], |config| config.stream.max_frame_bytes = 16 * 1024).await;
    let reply = proxy.ask(true).await;
    assert_eq!((reply.status, reply.header("x-sluicegate-error")), (502, "upstream_too_large"));
}
