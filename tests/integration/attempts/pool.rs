//! A kept connection may be closed by its server at the very moment at which it is used again. Nobody need notice.

use super::{NO, always, good, proxy_before};
use crate::support::{Script, Upstream};

/// An answer whose connection may be used again.
fn kept() -> Script {
    Script::answer(&["kept"])
}

#[tokio::test]
async fn a_kept_connection_that_ends_without_a_word_is_replaced_and_does_not_count() {
    for race in [Script::default().close(), Script::default().reset()] {
        let upstream = Upstream::in_turn([kept(), race.clone(), kept()]).await;
        let proxy = proxy_before(&[&upstream], |_| {}).await;
        for stream in [true, true] {
            let reply = proxy.ask(stream).await;
            assert!(reply.body.contains("kept"), "{race:?} became {reply:?}");
            assert_eq!(reply.header("x-sluicegate-attempts"), "", "{race:?}");
        }
        assert_eq!((upstream.request_count(), upstream.accepted_count()), (3, 2), "{race:?}");
    }
}

#[tokio::test]
async fn it_is_replaced_once() {
    let upstream = Upstream::in_turn([kept(), Script::default().close(), Script::default().close()]).await;
    let proxy = proxy_before(&[&upstream], |_| {}).await;
    assert_eq!(proxy.ask(true).await.status, 200);
    assert_eq!((proxy.ask(true).await.status, upstream.request_count()), (502, 3));
}

#[tokio::test]
async fn a_connection_that_has_said_anything_or_took_long_to_end_was_no_race() {
    for end in [Script::raw("HTTP/1.1 2").close(), Script::default().wait(1300).close()] {
        let upstream = Upstream::in_turn([kept(), end.clone()]).await;
        let proxy = proxy_before(&[&upstream], |_| {}).await;
        assert_eq!(proxy.ask(true).await.status, 200);
        assert_eq!((proxy.ask(true).await.status, upstream.request_count()), (502, 2), "{end:?}");
    }
}

#[tokio::test]
async fn a_new_connection_that_ends_is_a_failed_attempt() {
    let (first, second) = (always(Script::default().close()).await, good().await);
    let reply = proxy_before(&[&first, &second], |_| {}).await.ask(true).await;
    assert_eq!((reply.status, first.request_count()), (200, 1));
    let sole = always(Script::json("400 No", NO)).await;
    assert_eq!(proxy_before(&[&sole], |_| {}).await.ask(true).await.status, 400);
}
