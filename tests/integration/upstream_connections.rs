//! The proxy's own HTTP/1.1 towards upstreams: where a response ends, and which connection may be used again.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::support::{Client, DONE, FINISH, Program, Proxy, Script, Upstream, client, provider, soon, token, until};

/// A head without anything that tells where the body ends.
const BARE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// The events of a whole answer.
fn events() -> String {
    [&token("hi"), FINISH, DONE].concat()
}

fn with_length(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn chunked(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
         {length:x};quality=\"high\"\r\n{body}\r\n0\r\nx-trailer: yes\r\n\r\n"
    )
}

/// Asks twice; the bodies of the answers, and over how many connections they came.
async fn ask_twice(script: Script) -> ([String; 2], usize) {
    let upstream = Upstream::start(script).await;
    let proxy = Proxy::before(&upstream).await;
    let bodies = [proxy.ask(true).await.body, proxy.ask(true).await.body];
    (bodies, upstream.accepted_count())
}

#[tokio::test]
async fn a_body_ends_where_its_framing_says_and_its_connection_serves_again() {
    for response in [with_length(&events()), chunked(&events())] {
        let (bodies, connections) = ask_twice(Script::raw(response.clone())).await;
        assert_eq!(bodies, [events(), events()]);
        assert_eq!(connections, 1, "{response:?}");
    }
}

#[tokio::test]
async fn a_response_may_come_byte_by_byte() {
    for response in [with_length(&events()), chunked(&events())] {
        let script = response.bytes().fold(Script::default(), |script, byte| script.then_raw(vec![byte]));
        let (bodies, connections) = ask_twice(script).await;
        assert_eq!((bodies, connections), ([events(), events()], 1));
    }
}

#[tokio::test]
async fn a_body_without_any_framing_ends_with_its_connection() {
    let (bodies, connections) = ask_twice(Script::raw([BARE, &events()].concat()).close()).await;
    assert_eq!((bodies, connections), ([events(), events()], 2));
}

#[tokio::test]
async fn interim_responses_are_not_the_response() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let (bodies, connections) = ask_twice(Script::raw(interim).wait(10).then_raw(with_length(&events()))).await;
    assert_eq!((bodies, connections), ([events(), events()], 1));
}

#[tokio::test]
async fn a_connection_in_doubt_is_not_used_again() {
    let said = with_length(&events()).replace("\r\n\r\ndata", "\r\nconnection: close\r\n\r\ndata");
    let old = with_length(&events()).replace("HTTP/1.1", "HTTP/1.0");
    let two_lengths = chunked(&events()).replacen("\r\n\r\n", "\r\ncontent-length: 5\r\n\r\n", 1);
    let something_behind = with_length(&events()) + "HTTP/1.1 200 OK\r\n";
    for response in [said, old, two_lengths, something_behind] {
        let (bodies, connections) = ask_twice(Script::raw(response.clone())).await;
        assert_eq!(bodies, [events(), events()], "{response:?}");
        assert_eq!(connections, 2, "{response:?}");
    }
}

#[tokio::test]
async fn a_connection_that_the_upstream_has_closed_meanwhile_is_not_used_again() {
    let closed = Arc::new(Notify::new());
    let upstream = Upstream::start(Script::raw(with_length(&events())).cue(&closed).close()).await;
    let proxy = Proxy::before(&upstream).await;
    for _ in 0..3 {
        assert_eq!(proxy.ask(true).await.body, events());
        closed.notify_one();
        until("the connection is closed", || upstream.connection_count() == 0).await;
    }
    assert_eq!(upstream.accepted_count(), 3);
}

#[tokio::test]
async fn a_connection_that_the_upstream_has_closed_is_let_go_before_anyone_needs_it() {
    let closed = Arc::new(Notify::new());
    let upstream = Upstream::start(Script::raw(with_length(&events())).cue(&closed).close()).await;
    let program = Program::before(&upstream);
    let address = program.address().await;
    let mut client = Client::chat(address, true).await;
    client.read_until("[DONE]").await;
    let held = program.descriptors();
    closed.notify_one();
    until("the upstream's connection is gone", || program.descriptors() < held).await;
}

#[tokio::test]
async fn what_came_before_a_broken_coding_is_passed_on() {
    let broken = format!("{:x}\r\n{}\r\nthis is no size\r\n", token("hi").len(), token("hi"));
    let upstream = Upstream::start(Script::stream().then_raw(broken)).await;
    let reply = Proxy::before(&upstream).await.ask(true).await;
    assert!(reply.body.starts_with(&token("hi")), "{}", reply.body);
    assert_eq!(reply.error_event()["code"], "upstream_connection_broken");
}

#[tokio::test]
async fn a_head_that_is_none_is_a_502() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(100_000));
    let two_lengths = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned();
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n".to_owned();
    let other_coding = "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n".to_owned();
    for head in ["SSH-2.0-OpenSSH_9.2\r\n".to_owned(), endless, two_lengths, upgrade, other_coding] {
        let upstream = Upstream::start(Script::raw(head.clone()).hang()).await;
        let reply = Proxy::before(&upstream).await.ask(true).await;
        assert_eq!(reply.status, 502, "{head:.60}");
        assert_eq!(reply.error()["code"], "upstream_connection_broken", "{head:.60}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_wait_for_the_request_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let proxy = Proxy::start({
        let mut config = sluicegate::config::Config::for_testing();
        config.providers = vec![provider("busy", &url)];
        config
    })
    .await;
    // Larger than all the buffers between the two, so that it cannot have been sent.
    let body = format!(r#"{{"model":"m","stream":true,"messages":"{}"}}"#, "a".repeat(12 << 20));
    let upstream = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 1024]).await.unwrap();
        socket.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\n\r\ntoo large").await.unwrap();
        socket
    };
    let (reply, _socket) = tokio::join!(proxy.post("/v1/chat/completions", body), upstream);
    assert_eq!(reply.status(), 413);
    assert!(soon("the error", reply.text()).await.unwrap().contains("too large"));
}

#[tokio::test]
async fn an_answer_without_a_body_is_not_waited_for() {
    let upstream = Upstream::start_with(|request| match request.head.split(' ').next() {
        Some("HEAD") => Script::raw("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"),
        Some("DELETE") => Script::raw("HTTP/1.1 204 No Content\r\n\r\n"),
        _ => Script::json("200 OK", "{}"),
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let client = client();
    for (method, status) in [("HEAD", 200), ("DELETE", 204), ("GET", 200)] {
        let request = client.request(method.parse().unwrap(), proxy.url("/v1/files/a"));
        let response = soon("a response", request.send()).await.unwrap();
        assert_eq!(response.status(), status);
        soon("its end", response.bytes()).await.unwrap();
    }
    assert_eq!(upstream.accepted_count(), 1);
}
