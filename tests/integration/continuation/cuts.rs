//! Wherever an upstream fails, and however: every word once, and one of everything that a stream has one of.

use std::time::Duration;

use super::{SWITCHED, TOKENS, ask, begun, proxy, successor, way};
use crate::support::{Reply, Script, TONGUES, Tongue, Upstream, grammar, told};

/// What a client that speaks `client` is told, but for where the stream changes hands.
fn read(client: Tongue, reply: &Reply) -> told::Told {
    told::read(client.name(), reply.body.replace(SWITCHED, "").as_bytes())
}

fn assert_whole(client: Tongue, reply: &Reply, about: &str) {
    let told = read(client, reply);
    assert_eq!(told.text, TOKENS.concat(), "{about}: {}", reply.body);
    assert!(told.ended && told.error.is_none() && client.is_whole(&reply.body), "{about}: {}", reply.body);
    assert!(!reply.body.contains("other\""), "{about}: {}", reply.body);
}

#[tokio::test]
async fn an_answer_is_whole_wherever_its_upstream_was_cut() {
    for tongue in [Tongue::Chat, Tongue::Anthropic, Tongue::Ollama] {
        for count in 1..=TOKENS.len() {
            let about = format!("{tongue:?} cut behind {count}");
            let first = Upstream::start(begun(tongue, &TOKENS[..count]).close()).await;
            let second = successor(tongue).await;
            let proxy = proxy(&[(&first, tongue, None), (&second, tongue, Some(way(tongue)))], |_| {}).await;
            let reply = ask(&proxy, tongue).await;
            assert_whole(tongue, &reply, &about);
            let beginning = TOKENS[..count].iter().fold(tongue.begin(), |text, token| text + &tongue.text(token));
            assert!(reply.body.starts_with(&beginning), "what the first said passes as it is: {about}: {}", reply.body);
            assert_eq!((first.request_count(), second.request_count()), (1, 1), "{about}");
            let blocks = reply.body.matches("event: content_block_start\n").count();
            assert_eq!(blocks, usize::from(tongue == Tongue::Anthropic), "{about}: {}", reply.body);
        }
    }
}

#[tokio::test]
async fn an_answer_is_whole_however_its_upstream_failed() {
    for tongue in [Tongue::Chat, Tongue::Anthropic, Tongue::Ollama] {
        let next = tongue.text(TOKENS[5]);
        // In the middle of a character.
        let half = next.as_bytes()[..next.find('ü').unwrap() + 1].to_vec();
        let error = tongue.error_event("out of memory");
        let begun = || begun(tongue, &TOKENS[..5]).wait(100);
        for script in [
            begun().end(),
            begun().close(),
            begun().reset(),
            begun().hang(),
            begun().send(next.trim_end().to_owned()).end(),
            begun().send(half.clone()).end(),
            begun().send(half.clone()).reset(),
            begun().then_raw("no length\r\n").hang(),
            begun().send(error.clone()).end(),
            begun().send(error).hang(),
        ] {
            let about = format!("{tongue:?}, {:?}", script.0.split_last());
            let (first, second) = (Upstream::start(script).await, successor(tongue).await);
            let targets = [(&first, tongue, None), (&second, tongue, Some(way(tongue)))];
            let proxy = proxy(&targets, |config| config.stream.idle_timeout = Duration::from_millis(200)).await;
            let reply = ask(&proxy, tongue).await;
            assert_whole(tongue, &reply, &about);
        }
    }
}

#[tokio::test]
async fn an_upstream_that_trickles_is_followed_by_one_that_is_judged_by_itself() {
    let tongue = Tongue::Chat;
    let trickle = begun(tongue, &TOKENS[..2]).repeat_every(": .\n", 40, 200);
    let first = Upstream::start(trickle).await;
    // Slow, but not slower than it may be.
    let rest = [tongue.text(&TOKENS[4..].concat()), tongue.end("")].concat();
    let second = Upstream::start(begun(tongue, &TOKENS[2..4]).wait(150).send(rest).end()).await;
    let targets = [(&first, tongue, None), (&second, tongue, Some(way(tongue)))];
    let proxy = proxy(&targets, |config| {
        config.stream.min_rate = Some(1000);
        config.stream.min_rate_window = Duration::from_millis(400);
    })
    .await;
    let reply = ask(&proxy, tongue).await;
    assert_whole(tongue, &Reply { body: reply.body.replace(": .\n", ""), ..reply }, "a trickle");
}

#[tokio::test]
async fn an_error_that_comes_with_the_last_words_hides_none_of_them() {
    let tongue = Tongue::Chat;
    let last = [tongue.text(TOKENS[1]), tongue.text(TOKENS[2]), tongue.error_event("out of memory")].concat();
    let (first, second) =
        (Upstream::start(begun(tongue, &TOKENS[..1]).wait(100).send(last).end()).await, successor(tongue).await);
    let proxy = proxy(&[(&first, tongue, None), (&second, tongue, Some(way(tongue)))], |_| {}).await;
    assert_whole(tongue, &ask(&proxy, tongue).await, "an error in the same read");
}

#[tokio::test]
async fn a_stream_that_changes_hands_is_one_that_its_dialect_allows() {
    for client in TONGUES {
        for (first_speaks, second_speaks) in [
            (Tongue::Chat, Tongue::Chat),
            (Tongue::Chat, Tongue::Anthropic),
            (Tongue::Anthropic, Tongue::Anthropic),
            (Tongue::Anthropic, Tongue::Chat),
            (Tongue::Gemini, Tongue::Ollama),
            (Tongue::Ollama, Tongue::Chat),
            (Tongue::Responses, Tongue::Anthropic),
        ] {
            let about = format!("{client:?} at {first_speaks:?} and {second_speaks:?}");
            let first = Upstream::start(begun(first_speaks, &TOKENS[..3]).close()).await;
            let second = successor(second_speaks).await;
            let targets = [(&first, first_speaks, None), (&second, second_speaks, Some(way(second_speaks)))];
            let proxy = proxy(&targets, |_| {}).await;
            let reply = ask(&proxy, client).await;
            if client == Tongue::Responses && first_speaks == client {
                // Nobody can go on with the numbers and items of another.
                assert!(read(client, &reply).error.is_some(), "{about}: {}", reply.body);
                assert_eq!(second.request_count(), 0, "{about}");
                continue;
            }
            assert_whole(client, &reply, &about);
            let is_told = !matches!(client, Tongue::Gemini | Tongue::Ollama);
            assert_eq!(reply.body.matches(SWITCHED).count(), usize::from(is_told), "{about}: {}", reply.body);
            // A short stream that is told by hand is not all that a grammar demands.
            if client != first_speaks || client == Tongue::Chat {
                let checked = grammar::check(client.name(), &reply.body.replace(SWITCHED, ""));
                checked.unwrap_or_else(|why| panic!("{about}: {why}: {}", reply.body));
            }
        }
    }
}

#[tokio::test]
async fn behind_a_block_that_is_finished_the_rest_is_another() {
    let tongue = Tongue::Anthropic;
    let stop = tongue.end("").split_inclusive("\n\n").next().unwrap().to_owned();
    let first = Upstream::start(begun(tongue, &TOKENS[..3]).send(stop).close()).await;
    let second = successor(tongue).await;
    let proxy = proxy(&[(&first, tongue, None), (&second, tongue, Some(way(tongue)))], |_| {}).await;
    let reply = ask(&proxy, tongue).await;
    assert_whole(tongue, &reply, "a finished block");
    for (event, index) in [("start", 0), ("stop", 0), ("start", 1), ("stop", 1)] {
        let of_block = |line: &&str| {
            let data =
                line.strip_prefix("data: ").and_then(|data| serde_json::from_str::<serde_json::Value>(data).ok());
            data.is_some_and(|data| data["type"] == format!("content_block_{event}") && data["index"] == index)
        };
        assert_eq!(reply.body.lines().filter(of_block).count(), 1, "{event} {index}: {}", reply.body);
    }
}

#[tokio::test]
async fn the_log_tells_who_began_and_who_went_on() {
    let tongue = Tongue::Chat;
    let first = Upstream::start(begun(tongue, &TOKENS[..2]).close()).await;
    let second = successor(tongue).await;
    let proxy = proxy(&[(&first, tongue, None), (&second, tongue, Some(way(tongue)))], |_| {}).await;
    let reply = ask(&proxy, tongue).await;
    let line = proxy.log_line(reply.request_id()).await;
    for (field, value) in
        [("outcome", "completed"), ("provider", "second"), ("switches", "1"), ("switched_from", "first/of-first")]
    {
        assert_eq!(line.get(field).map(String::as_str), Some(value), "{line:?}");
    }
    // The role, six tokens, the finish, the usage and the end: two of the first, and a role of each.
    assert_eq!(line["frames"], (2 + TOKENS.len() + 3).to_string(), "{line:?}");
}

#[tokio::test]
async fn a_stream_that_never_changes_hands_passes_as_it_is() {
    let tongue = Tongue::Chat;
    let (first, second) = (Upstream::start(tongue.stream(&TOKENS)).await, Upstream::start(Script::silence()).await);
    let proxy = proxy(&[(&first, tongue, None), (&second, tongue, Some(way(tongue)))], |_| {}).await;
    let reply = ask(&proxy, tongue).await;
    let said = TOKENS.iter().fold(tongue.begin(), |text, token| text + &tongue.text(token));
    assert_eq!(reply.body, said + &tongue.end(&TOKENS.concat()));
    assert!(!proxy.log_line(reply.request_id()).await.contains_key("switches"));
}
