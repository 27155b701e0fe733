//! A client that does not read stops the upstream, holds little, costs nobody else anything, and is not waited for for ever.

use std::time::{Duration, Instant};

use crate::support::{
    Client, DONE, FINISH, Http2Client, Program, Proxy, ROLE, Received, Script, Step, Upstream, chat, request, sockets,
    soon, standstill, token, upload, with_header,
};

const WRITE_TIMEOUT: Duration = Duration::from_millis(300);
/// How long a calm stream takes.
const CALM: Duration = WRITE_TIMEOUT.saturating_mul(2);

/// A stream that nobody can take without reading on and on.
fn flood() -> Script {
    Script::stream().send(ROLE).repeat(token(&"x".repeat(16000)), 1 << 20)
}

/// A stream that takes longer than the write timeout and is never in a hurry.
fn calm() -> Script {
    let tokens =
        (0..10).fold(Script::stream().send(ROLE), |script, _| script.send(token("calm")).then(Step::Wait(CALM / 10)));
    tokens.send(FINISH).send(DONE).end()
}

/// A flood or a calm stream, as the request's id says.
fn flood_or_calm(request: &Received) -> Script {
    if request.header("x-request-id").unwrap().starts_with("flood") { flood() } else { calm() }
}

async fn impatient_proxy(upstream: &Upstream) -> Proxy {
    Proxy::configured(upstream, |config| config.server.write_timeout = WRITE_TIMEOUT).await
}

/// Numbered events, so that one that is lost, doubled or out of order shows.
fn numbered_events(bytes: usize) -> String {
    let padding = "x".repeat(1000);
    let event = |number: usize| token(&format!("{number} {padding}"));
    (0..bytes / 1024).map(event).collect()
}

/// Bytes that wait in the kernel, on both sides of the proxy.
fn in_kernel(proxy: &Proxy, upstream: &Upstream) -> i64 {
    let ends = [proxy.address.port(), upstream.address.port()].into_iter().flat_map(sockets::of_port);
    ends.map(|end| end.sending + end.receiving).sum::<u64>().cast_signed()
}

// === How much a proxy holds ===

/// What the proxy may hold of one stream, beside what the kernel holds: what it has read at once, and what hyper takes of that
/// before the client's socket is full.
const MAX_HELD: i64 = 128 * 1024;
/// What it may hold of an upload, which goes through reqwest: hyper keeps up to 408 KiB for an upstream that does not read.
const MAX_HELD_UPLOAD: i64 = 512 * 1024;

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_upstream() {
    let events = || Script::stream().repeat(token(&"x".repeat(16000)), 4096);
    let file = || Script::head("200 OK", "content-type: audio/mpeg\r\n").repeat(vec![0; 16000], 4096);
    for (path, script) in
        [("/v1/chat/completions", events()), ("/v1/responses", events()), ("/v1/audio/speech", file())]
    {
        let upstream = Upstream::start(script).await;
        let proxy = Proxy::before(&upstream).await;
        let mut client = Client::connect(proxy.address).await;
        client.send(&request(path, &chat(true))).await;

        let sent = standstill("the upstream", || upstream.bytes_sent()).await.cast_signed();
        let in_kernel = in_kernel(&proxy, &upstream);
        let held = sent - in_kernel;
        println!("{path}: of {sent} bytes {in_kernel} are in the kernel, {held} in the proxy");
        assert!(held < MAX_HELD, "{path}: {held}");
    }
}

#[tokio::test]
async fn a_client_that_stops_and_goes_on_gets_every_byte_in_order() {
    let events = numbered_events(16 << 20);
    let pieces = events.as_bytes().chunks(16 * 1024).map(<[u8]>::to_vec);
    let upstream = Upstream::start(pieces.fold(Script::stream(), Script::send).send(FINISH).send(DONE).end()).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&with_header(&request("/v1/chat/completions", &chat(true)), "connection: close")).await;
    let mut read = 0;
    while upstream.bytes_sent() < events.len() as u64 {
        read += 2 << 20;
        client.read(read).await;
        let sent = standstill("the upstream", || upstream.bytes_sent()).await.cast_signed();
        let held = sent - in_kernel(&proxy, &upstream) - client.received_bytes().cast_signed();
        assert!(held < MAX_HELD, "{held}");
    }
    client.read_to_end().await;
    assert!(client.body() == [&events, FINISH, DONE].concat().as_bytes(), "the answer differs");
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_the_client() {
    const LENGTH: usize = 64 << 20;
    let upstream = Upstream::start_without_reading(Script::silence()).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&upload("/v1/files", LENGTH)).await;

    let sent = client.send_until_stuck(LENGTH).await.cast_signed();
    let held = sent - in_kernel(&proxy, &upstream);
    println!("of {sent} bytes {held} are in the proxy");
    assert!(held < MAX_HELD_UPLOAD, "{held}");
}

#[tokio::test]
async fn memory_does_not_grow_while_clients_do_not_read() {
    const CLIENTS: u64 = 16;
    let upstream = Upstream::start(flood()).await;
    let process = Program::before(&upstream);
    let address = process.address().await;
    let empty = process.resident_bytes();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::chat(address, true).await);
    }
    let held = || process.resident_bytes().saturating_sub(empty) / CLIENTS;
    let held_in_pages = standstill("the memory in use", || held() / 4096).await;
    println!("{} KiB for each client", held_in_pages * 4);
    // The allocator keeps some of what it gets back.
    assert!(held_in_pages * 4096 < 4 * MAX_HELD.cast_unsigned(), "{held_in_pages} pages");
}

// === How long it waits ===

#[tokio::test]
async fn a_client_that_takes_nothing_for_the_write_timeout_is_dropped() {
    let file = || Script::head("200 OK", "content-type: audio/mpeg\r\n").repeat(vec![0; 16000], 1 << 20);
    for (path, script) in [("/v1/chat/completions", flood()), ("/v1/responses", flood()), ("/v1/audio/speech", file())]
    {
        let mut upstream = Upstream::start(script).await;
        let proxy = impatient_proxy(&upstream).await;
        let mut client = Client::connect(proxy.address).await;
        let id = format!("stalled{}", path.replace('/', "-"));
        client.send(&with_header(&request(path, &chat(true)), &format!("x-request-id: {id}"))).await;
        let started = Instant::now();
        upstream.abandoned().await;
        assert!(started.elapsed() >= WRITE_TIMEOUT, "{path}: {:?}", started.elapsed());
        assert_eq!(proxy.log_line(&id).await["outcome"], "client_stalled", "{path}");
    }
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_taken_for_stalled() {
    let events = numbered_events(8 << 20);
    let upstream = Upstream::start(Script::stream().send(events.clone()).send(FINISH).send(DONE).end()).await;
    let proxy = impatient_proxy(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    let request = with_header(&request("/v1/chat/completions", &chat(true)), "x-request-id: slow");
    client.send(&with_header(&request, "connection: close")).await;
    let started = Instant::now();
    for read in 1..=8 {
        tokio::time::sleep(WRITE_TIMEOUT / 3).await;
        client.read(read << 20).await;
    }
    assert!(started.elapsed() > 2 * WRITE_TIMEOUT);
    client.read_to_end().await;
    assert!(client.body() == [&events, FINISH, DONE].concat().as_bytes(), "the answer differs");
    assert_eq!(proxy.log_line("slow").await["outcome"], "completed");
}

#[tokio::test]
async fn clients_that_do_not_read_slow_nobody_else() {
    let upstream = Upstream::start_with(flood_or_calm).await;
    let proxy = Proxy::before(&upstream).await;
    let mut unread = Vec::new();
    for number in 0..10 {
        let mut client = Client::connect(proxy.address).await;
        let request = request("/v1/chat/completions", &chat(true));
        client.send(&with_header(&request, &format!("x-request-id: flood-{number}"))).await;
        unread.push(client);
    }
    standstill("the upstream", || upstream.bytes_sent()).await;
    let started = Instant::now();
    let answer = soon("an answer", proxy.chat(true).await.text()).await.unwrap();
    assert!(answer.ends_with(DONE));
    assert!(started.elapsed() < 3 * CALM, "{:?}", started.elapsed());
}

// === HTTP/2: every stream has a window of its own ===

#[tokio::test]
async fn an_http2_stream_that_is_not_read_is_dropped_and_its_siblings_go_on() {
    let mut upstream = Upstream::start_with(flood_or_calm).await;
    let proxy = impatient_proxy(&upstream).await;
    let mut client = Http2Client::connect(proxy.address).await;
    let mut flood = client.chat("flood-unread").await.answer().await;
    let mut calm = client.chat("calm-beside-a-flood").await.answer().await;

    upstream.abandoned().await;
    assert_eq!(proxy.log_line("flood-unread").await["outcome"], "client_stalled");
    assert_eq!(flood.read_to_end().await, Err(Some(h2::Reason::CANCEL)));
    assert!(flood.text().starts_with(ROLE));

    assert!(calm.read_to_end().await.unwrap().ends_with(DONE));
    assert_eq!(proxy.log_line("calm-beside-a-flood").await["outcome"], "completed");
}

#[tokio::test]
async fn an_http2_connection_that_is_not_read_is_dropped_with_all_its_streams() {
    let quiet = || Script::stream().send(token("one")).hang();
    let is_flood = |request: &Received| request.header("x-request-id") == Some("flood-over-all");
    let mut upstream = Upstream::start_with(move |request| if is_flood(request) { flood() } else { quiet() }).await;
    let proxy = impatient_proxy(&upstream).await;
    let mut client = Http2Client::connect_with(proxy.address, 1 << 30).await;
    let _quiet = client.chat("quiet-beside-it").await.answer().await;
    let _flood = client.chat("flood-over-all").await.answer().await;
    client.freeze();
    for id in ["flood-over-all", "quiet-beside-it"] {
        upstream.abandoned().await;
        assert_eq!(proxy.log_line(id).await["outcome"], "client_stalled", "{id}");
    }
}

#[tokio::test]
async fn an_http2_client_that_reads_slowly_is_not_taken_for_stalled() {
    let text = "x".repeat(256 * 1024);
    let answer = Script::answer(&[&text]);
    let upstream = Upstream::start(answer).await;
    let proxy = impatient_proxy(&upstream).await;
    let mut client = Http2Client::connect(proxy.address).await;
    let mut answer = client.chat("slow-http2").await.answer().await;
    while let Some(piece) = answer.read().await {
        let time = WRITE_TIMEOUT / 10 * u32::try_from(piece.unwrap()).unwrap() / 16384;
        tokio::time::sleep(time).await;
    }
    assert_eq!(answer.text(), [ROLE, &token(&text), FINISH, DONE].concat());
    assert_eq!(proxy.log_line("slow-http2").await["outcome"], "completed");
}
