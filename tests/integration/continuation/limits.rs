//! How often an answer changes hands, who is asked, and who is released.

use std::time::Duration;

use super::{SWITCHED, TOKENS, ask, begun, proxy, successor, way};
use crate::support::{Client, KEEP_ALIVE, Script, Tongue, Upstream, request, told};

const CHAT: Tongue = Tongue::Chat;

/// An upstream that goes on with the answer for a few words and fails again.
async fn failing_successor() -> Upstream {
    Upstream::start_with(|received| {
        let beginning = super::beginning(received).unwrap();
        let count = (1..TOKENS.len()).find(|count| TOKENS[..*count].concat().trim_end() == beginning).unwrap();
        begun(CHAT, &TOKENS[count..count + 2]).close()
    })
    .await
}

#[tokio::test]
async fn an_answer_changes_hands_as_often_as_it_may() {
    for (max_switches, asked) in [(0, 0), (1, 1), (2, 2)] {
        let first = Upstream::start(begun(CHAT, &TOKENS[..2]).close()).await;
        let (second, third) = (failing_successor().await, successor(CHAT).await);
        let how = Some(way(CHAT));
        let targets = [(&first, CHAT, None), (&second, CHAT, how), (&third, CHAT, how)];
        let proxy = proxy(&targets, |config| config.stream.max_switches = max_switches).await;
        let reply = ask(&proxy, CHAT).await;
        let told = told::read("openai-chat", reply.body.replace(SWITCHED, "").as_bytes());
        let heard = if asked == 2 { TOKENS.len() } else { 2 + 2 * asked };
        assert_eq!(told.text, TOKENS[..heard].concat(), "{max_switches}: {}", reply.body);
        assert_eq!((told.ended, told.error.is_some()), (asked == 2, asked < 2), "{max_switches}: {}", reply.body);
        assert_eq!(second.request_count() + third.request_count(), asked, "{max_switches}");
        assert_eq!(reply.body.matches(SWITCHED).count(), asked, "{max_switches}: {}", reply.body);
        assert_eq!(reply.body.matches("\"role\"").count(), 1, "{max_switches}: {}", reply.body);
        let line = proxy.log_line(reply.request_id()).await;
        let switches = line.get("switches").map_or(0, |switches| switches.parse().unwrap());
        assert_eq!(switches, asked, "{line:?}");
        if asked == 2 {
            assert_eq!(line["switched_from"], "first/of-first,second/of-second");
        }
    }
}

#[tokio::test]
async fn who_does_not_go_on_is_followed_by_the_next() {
    for fails in [
        Script::json("503 Unavailable", r#"{"error":{"message":"no"}}"#),
        Script::default().close(),
        Script::response("200 OK", "content-type: text/html\r\n", "<html>"),
        CHAT.head().send(CHAT.error_event("no")).end(),
    ] {
        let about = format!("{fails:?}");
        let first = Upstream::start(begun(CHAT, &TOKENS[..2]).close()).await;
        let (second, third) = (Upstream::start(fails).await, successor(CHAT).await);
        let how = Some(way(CHAT));
        let targets = [(&first, CHAT, None), (&second, CHAT, how), (&third, CHAT, how)];
        let proxy = proxy(&targets, |_| {}).await;
        let reply = ask(&proxy, CHAT).await;
        let told = told::read("openai-chat", reply.body.replace(SWITCHED, "").as_bytes());
        assert_eq!((told.text, told.ended), (TOKENS.concat(), true), "{about}: {}", reply.body);
        assert_eq!((second.request_count(), third.request_count()), (1, 1), "{about}");
    }
}

#[tokio::test]
async fn when_nobody_goes_on_the_client_is_told_what_its_stream_ended_in() {
    let first = Upstream::start(begun(CHAT, &TOKENS[..2]).end()).await;
    let second = Upstream::start(Script::json("400 Bad Request", r#"{"error":{"message":"no prefill"}}"#)).await;
    let proxy = proxy(&[(&first, CHAT, None), (&second, CHAT, Some(way(CHAT)))], |_| {}).await;
    let reply = ask(&proxy, CHAT).await;
    assert_eq!(reply.error_event()["code"], "upstream_truncated");
    let line = proxy.log_line(reply.request_id()).await;
    assert_eq!((&*line["provider"], &*line["error"]), ("first", "upstream_truncated"), "{line:?}");
    assert!(line["attempts"].starts_with("second/of-second;400;"), "{line:?}");
    assert!(!line.contains_key("switches"), "{line:?}");
}

#[tokio::test]
async fn a_text_longer_than_may_be_kept_ends_in_its_error() {
    for speaks in [CHAT, Tongue::Anthropic] {
        let first = Upstream::start(begun(speaks, &TOKENS).close()).await;
        let second = successor(CHAT).await;
        let proxy = proxy(&[(&first, speaks, None), (&second, CHAT, Some(way(CHAT)))], |config| {
            config.stream.max_continued_bytes = 20;
        })
        .await;
        ask(&proxy, CHAT).await.error_event();
        assert_eq!(second.request_count(), 0, "{speaks:?}");
    }
}

#[tokio::test]
async fn a_client_is_kept_alive_while_another_is_asked_and_releases_it_when_it_leaves() {
    let first = Upstream::start(begun(CHAT, &TOKENS[..2]).close()).await;
    for script in [Script::silence(), begun(CHAT, &[]).hang(), begun(CHAT, &TOKENS[2..4]).hang()] {
        let mut second = Upstream::start(script).await;
        let proxy = proxy(&[(&first, CHAT, None), (&second, CHAT, Some(way(CHAT)))], |config| {
            config.stream.keep_alive = Some(Duration::from_millis(50));
        })
        .await;
        let mut client = Client::connect(proxy.address).await;
        let body = CHAT.request(true).to_string();
        client.send(&request("/v1/chat/completions", &body)).await;
        client.read_until(TOKENS[1]).await;
        second.request().await;
        client.forget();
        client.read_until(KEEP_ALIVE).await;
        drop(client);
        second.abandoned().await;
        proxy.has_no_connection().await;
    }
}

#[tokio::test]
async fn the_time_for_a_whole_stream_includes_what_another_needs() {
    let first = Upstream::start(begun(CHAT, &TOKENS[..2]).close()).await;
    let mut second = Upstream::start(Script::silence()).await;
    let proxy = proxy(&[(&first, CHAT, None), (&second, CHAT, Some(way(CHAT)))], |config| {
        config.stream.total_timeout = Some(Duration::from_millis(500));
    })
    .await;
    let reply = ask(&proxy, CHAT).await;
    assert!(reply.error_event()["message"].is_string());
    second.abandoned().await;
}

#[tokio::test]
async fn whoever_is_left_has_room_for_others_at_once() {
    let first = Upstream::in_turn([begun(CHAT, &TOKENS[..2]).close(), CHAT.stream(&TOKENS)]).await;
    let second = Upstream::start(begun(CHAT, &TOKENS[2..4]).hang()).await;
    let targets = [(&first, CHAT, None), (&second, CHAT, Some(way(CHAT)))];
    let proxy = proxy(&targets, |config| {
        let model = r#"name = "m"
            targets = [{ target = "first/of-first", max_in_flight = 1, max_queue = 0 }, "second/of-second"]"#;
        config.models = vec![toml::from_str(model).unwrap()];
    })
    .await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&request("/v1/chat/completions", &CHAT.request(true).to_string())).await;
    client.read_until(TOKENS[3]).await;
    let other = ask(&proxy, CHAT).await;
    assert!(CHAT.is_whole(&other.body), "{}", other.body);
    assert_eq!((first.request_count(), second.request_count()), (2, 1));
}
