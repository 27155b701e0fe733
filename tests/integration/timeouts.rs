//! Every phase has its own time and its own name when the time is up: 504 while there is a status to tell it with, an error
//! event after.

use std::sync::Arc;
use std::time::Duration;

use sluicegate::config::Config;
use sluicegate::config::stream::Stream;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{
    Client, DONE, FINISH, KEEP_ALIVE, Proxy, ROLE, Reply, Script, Upstream, chat, logs, provider, request, soon, token,
    with_header,
};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What a client gets, streaming or not, of an upstream that follows `script`, when the times are those of `change`.
async fn reply_to(script: Script, stream: bool, change: impl FnOnce(&mut Stream)) -> Reply {
    let mut upstream = Upstream::start(script).await;
    let proxy = Proxy::configured(&upstream, |config| change(&mut config.stream)).await;
    let reply = proxy.ask(stream).await;
    if !reply.body.contains("[DONE]") {
        upstream.abandoned().await;
    }
    reply
}

/// Holds that `reply` is a 504 for the phase of this key, and the log too calls it that.
async fn assert_504(reply: &Reply, key: &str) {
    assert_eq!(reply.status, 504, "{reply:?}");
    assert_eq!(reply.header("x-sluicegate-error"), key);
    assert_told(reply, &reply.error(), key).await;
}

/// The same inside a stream.
async fn assert_event(reply: &Reply, key: &str) {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_told(reply, &reply.error_event(), key).await;
}

async fn assert_told(reply: &Reply, error: &serde_json::Value, key: &str) {
    assert_eq!(error["code"], key, "{reply:?}");
    assert!(error["message"].as_str().unwrap().contains(&format!("stream.{key}")), "names the key: {error}");
    let line = soon("a log line", logs::line_of(reply.request_id())).await;
    assert_eq!((line["outcome"].as_str(), line["error"].as_str()), (key, key));
}

/// A listener whose queue is full: further connections wait, as they would for a host that drops their packets.
async fn listener_that_accepts_nothing() -> (Socket, Vec<TcpStream>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut queue = Vec::new();
    while let Ok(connected) = tokio::time::timeout(ms(200), TcpStream::connect(address)).await {
        queue.push(connected.unwrap());
        assert!(queue.len() < 100, "the queue has no end");
    }
    (listener, queue)
}

#[tokio::test]
async fn a_connection_that_takes_too_long_is_a_connect_timeout() {
    let (listener, _queue) = listener_that_accepts_nothing().await;
    let mut config = Config::for_testing();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    config.providers.push(provider("far", &format!("http://{address}/v1")));
    config.stream.connect_timeout = ms(150);
    let proxy = Proxy::start(config).await;
    for stream in [true, false] {
        assert_504(&proxy.ask(stream).await, "connect_timeout").await;
    }
}

#[tokio::test]
async fn response_headers_that_take_too_long_are_a_headers_timeout() {
    let reply = reply_to(Script::silence(), true, |stream| stream.headers_timeout = ms(150)).await;
    assert_504(&reply, "headers_timeout").await;
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_a_response_timeout() {
    let slow = |stream: &mut Stream| {
        stream.headers_timeout = ms(1);
        stream.response_timeout = ms(150);
    };
    let reply = reply_to(Script::silence(), false, slow).await;
    assert_504(&reply, "response_timeout").await;
}

#[tokio::test]
async fn an_answer_that_stops_in_its_middle_is_an_idle_timeout() {
    let half = Script::head("200 OK", "content-type: application/json\r\n").send("{\"choices\":[").hang();
    let reply = reply_to(half, false, |stream| stream.idle_timeout = ms(150)).await;
    assert_504(&reply, "idle_timeout").await;
}

#[tokio::test]
async fn response_headers_are_no_first_token() {
    let reply = reply_to(Script::stream().hang(), true, |stream| stream.first_token_timeout = ms(150)).await;
    assert_504(&reply, "first_token_timeout").await;
}

#[tokio::test]
async fn comments_are_no_first_token() {
    let script = Script::stream().repeat_every(": still thinking\n\n", 50, 20).hang();
    let reply = reply_to(script, true, |stream| stream.first_token_timeout = ms(300)).await;
    assert_504(&reply, "first_token_timeout").await;
}

#[tokio::test]
async fn a_role_is_no_first_token() {
    let script = Script::stream().send(ROLE).repeat_every(": still thinking\n\n", 50, 20).hang();
    let reply = reply_to(script, true, |stream| stream.first_token_timeout = ms(300)).await;
    assert_504(&reply, "first_token_timeout").await;
}

#[tokio::test]
async fn headers_that_are_held_back_until_the_first_token_are_given_the_time_of_a_first_token() {
    let reply = reply_to(Script::silence(), true, |stream| stream.first_token_timeout = ms(150)).await;
    assert_504(&reply, "first_token_timeout").await;
}

/// Behind its response headers, and behind an announced role.
#[tokio::test]
async fn a_model_may_think_longer_than_it_may_pause() {
    let script = Script::stream().wait(300).send(ROLE).wait(300).send([&token("at last"), FINISH, DONE].concat()).end();
    let reply = reply_to(script, true, |stream| stream.idle_timeout = ms(100)).await;
    assert!(reply.body.ends_with(DONE), "{reply:?}");
}

#[tokio::test]
async fn a_stream_that_goes_silent_is_an_idle_timeout() {
    let begun = || Script::stream().send([ROLE, &token("one")].concat());
    for script in [begun().hang(), begun().send("data: {\"choi").hang()] {
        let reply = reply_to(script, true, |stream| stream.idle_timeout = ms(150)).await;
        assert!(reply.body.starts_with(&[ROLE, &token("one")].concat()));
        assert_event(&reply, "idle_timeout").await;
    }
}

#[tokio::test]
async fn our_own_keep_alives_are_no_life_of_the_upstream() {
    let short = |stream: &mut Stream| {
        stream.keep_alive = Some(ms(50));
        stream.idle_timeout = ms(300);
    };
    let reply = reply_to(Script::stream().send([ROLE, &token("one")].concat()).hang(), true, short).await;
    assert!(reply.body.matches(KEEP_ALIVE).count() > 1, "{reply:?}");
    assert_event(&reply, "idle_timeout").await;
}

#[tokio::test]
async fn any_byte_of_the_upstream_is_life() {
    let whole = [&token("two"), FINISH, DONE].concat();
    // Comments between the tokens, and then a frame in ten pieces.
    let comments = Script::stream().send([ROLE, &token("one")].concat()).repeat_every(": busy\n\n", 100, 6);
    let script = whole
        .as_bytes()
        .chunks(whole.len().div_ceil(6))
        .fold(comments, |script, piece| script.send(piece.to_vec()).wait(100));
    let reply = reply_to(script.end(), true, |stream| stream.idle_timeout = ms(400)).await;
    assert!(reply.body.ends_with(&whole), "{reply:?}");
}

#[tokio::test]
async fn a_finished_answer_is_none_the_worse_for_silence() {
    let text = [ROLE, &token("one"), FINISH].concat();
    let reply =
        reply_to(Script::stream().send(text.clone()).hang(), true, |stream| stream.idle_timeout = ms(150)).await;
    assert_eq!(reply.body, text);
    let line = soon("a log line", logs::line_of(reply.request_id())).await;
    assert_eq!(line["outcome"], "completed");
}

#[tokio::test]
async fn a_stream_that_takes_too_long_altogether_is_a_total_timeout() {
    let script = Script::stream().send(ROLE).repeat_every(token("more"), 20, 1000).hang();
    let reply = reply_to(script, true, |stream| stream.total_timeout = Some(ms(300))).await;
    assert!(reply.body.contains("more"));
    assert_event(&reply, "total_timeout").await;

    let reply = reply_to(Script::silence(), true, |stream| stream.total_timeout = Some(ms(150))).await;
    assert_504(&reply, "total_timeout").await;
}

#[tokio::test]
async fn a_healthy_stream_may_take_longer_than_all_its_phases_together() {
    let script = Script::default().wait(100).append(Script::stream()).wait(100).send(ROLE).wait(100);
    let script = script.repeat_every(token("more"), 60, 12).send(FINISH).send(DONE);
    let reply = reply_to(script.end(), true, |stream| {
        stream.connect_timeout = ms(300);
        stream.headers_timeout = ms(300);
        stream.first_token_timeout = ms(600);
        stream.idle_timeout = ms(300);
    });
    let reply = reply.await;
    assert_eq!(reply.body.matches("more").count(), 12, "{reply:?}");
    assert!(reply.body.ends_with(DONE), "{reply:?}");
}

#[tokio::test]
async fn once_committed_early_every_timeout_is_told_inside_the_stream() {
    let early = |stream: &mut Stream| stream.commit_after = ms(50);
    let reply = reply_to(Script::silence(), true, |stream| {
        early(stream);
        stream.headers_timeout = ms(200);
    });
    assert_event(&reply.await, "headers_timeout").await;
    let reply = reply_to(Script::stream().hang(), true, |stream| {
        early(stream);
        stream.first_token_timeout = ms(200);
    });
    assert_event(&reply.await, "first_token_timeout").await;
    let reply = reply_to(Script::silence(), true, |stream| {
        early(stream);
        stream.total_timeout = Some(ms(200));
    });
    assert_event(&reply.await, "total_timeout").await;
}

/// The one timer of a stream must be set anew when the stream opens: while it opened, nothing was due.
#[tokio::test]
async fn a_stream_that_was_committed_early_has_its_timeouts_although_keep_alives_are_off() {
    let cue = Arc::new(Notify::new());
    let script = Script::default().cue(&cue).append(Script::stream().send([ROLE, &token("one")].concat()).hang());
    let upstream = Upstream::start(script).await;
    let proxy = Proxy::configured(&upstream, |config| {
        config.stream.commit_after = ms(50);
        config.stream.keep_alive = None;
        config.stream.idle_timeout = ms(150);
    })
    .await;
    let head = proxy.chat(true).await;
    tokio::time::sleep(ms(200)).await;
    cue.notify_one();
    assert_event(&Reply::of(head).await, "idle_timeout").await;
}

// === A stream that trickles ===

/// Half a second without enough is too long.
fn at_least(rate: u32) -> impl FnOnce(&mut Stream) {
    move |stream| {
        stream.min_rate = Some(rate);
        stream.min_rate_window = ms(500);
    }
}

#[tokio::test]
async fn an_upstream_that_trickles_on_is_ended() {
    let begun = || Script::stream().send([ROLE, &token("one")].concat());
    for script in [
        begun().repeat_every(": still here\n\n", 50, 1000),
        begun().repeat_every(token("."), 200, 1000),
        begun().append((0..1000).fold(Script::default(), |script, _| script.send("d").wait(50))),
    ] {
        let reply = reply_to(script.hang(), true, at_least(1000)).await;
        assert!(reply.body.contains("one"));
        assert_event(&reply, "min_rate").await;
    }
}

#[tokio::test]
async fn nothing_is_too_slow_by_default() {
    let script = Script::stream().send([ROLE, &token("one")].concat()).repeat_every(": still here\n\n", 200, 6);
    let reply =
        reply_to(script.send([FINISH, DONE].concat()).end(), true, |stream| stream.min_rate_window = ms(100)).await;
    assert!(reply.body.ends_with(DONE), "{reply:?}");
}

#[tokio::test]
async fn a_model_that_has_not_begun_to_speak_is_not_slow() {
    let script = Script::stream().repeat_every(": busy\n\n", 100, 5).send(ROLE).repeat_every(": busy\n\n", 100, 8);
    let reply = reply_to(script.send([&token("at last"), FINISH, DONE].concat()).end(), true, at_least(1000)).await;
    assert!(reply.body.ends_with(DONE), "{reply:?}");
}

#[tokio::test]
async fn a_model_that_speaks_slowly_or_pauses_to_think_is_not_too_slow() {
    let slowly = Script::stream().send(ROLE).repeat_every(token("word"), 50, 30);
    let words = token("word").repeat(20);
    let with_pauses = Script::stream().send(ROLE).repeat_every(words, 300, 5);
    for script in [slowly, with_pauses] {
        let reply = reply_to(script.send([FINISH, DONE].concat()).end(), true, at_least(100)).await;
        assert!(reply.body.ends_with(DONE), "{reply:?}");
    }
}

/// What comes in many pieces is counted before it is whole.
#[tokio::test]
async fn an_event_that_is_long_in_coming_is_not_slow() {
    let event = token(&"x".repeat(100_000));
    let script =
        event.as_bytes().chunks(2000).fold(Script::stream().send([ROLE, &token("one")].concat()), |script, piece| {
            script.send(piece.to_vec()).wait(30)
        });
    let reply = reply_to(script.send([FINISH, DONE].concat()).end(), true, at_least(4000)).await;
    assert!(reply.body.ends_with(DONE), "{reply:?}");
}

#[tokio::test]
async fn a_client_that_reads_slowly_makes_no_upstream_slow() {
    let events = token(&"x".repeat(1000)).repeat(8000);
    let pieces = events.as_bytes().chunks(16 * 1024).map(<[u8]>::to_vec);
    let script = pieces.fold(Script::stream(), Script::send).send(FINISH).send(DONE).end();
    let upstream = Upstream::start(script).await;
    let proxy = Proxy::configured(&upstream, |config| at_least(1 << 20)(&mut config.stream)).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&with_header(&request("/v1/chat/completions", &chat(true)), "connection: close")).await;
    for megabytes in [1, 2] {
        client.read(megabytes << 20).await;
        tokio::time::sleep(ms(1200)).await;
    }
    client.read_to_end().await;
    assert!(client.body().ends_with(DONE.as_bytes()));
}
