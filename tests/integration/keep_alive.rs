//! While nothing comes from the model, comment lines show the client that the stream lives, and change nothing in it.

use std::sync::Arc;
use std::time::Duration;

use sluicegate::config::stream::Stream;
use tokio::sync::Notify;

use crate::support::{
    Client, DONE, FINISH, KEEP_ALIVE, Proxy, ROLE, Reply, Script, Upstream, chat, fixture, request, token,
};

/// A comment after every 100 ms of silence.
fn often(stream: &mut Stream) {
    stream.keep_alive = Some(Duration::from_millis(100));
}

/// A head after 50 ms, whatever the upstream does.
fn early(stream: &mut Stream) {
    stream.commit_after = Duration::from_millis(50);
}

/// What a client gets of an upstream that follows `script`.
async fn reply_to(script: Script, change: impl FnOnce(&mut Stream)) -> Reply {
    let upstream = Upstream::start(script).await;
    Proxy::configured(&upstream, |config| change(&mut config.stream)).await.ask(true).await
}

/// A whole stream with silence in three places: before the headers, before the first token, between tokens.
fn pensive_stream() -> Script {
    let script =
        Script::default().wait(350).append(Script::stream()).wait(350).send([ROLE, &token("one")].concat()).wait(350);
    script.send([&token("two"), FINISH, DONE].concat()).end()
}

fn pensive_text() -> String {
    [ROLE, &token("one"), &token("two"), FINISH, DONE].concat()
}

#[tokio::test]
async fn keep_alives_flow_while_the_model_thinks() {
    let reply = reply_to(pensive_stream(), |stream| {
        early(stream);
        often(stream);
    });
    let reply = reply.await;
    let [before_the_first, between_tokens] = [ROLE, &token("two")].map(|frame| {
        let (silence, _) = reply.body.split_once(frame).unwrap();
        silence.rsplit("\n\n").next().unwrap().matches(KEEP_ALIVE).count()
    });
    assert!(before_the_first >= 4 && between_tokens >= 2, "{reply:?}");
}

/// One line and no empty one: an empty line dispatches an event, and some SDKs fail on one without data.
#[tokio::test]
async fn a_keep_alive_is_one_comment_line_and_nothing_else_is_added() {
    let reply = reply_to(pensive_stream(), |stream| {
        early(stream);
        often(stream);
    });
    let reply = reply.await;
    assert_eq!(KEEP_ALIVE, ": keep-alive\n");
    assert!(reply.body.contains(KEEP_ALIVE));
    assert_eq!(reply.without_keep_alives(), pensive_text());
}

#[tokio::test]
async fn a_head_that_goes_out_early_brings_a_keep_alive_at_once() {
    let upstream = Upstream::start(Script::silence()).await;
    let proxy = Proxy::configured(&upstream, |config| {
        early(&mut config.stream);
        config.stream.keep_alive = Some(Duration::from_secs(600));
    })
    .await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&request("/v1/chat/completions", &chat(true))).await;
    client.read_until(KEEP_ALIVE).await;
}

#[tokio::test]
async fn keep_alives_that_are_off_are_off() {
    let reply = reply_to(pensive_stream(), |stream| {
        early(stream);
        stream.keep_alive = None;
    });
    assert_eq!(reply.await.body, pensive_text());
}

#[tokio::test]
async fn a_stream_that_flows_has_no_keep_alives() {
    let script = Script::stream().send(ROLE).repeat_every(token("more"), 20, 20).send(FINISH).send(DONE).end();
    let reply = reply_to(script, |stream| stream.keep_alive = Some(Duration::from_millis(300))).await;
    assert!(!reply.body.contains(KEEP_ALIVE), "{reply:?}");
}

#[tokio::test]
async fn no_keep_alive_stands_inside_a_frame() {
    let text = [token("one"), token("two"), FINISH.to_owned(), DONE.to_owned()].concat().replace('\n', "\r\n");
    // Before, within and behind the line end that ends the first frame, and within the second.
    let end = text.find("\r\n\r\n").unwrap();
    for cut in [10, end, end + 1, end + 2, end + 3, end + 20] {
        let script = Script::stream().send(ROLE).send(text[..cut].to_owned()).wait(350).send(text[cut..].to_owned());
        let reply = reply_to(script.end(), often).await;
        assert_eq!(reply.without_keep_alives(), [ROLE, &text].concat(), "cut at {cut}");
        for frame in text.split_inclusive("\r\n\r\n") {
            assert!(reply.body.contains(frame), "cut at {cut}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn keep_alives_go_on_while_a_frame_takes_long_and_stand_before_it() {
    let (first, token) = (token("one"), token("two"));
    let (start, rest) = token.split_at(20);
    let script = Script::stream().send(first.clone()).send(start.to_owned()).wait(350).send(rest.to_owned()).wait(350);
    let reply = reply_to(script.send([FINISH, DONE].concat()).end(), often).await;
    let (before, behind) = reply.body.split_once(&token).expect("unbroken");
    for silence in [before.strip_prefix(&first), behind.strip_suffix(&[FINISH, DONE].concat())] {
        assert!(silence.unwrap().matches(KEEP_ALIVE).count() >= 2, "{reply:?}");
    }
}

#[tokio::test]
async fn a_recorded_stream_cut_anywhere_by_silence_comes_out_as_it_went_in() {
    let recording = fixture("openai-chat/deepseek-chat-tool-noargs.sse");
    let halves = recording.split_inclusive("\n\n").flat_map(|frame| {
        let (one, other) = frame.split_at(frame.len() / 2);
        [one.to_owned(), other.to_owned()]
    });
    let script = halves.fold(Script::stream(), |script, half| script.send(half).wait(30));
    let reply = reply_to(script.end(), |stream| stream.keep_alive = Some(Duration::from_millis(10))).await;
    assert!(reply.body.contains(KEEP_ALIVE));
    assert_eq!(reply.without_keep_alives(), recording);
}

#[tokio::test]
async fn a_comment_of_the_upstream_passes_beside_ours() {
    let cue = Arc::new(Notify::new());
    let script = Script::stream().send(token("one")).send(": OPENROUTER PROCESSING\n\n").cue(&cue).send(DONE).end();
    let upstream = Upstream::start(script).await;
    let proxy = Proxy::configured(&upstream, |config| often(&mut config.stream)).await;
    let mut client = Client::chat(proxy.address, true).await;
    client.read_until(KEEP_ALIVE).await;
    cue.notify_one();
    let text = client.read_until("[DONE]").await;
    assert!(text.contains(": OPENROUTER PROCESSING\n\n"), "{text:?}");
}
