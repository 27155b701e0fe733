//! Streams pass byte for byte, with signs of life that Anthropic's clients know.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::support::anthropic::{
    ANSWER, FINISH, PING, START, STOP, answer, ask, error_event, message, proxy_before, proxy_configured, text,
};
use crate::support::{Client, Recording, Reply, Script, Upstream, client, request, soon};

#[tokio::test]
async fn every_recorded_stream_passes_byte_for_byte_however_it_is_cut() {
    let recordings = Recording::exact_streams("anthropic");
    assert!(recordings.len() >= 11);
    for recording in recordings {
        for size in [recording.response().len(), 7, 300] {
            let pieces = recording.response();
            let script = pieces.chunks(size).fold(Script::stream(), |script, piece| script.send(piece.to_vec()));
            let mut upstream = Upstream::start(script.end()).await;
            let proxy = proxy_before(&upstream).await;
            let response = proxy.post("/v1/messages", recording.request()).await;
            let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
            let received = soon("the whole stream", response.bytes()).await.unwrap();
            assert!(received == recording.response(), "{} differs in pieces of {size}", recording.file);
            assert_eq!(upstream.request().await.body, recording.request(), "{}", recording.file);
            assert_eq!(proxy.log_line(&id).await["outcome"], "completed", "{}", recording.file);
        }
    }
}

#[tokio::test]
async fn each_event_is_forwarded_the_moment_it_is_whole() {
    let cue = Arc::<Notify>::default();
    let words = ["<one>", "<two>", "<three>"];
    let script = words.iter().fold(Script::stream().send(START), |script, word| script.send(text(word)).cue(&cue));
    let upstream = Upstream::start(script.send([FINISH, STOP].concat()).end()).await;
    let proxy = proxy_before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&request("/v1/messages", &message(true))).await;
    for word in words {
        client.read_until(word).await;
        cue.notify_one();
    }
    client.read_until("message_stop").await;
}

#[tokio::test]
async fn the_log_has_the_usage_with_all_of_the_input() {
    let whole = [START, &text("hi"), FINISH, STOP].concat();
    let scripts = [Script::stream().send(whole).end(), Script::json("200 OK", ANSWER)];
    for (script, stream) in scripts.into_iter().zip([true, false]) {
        let upstream = Upstream::start(script).await;
        let proxy = proxy_before(&upstream).await;
        let reply = ask(&proxy, stream).await;
        assert!(stream || reply.body == ANSWER, "{reply:?}");
        let line = proxy.log_line(reply.request_id()).await;
        let logged = ["outcome", "input_tokens", "output_tokens"].map(|name| line[name].clone());
        assert_eq!(logged, ["completed", "115", "9"], "stream: {stream}");
    }
}

/// Silence in three places: before the headers, before the first event, between two.
fn pensive_stream() -> Script {
    let script =
        Script::default().wait(350).append(Script::stream()).wait(350).send([START, &text("one")].concat()).wait(350);
    script.send([FINISH, STOP].concat()).end()
}

/// What a client gets of a pensive upstream that is given up on after 50 ms, with a ping after every 100 ms of silence.
async fn pensive_reply() -> Reply {
    let upstream = Upstream::start(pensive_stream()).await;
    let proxy = proxy_configured(&upstream, |config| {
        config.stream.commit_after = Duration::from_millis(50);
        config.stream.keep_alive = Some(Duration::from_millis(100));
    })
    .await;
    ask(&proxy, true).await
}

#[tokio::test]
async fn pings_flow_while_the_model_thinks_and_nothing_else_is_added() {
    let reply = pensive_reply().await;
    let (before, behind) = reply.body.split_once(START).unwrap();
    assert!(before.matches(PING).count() >= 4 && behind.matches(PING).count() >= 2, "{reply:?}");
    assert!(!reply.body.contains(": keep-alive"), "{reply:?}");
    assert_eq!(reply.body.replace(PING, ""), [START, &text("one"), FINISH, STOP].concat());
}

#[tokio::test]
async fn no_ping_stands_inside_an_event() {
    let begin = [START, &text("one")].concat();
    let whole = [text("two"), FINISH.to_owned(), STOP.to_owned()].concat();
    for stream in [whole.clone(), whole.replace('\n', "\r\n")] {
        for cut in [3, 30, stream.find("\n\n").or(stream.find("\n\r\n")).unwrap() + 1] {
            let (one, other) = stream.split_at(cut);
            let script =
                Script::stream().send(begin.clone()).send(one.to_owned()).wait(350).send(other.to_owned()).end();
            let upstream = Upstream::start(script).await;
            let often = Some(Duration::from_millis(100));
            let proxy = proxy_configured(&upstream, |config| config.stream.keep_alive = often).await;
            let reply = ask(&proxy, true).await;
            assert!(reply.body.starts_with(&[&begin, PING].concat()), "cut at {cut}: {reply:?}");
            assert_eq!(reply.body.replace(PING, ""), [&*begin, &stream].concat(), "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn the_connection_of_a_complete_stream_serves_the_next_request() {
    let upstream = Upstream::start(answer(&["one"])).await;
    let proxy = proxy_before(&upstream).await;
    for _ in 0..3 {
        ask(&proxy, true).await;
    }
    assert_eq!([upstream.request_count(), upstream.accepted_count()], [3, 1]);
}

#[tokio::test]
async fn a_stream_of_another_endpoint_is_kept_alive_and_ended_in_the_client_s_dialect_too() {
    let event = "event: completion\ndata: {\"type\":\"completion\",\"completion\":\"hi\"}\n\n";
    let begun = || Script::stream().send(event).wait(300);
    let upstream = Upstream::in_turn([begun().end(), begun().close()]).await;
    let often = Some(Duration::from_millis(100));
    let proxy = proxy_configured(&upstream, |config| config.stream.keep_alive = often).await;
    let ask = async || {
        let request = client().post(proxy.url("/v1/complete")).header("anthropic-version", "2023-06-01");
        let request = request.header("content-type", "application/json").body(message(true));
        Reply::of(soon("a response head", request.send()).await.unwrap()).await
    };
    let whole = ask().await;
    assert!(whole.body.contains(PING), "{whole:?}");
    assert_eq!(whole.body.replace(PING, ""), event);
    assert_eq!(error_event(&ask().await).0, "api_error");
}
