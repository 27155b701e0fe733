//! A server that says goodbye, or refuses: what it has not looked at is asked again elsewhere, and nothing twice.

use h2::Reason;

use super::{ask_at_once, assert_whole, proxy_before};
use crate::support::{FrameUpstream, soon, until};

#[tokio::test]
async fn what_comes_behind_a_goodbye_is_asked_over_another_connection_and_what_runs_goes_on() {
    // Even if there may be only one that takes requests.
    for (reason, connections) in [(Reason::NO_ERROR, 32), (Reason::ENHANCE_YOUR_CALM, 1)] {
        let upstream = FrameUpstream::start().await;
        let proxy = proxy_before(&upstream.url(), |limits| limits.http2_connections = connections).await;
        let replies = ask_at_once(&proxy, 10);
        let mut first = upstream.accept().await;
        let mut streams = first.requests(10).await;
        streams.sort_unstable();
        let (seen, unseen) = streams.split_at(6);
        first.begin(seen[0], "before").await;
        first.go_away(seen[5], reason).await;

        let mut second = upstream.accept().await;
        let again = second.requests(unseen.len()).await;
        for stream in again {
            second.answer(stream, "again").await;
        }
        first.finish(seen[0]).await;
        for stream in &seen[1..] {
            first.answer(*stream, "before").await;
        }
        let replies = assert_whole(replies).await;
        let told = |text| replies.iter().filter(|reply| reply.body.matches(text).count() == 1).count();
        assert_eq!((told("before"), told("again")), (6, 4), "none is lost, none is doubled");
        // It has nothing to do here any more.
        first.closed().await;
        // The next request knows.
        let reply = ask_at_once(&proxy, 1);
        let stream = second.request().await;
        second.answer(stream, "later").await;
        assert_whole(reply).await;
    }
}

#[tokio::test]
async fn a_goodbye_in_two_steps_loses_nothing() {
    let upstream = FrameUpstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    let replies = ask_at_once(&proxy, 4);
    let mut first = upstream.accept().await;
    let mut streams = first.requests(4).await;
    streams.sort_unstable();
    // First that there will be an end, then where it was.
    first.go_away((1 << 31) - 1, Reason::NO_ERROR).await;
    first.begin(streams[0], "first").await;
    first.go_away(streams[1], Reason::NO_ERROR).await;
    first.finish(streams[0]).await;
    first.answer(streams[1], "first").await;
    let mut second = upstream.accept().await;
    for stream in second.requests(2).await {
        second.answer(stream, "second").await;
    }
    assert_whole(replies).await;
}

#[tokio::test]
async fn a_connection_that_is_gone_after_its_goodbye_breaks_only_what_it_had_begun() {
    let upstream = FrameUpstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    let replies = ask_at_once(&proxy, 4);
    let mut first = upstream.accept().await;
    let mut streams = first.requests(4).await;
    streams.sort_unstable();
    first.go_away(streams[1], Reason::INTERNAL_ERROR).await;
    drop(first);
    let mut second = upstream.accept().await;
    for stream in second.requests(2).await {
        second.answer(stream, "again").await;
    }
    let mut ends = Vec::new();
    for reply in replies {
        ends.push(soon("a reply", reply).await.unwrap().status);
    }
    ends.sort_unstable();
    // Nobody knows what became of those two, and they are not asked again.
    assert_eq!(ends, [200, 200, 502, 502]);
}

#[tokio::test]
async fn a_refused_stream_is_asked_once_more_over_another_connection() {
    let upstream = FrameUpstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    let reply = ask_at_once(&proxy, 1);
    let mut first = upstream.accept().await;
    let stream = first.request().await;
    first.reset_stream(stream, Reason::REFUSED_STREAM).await;
    let mut second = upstream.accept().await;
    let stream = second.request().await;
    second.answer(stream, "hi").await;
    assert_whole(reply).await;
}

#[tokio::test]
async fn a_stream_that_is_refused_twice_is_given_up_as_one_that_nobody_has_looked_at() {
    let upstream = FrameUpstream::start().await;
    let proxy = proxy_before(&upstream.url(), |limits| limits.http2_connections = 1).await;
    let mut reply = ask_at_once(&proxy, 1);
    let mut only = upstream.accept().await;
    for _ in 0..2 {
        let stream = only.request().await;
        only.reset_stream(stream, Reason::REFUSED_STREAM).await;
    }
    let reply = soon("a reply", reply.pop().unwrap()).await.unwrap();
    assert_eq!((reply.status, &reply.error()["code"]), (502, &"upstream_unreachable".into()));
}

#[tokio::test]
async fn a_stream_that_is_reset_for_any_other_reason_is_not_asked_again() {
    let upstream = FrameUpstream::start().await;
    let proxy = proxy_before(&upstream.url(), |_| {}).await;
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::ENHANCE_YOUR_CALM] {
        let mut reply = ask_at_once(&proxy, 1);
        let mut connection = upstream.accept().await;
        let stream = connection.request().await;
        connection.reset_stream(stream, reason).await;
        let reply = soon("a reply", reply.pop().unwrap()).await.unwrap();
        assert_eq!((reply.status, &reply.error()["code"]), (502, &"upstream_connection_broken".into()), "{reason}");
        drop(connection);
        let port = upstream.address().port();
        until("the connection is closed", || crate::support::sockets::of_port(port).is_empty()).await;
    }
}
