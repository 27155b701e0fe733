//! A target that has no other beside it is asked again, if it surely did nothing of what it was asked.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{ANSWER, NO, always, outcomes, proxy_at, proxy_before};
use crate::support::{ROLE, Script, Upstream, nowhere};

#[tokio::test]
async fn an_upstream_that_says_that_it_did_nothing_is_asked_again() {
    for status in [408, 409, 425, 429, 500, 502, 503, 504, 529] {
        for stream in [true, false] {
            let good = if stream { Script::answer(&["rescued"]) } else { Script::json("200 OK", ANSWER) };
            let upstream = Upstream::in_turn([Script::json(&format!("{status} No"), NO), good]).await;
            let reply = proxy_before(&[&upstream], |_| {}).await.ask(stream).await;
            assert_eq!((reply.status, reply.body.contains("rescued")), (200, true), "{status}");
            let expected = [format!("a/m;{status}"), "a/m;ok".to_owned()];
            assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), expected);
        }
    }
    let error = Script::stream().send("data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n").end();
    let upstream = Upstream::in_turn([error, Script::answer(&["rescued"])]).await;
    assert!(proxy_before(&[&upstream], |_| {}).await.ask(true).await.body.contains("rescued"));
}

#[tokio::test]
async fn a_request_that_is_wrong_is_asked_once() {
    for status in [400, 401, 403, 404, 413, 422] {
        let upstream = always(Script::json(&format!("{status} No"), NO)).await;
        let proxy = proxy_before(&[&upstream], |_| {}).await;
        for stream in [true, false] {
            assert_eq!(proxy.ask(stream).await.status, status);
        }
        assert_eq!(upstream.request_count(), 2, "{status}");
    }
}

#[tokio::test]
async fn attempts_are_so_many_and_not_one_more() {
    for (most, expected) in [(1, 1), (2, 2), (3, 3)] {
        let upstream = always(Script::json("500 Oops", NO)).await;
        let proxy = proxy_before(&[&upstream], |config| {
            config.retry.max_attempts = NonZeroU32::new(most).unwrap();
        })
        .await;
        let reply = proxy.ask(true).await;
        assert_eq!((reply.status, upstream.request_count()), (500, expected));
    }
    let reply = proxy_at(&[nowhere()], |_| {}).await.ask(true).await;
    assert_eq!(outcomes(reply.header("x-sluicegate-attempts")), ["a/m;upstream_unreachable"; 3]);
}

#[tokio::test]
async fn no_attempt_begins_behind_the_deadline() {
    let upstream = always(Script::default().wait(100).append(Script::json("500 Oops", NO))).await;
    let proxy = proxy_before(&[&upstream], |config| config.retry.deadline = Some(Duration::from_millis(50))).await;
    assert_eq!((proxy.ask(true).await.status, upstream.request_count()), (500, 1));
}

/// It may have cost something.
#[tokio::test]
async fn what_may_have_been_done_is_not_asked_for_again_unless_the_configuration_says_so() {
    for (script, status) in [
        (Script::default().close(), 502),
        (Script::default().reset(), 502),
        (Script::silence(), 504),
        (Script::stream().send(ROLE).close(), 502),
        (Script::stream().end(), 502),
        (Script::response("200 OK", "content-type: text/html\r\n", "<html>"), 502),
    ] {
        for after_sent in [false, true] {
            let upstream = Upstream::in_turn([script.clone(), Script::answer(&["rescued"])]).await;
            let proxy = proxy_before(&[&upstream], |config| {
                config.retry.after_sent = after_sent;
                config.stream.headers_timeout = Duration::from_millis(200);
            })
            .await;
            let reply = proxy.ask(true).await;
            let expected = if after_sent { (200, 2) } else { (status, 1) };
            assert_eq!((reply.status, upstream.request_count()), expected, "{script:?}");
        }
    }
}
