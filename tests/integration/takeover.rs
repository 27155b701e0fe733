//! For the time of a stream its connection is taken from what reads requests, and given back behind it. Nobody may notice.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::support::{Client, Proxy, Script, Upstream, chat, request, soon, token, until, upload, with_header};

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
const LAST_CHUNK: &str = "\r\n0\r\n\r\n";

fn ask() -> String {
    request("/v1/chat/completions", &chat(true))
}

#[tokio::test]
async fn streams_and_other_answers_to_requests_sent_together_come_in_their_order() {
    let upstream = Upstream::in_turn([Script::answer(&["one"]), Script::answer(&["two"]), Script::answer(&["three"])]);
    let upstream = upstream.await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    let stream = ask();
    client.send(&format!("{LIVEZ}{stream}{LIVEZ}{stream}{stream}{LIVEZ}")).await;
    let expected = ["ok\n", "one", LAST_CHUNK, "ok\n", "two", LAST_CHUNK, "three", LAST_CHUNK, "ok\n"];
    soon("all answers", async {
        while client.text().matches("ok\n").count() < 3 {
            client.read(client.received_bytes() as usize + 1).await;
        }
    })
    .await;
    let text = client.text();
    let mut rest = text.as_str();
    for part in expected {
        let (_, behind) = rest.split_once(part).unwrap_or_else(|| panic!("{part:?} is not in its place in {text}"));
        rest = behind;
    }
    assert_eq!(rest, "");
}

#[tokio::test]
async fn an_answer_that_the_client_has_not_taken_yet_is_not_cut_by_the_stream_behind_it() {
    let answer = format!(r#"{{"id":"1","choices":[],"filler":"{}"}}"#, "x".repeat(8 * 1024 * 1024));
    let upstream = Upstream::in_turn([Script::json("200 OK", &answer), Script::answer(&["hi"])]).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&format!("{}{}", request("/v1/chat/completions", &chat(false)), ask())).await;
    until("the first answer", || upstream.request_count() == 1).await;
    let response = client.response().await;
    assert!(response.body == answer, "{} bytes of {}", response.body.len(), answer.len());
    let stream = client.read_until(LAST_CHUNK).await;
    assert!(stream.starts_with("HTTP/1.1 200 OK\r\n") && stream.contains("[DONE]"), "{stream}");
}

#[tokio::test]
async fn what_belongs_to_a_request_that_nobody_reads_is_not_taken_for_the_next_one() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&with_header(&ask(), "x-sluicegate-resumable: true")).await;
    let first = client.read_until(LAST_CHUNK).await;
    let name =
        first.lines().find_map(|line| line.strip_prefix("x-sluicegate-stream-id: ")).expect("the stream has a name");
    client.forget();
    let body = LIVEZ;
    client
        .send(&format!(
            "GET /v1/streams/{name} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}{}",
            body.len(),
            "GET /v1/streams HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        ))
        .await;
    let answers = client.read_to_end().await;
    assert!(answers.contains("[DONE]"), "{answers}");
    assert!(!answers.contains("\r\n\r\nok\n"), "the body was taken for a request: {answers}");
}

#[tokio::test]
async fn a_client_that_wants_to_close_behind_a_stream_is_closed_behind_it() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = Proxy::before(&upstream).await;
    for wish in ["connection: close", "Connection: x-other, Close"] {
        let mut client = Client::connect(proxy.address).await;
        client.send(&with_header(&ask(), wish)).await;
        let answer = client.read_to_end().await;
        assert!(answer.contains("\r\nconnection: close\r\n") && answer.ends_with(LAST_CHUNK), "{answer}");
    }
}

#[tokio::test]
async fn the_end_of_a_stream_reaches_a_client_that_has_sent_something_meanwhile() {
    let cue = Arc::new(Notify::new());
    // More than the client's kernel takes, less than both kernels do.
    let script = Script::stream().send(token("hi")).cue(&cue).repeat(token(&"x".repeat(1000)), 120);
    let upstream = Upstream::start(script.send("data: [DONE]\n\n").end()).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&with_header(&ask(), "connection: close")).await;
    client.read_until("hi").await;
    client.send(LIVEZ).await;
    cue.notify_one();
    until("the end at the upstream", || upstream.busy_count() == 0).await;
    // Time to close, for who would close at once.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let answer = client.read_to_end().await;
    assert!(answer.ends_with(LAST_CHUNK), "the end was lost behind {} bytes", answer.len());
}

#[tokio::test]
async fn a_request_whose_end_may_be_seen_elsewhere_is_the_last_one() {
    let upstream = Upstream::start(Script::answer(&["hi"])).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    let body = chat(true);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    client
        .send(&format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\ncontent-length: {}\r\n\r\n{chunked}{LIVEZ}",
            chunked.len() + LIVEZ.len(),
        ))
        .await;
    let answer = client.read_to_end().await;
    assert!(answer.contains("[DONE]") && answer.ends_with(LAST_CHUNK), "{answer}");
}

#[tokio::test]
async fn a_stream_that_begins_before_an_upload_has_ended_does_not_end_the_upload() {
    let (half, rest) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, cue) = (Arc::clone(&half), Arc::clone(&rest));
    let upstream = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        while !received.windows(4).any(|window| window == b"half") {
            assert!(socket.read_buf(&mut received).await.unwrap() > 0);
        }
        socket.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n").await.unwrap();
        seen.notify_one();
        while !received.windows(4).any(|window| window == b"rest") {
            assert!(socket.read_buf(&mut received).await.unwrap() > 0, "the upload was cut");
        }
        socket.write_all(b"5\r\nended\r\n0\r\n\r\n").await.unwrap();
        cue.notified().await;
    });
    let mut config = sluicegate::config::Config::for_testing();
    config.providers.push(crate::support::provider("upstream", &format!("http://{address}/v1")));
    let proxy = Proxy::start(config).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&upload("/v1/files", 8)).await;
    client.send("half").await;
    half.notified().await;
    client.read_until("begun").await;
    client.send("rest").await;
    client.read_until("ended\r\n0\r\n\r\n").await;
    rest.notify_one();
    soon("the end of the upstream", upstream).await.unwrap();
    client.forget();
    client.send(LIVEZ).await;
    client.read_until("ok\n").await;
}

#[tokio::test]
async fn a_request_that_comes_in_pieces_during_a_stream_is_answered_behind_it() {
    let cue = Arc::new(Notify::new());
    let upstream = Upstream::start(Script::stream().send(token("hi")).cue(&cue).send("data: [DONE]\n\n").end()).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::chat(proxy.address, true).await;
    client.read_until("hi").await;
    client.send("GET /live").await;
    cue.notify_one();
    client.read_until(LAST_CHUNK).await;
    client.send("z HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    client.read_until("ok\n").await;
}
