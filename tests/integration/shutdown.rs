//! Told to stop, sluicegate takes nothing new, lets what runs run on, and at its deadline says why it ends.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::support::{
    ApiError, Client, DONE, FINISH, Program, Proxy, ROLE, Script, Upstream, chat, client, request, soon, token,
};

/// A stream that goes on for a little while.
fn running() -> Script {
    Script::stream().send(ROLE).send(token("one")).wait(300).send(token("two")).send(FINISH).send(DONE).end()
}

/// A stream that would go on for ever.
fn endless() -> Script {
    Script::stream().send(ROLE).send(token("one")).hang()
}

/// Waits until nobody listens there any more.
async fn refuses(address: std::net::SocketAddr) {
    soon("the end of listening", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

// === draining ===

#[tokio::test]
async fn a_running_stream_runs_to_its_end_and_then_everything_ends() {
    let upstream = Upstream::start(running()).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::chat(proxy.address, true).await;
    client.read_until("one").await;
    proxy.shutdown.draining.cancel();
    refuses(proxy.address).await;
    assert!(client.read_to_end().await.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));
    proxy.ended().await;
}

#[tokio::test]
async fn a_request_that_runs_is_answered_whatever_it_waits_for() {
    let slow = Script(vec![crate::support::Step::Wait(Duration::from_millis(300))]);
    let answer = Script::json("200 OK", r#"{"id":"1","choices":[]}"#);
    let mut upstream = Upstream::start(Script([slow.0, answer.0].concat())).await;
    let proxy = Proxy::before(&upstream).await;
    let mut chatting = Client::chat(proxy.address, false).await;
    upstream.request().await;
    let mut embedding = Client::connect(proxy.address).await;
    embedding.send(&request("/v1/embeddings", r#"{"model":"m"}"#)).await;
    upstream.request().await;
    proxy.shutdown.draining.cancel();
    assert_eq!(chatting.response().await.status, 200);
    assert_eq!(embedding.response().await.status, 200);
    proxy.ended().await;
}

#[tokio::test]
async fn a_connection_that_asks_meanwhile_is_told_to_look_elsewhere() {
    let upstream = Upstream::start(running()).await;
    let proxy = Proxy::before(&upstream).await;
    let ready = "GET /readyz HTTP/1.1\r\nhost: localhost\r\n";
    let mut before = Client::connect(proxy.address).await;
    before.send(&format!("{ready}\r\n")).await;
    assert_eq!(before.response().await.status, 200);

    let mut asking = Client::connect(proxy.address).await;
    asking.send(ready).await;
    let mut alive = Client::connect(proxy.address).await;
    alive.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    proxy.shutdown.draining.cancel();
    refuses(proxy.address).await;
    asking.send("\r\n").await;
    let response = asking.response().await;
    let error = ApiError::of_raw(&response);
    assert_eq!((error.status, error.code.as_deref()), (503, Some("shutting_down")));
    assert_eq!(response.header("connection"), Some("close"));
    alive.send("\r\n").await;
    assert_eq!(alive.response().await.status, 200);
    proxy.ended().await;
}

#[tokio::test]
async fn nobody_who_is_silent_delays_the_end() {
    let upstream = Upstream::start(running()).await;
    let proxy = Proxy::before(&upstream).await;
    let mut never_spoke = Client::connect(proxy.address).await;
    let mut idle = Client::connect(proxy.address).await;
    idle.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(idle.response().await.status, 200);
    let http2 = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    assert_eq!(soon("an answer", http2.get(proxy.url("/livez")).send()).await.unwrap().status(), 200);

    proxy.shutdown.draining.cancel();
    assert_eq!(never_spoke.read_to_end().await, "");
    assert_eq!(idle.read_to_end().await, "");
    proxy.ended().await;
}

#[tokio::test]
async fn an_http_2_stream_runs_to_its_end_too() {
    let upstream = Upstream::start(running()).await;
    let proxy = Proxy::before(&upstream).await;
    let http2 = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let ask = http2.post(proxy.url("/v1/chat/completions")).header("content-type", "application/json");
    let response = soon("a response head", ask.body(chat(true)).send()).await.unwrap();
    proxy.shutdown.draining.cancel();
    assert!(soon("the stream", response.text()).await.unwrap().ends_with("data: [DONE]\n\n"));
    proxy.ended().await;
}

// === the deadline ===

#[tokio::test]
async fn at_the_deadline_a_stream_ends_in_an_error() {
    let mut upstream = Upstream::start(endless()).await;
    let proxy = Proxy::before(&upstream).await;
    let request = client()
        .post(proxy.url("/v1/chat/completions"))
        .header("content-type", "application/json")
        .header("x-request-id", "cut-by-shutdown")
        .body(chat(true));
    let response = soon("a response head", request.send()).await.unwrap();
    proxy.shutdown.draining.cancel();
    proxy.shutdown.deadline.cancel();
    let text = soon("the stream", response.text()).await.unwrap();
    let (_, last) = text.trim_end().rsplit_once("\n\n").unwrap();
    let error: serde_json::Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "shutting_down");
    assert_eq!(error["error"]["type"], "server_error");
    assert!(!text.contains("[DONE]"), "{text}");
    upstream.abandoned().await;
    assert_eq!(proxy.log_line("cut-by-shutdown").await["outcome"], "shut_down");
    proxy.ended().await;
}

#[tokio::test]
async fn at_the_deadline_whoever_waits_for_a_head_is_told() {
    let mut upstream = Upstream::start(Script::silence()).await;
    let proxy = Proxy::before(&upstream).await;
    let mut waiting = vec![Client::chat(proxy.address, true).await, Client::chat(proxy.address, false).await];
    for path in ["/v1/embeddings", "/v1/models/m"] {
        let mut client = Client::connect(proxy.address).await;
        let get = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        client.send(&if path.contains("models") { get } else { request(path, r#"{"model":"m"}"#) }).await;
        waiting.push(client);
    }
    for _ in &waiting {
        upstream.request().await;
    }
    proxy.shutdown.draining.cancel();
    proxy.shutdown.deadline.cancel();
    for mut client in waiting {
        let response = client.response().await;
        assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
        assert_eq!(ApiError::of_raw(&response).code.as_deref(), Some("shutting_down"));
    }
    proxy.ended().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_cannot_hold_the_end_up() {
    let upstream = Upstream::start(Script::stream().send(ROLE).repeat(token(&"x".repeat(1000)), 100_000)).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::chat(proxy.address, true).await;
    client.read_until("xxx").await;
    let since = Instant::now();
    proxy.shutdown.draining.cancel();
    proxy.shutdown.deadline.cancel();
    proxy.ended().await;
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
}

// === the process ===

/// The program before `upstream`, and a stream through it of which `sign` has come.
async fn program(upstream: &Upstream, environment: &[(&str, &str)], sign: &str) -> (Program, Client) {
    let program = Program::start(&["--listen", "127.0.0.1:0", "--upstream", &upstream.url()], environment);
    let mut client = Client::chat(program.address().await, true).await;
    client.read_until(sign).await;
    (program, client)
}

#[tokio::test]
async fn the_process_ends_well_behind_its_last_stream() {
    for signal in ["TERM", "INT"] {
        let upstream = Upstream::start(running()).await;
        let (mut program, mut client) = program(&upstream, &[], "one").await;
        program.signal(signal);
        program.says("shutting down").await;
        refuses(program.address().await).await;
        assert!(client.read_to_end().await.contains("data: [DONE]\n\n"));
        assert_eq!(program.end().await.code(), Some(0));
    }
}

#[tokio::test]
async fn the_process_ends_at_its_deadline_whatever_runs() {
    let upstream = Upstream::start(endless()).await;
    let (mut program, mut client) = program(&upstream, &[("SLUICEGATE__SERVER__DRAIN_TIMEOUT", "200ms")], "one").await;
    program.signal("TERM");
    let answer = client.read_to_end().await;
    assert!(answer.contains("\"code\":\"shutting_down\"") && answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(program.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let upstream = Upstream::start(endless()).await;
    let (mut program, mut client) = program(&upstream, &[], "one").await;
    program.signal("TERM");
    program.says("shutting down").await;
    assert!(program.is_running());
    program.signal("TERM");
    client.read_to_end().await;
    assert_eq!(program.end().await.code(), Some(1));
    assert!(program.errors().contains("second signal"), "{}", program.errors());
}

#[tokio::test]
async fn the_demo_streams_to_its_end_as_well() {
    let mut program = Program::start(&["--listen", "127.0.0.1:0"], &[]);
    let mut client = Client::connect(program.address().await).await;
    let body = r#"{"model":"demo-fast","stream":true,"max_tokens":200,"messages":[{"role":"user","content":"hi"}]}"#;
    client.send(&request("/v1/chat/completions", body)).await;
    client.read_until("data:").await;
    program.signal("TERM");
    assert!(client.read_to_end().await.contains("data: [DONE]\n\n"));
    assert_eq!(program.end().await.code(), Some(0));
}
