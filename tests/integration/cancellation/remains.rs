//! Nothing survives a client: no task, no connection, no file descriptor.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::{DEPARTURES, Departure, INTERRUPTIONS, leave};
use crate::support::{
    Client, Http2Client, Program, Proxy, ROLE, Received, Script, Upstream, chat, new_id, request, sockets, soon,
    standstill, token, until, upload, with_header,
};

/// The same numbers in every run: a failure must come again.
struct Dice(u64);

impl Dice {
    /// xorshift64
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

#[derive(Debug, Clone, Copy)]
enum Visit {
    Stream,
    WholeAnswer,
    Flood,
    Models,
    HalfARequest,
    HalfAnUpload,
    Silence,
    Http2,
}

const VISITS: [Visit; 8] = [
    Visit::Stream,
    Visit::WholeAnswer,
    Visit::Flood,
    Visit::Models,
    Visit::HalfARequest,
    Visit::HalfAnUpload,
    Visit::Silence,
    Visit::Http2,
];

/// What the upstream does with a visit that gets so far. It never completes anything: a complete connection may stay.
fn answer(request: &Received) -> Script {
    let stream = Script::default().wait(5).then(Script::stream().0.remove(0)).wait(5).send(ROLE);
    match request.header("x-request-id").and_then(|id| id.split('-').next()) {
        Some("stream") => (0..5).fold(stream, |script, _| script.wait(5).send(token("word"))).hang(),
        Some("flood") => stream.repeat(token(&"x".repeat(16000)), 64).hang(),
        _ => Script::silence(),
    }
}

/// Visits, and leaves after `stay`, wherever the request may be by then.
async fn visit(address: SocketAddr, visit: Visit, departure: Departure, stay: Duration) {
    let named = |name: &str, stream: bool| {
        let request = request("/v1/chat/completions", &chat(stream));
        with_header(&request, &format!("x-request-id: {name}-{}", new_id()))
    };
    if let Visit::Http2 = visit {
        let mut client = Http2Client::connect(address).await;
        let stream = client.chat(&format!("stream-{}", new_id())).await;
        tokio::time::sleep(stay).await;
        drop(stream);
        return;
    }
    let request = match visit {
        Visit::Stream => named("stream", true),
        Visit::WholeAnswer => named("whole", false),
        Visit::Flood => named("flood", true),
        Visit::Models => "GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        Visit::HalfARequest => named("half", true).split_at(200).0.to_owned(),
        Visit::HalfAnUpload => upload("/v1/files", 100_000) + &"x".repeat(50_000),
        Visit::Silence | Visit::Http2 => String::new(),
    };
    let mut client = Client::connect(address).await;
    client.send(&request).await;
    tokio::time::sleep(stay).await;
    drop(leave(client, departure).await);
}

/// Two hundred clients that come and leave as the dice fall.
async fn crowd(address: SocketAddr) {
    let mut dice = Dice(0x5eed);
    let mut visitors = JoinSet::new();
    for _ in 0..200 {
        let what = dice.pick(&VISITS);
        let departure = match what {
            Visit::Stream | Visit::WholeAnswer | Visit::Flood | Visit::Models => dice.pick(&DEPARTURES),
            Visit::HalfARequest | Visit::HalfAnUpload | Visit::Silence | Visit::Http2 => dice.pick(&INTERRUPTIONS),
        };
        let [arrival, stay] = [600, 300].map(|limit| Duration::from_millis(dice.roll(limit) as u64));
        visitors.spawn(async move {
            tokio::time::sleep(arrival).await;
            visit(address, what, departure, stay).await;
        });
    }
    soon("the end of all visits", visitors.join_all()).await;
}

#[tokio::test]
async fn a_client_that_leaves_makes_room_for_the_next() {
    let mut upstream = Upstream::start(Script::silence()).await;
    let proxy = Proxy::configured(&upstream, |config| config.server.max_connections = 1).await;
    let client = Client::chat(proxy.address, true).await;
    upstream.request().await;
    let _waiting = Client::chat(proxy.address, true).await;
    assert_eq!(upstream.request_count(), 1);
    drop(client);
    upstream.request().await;
}

#[tokio::test]
async fn clients_that_leave_at_random_leave_no_task_and_no_connection() {
    let upstream = Upstream::start_with(answer).await;
    let proxy = Proxy::before(&upstream).await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    crowd(proxy.address).await;
    let ports = [proxy.address.port(), upstream.address.port()];
    let connections = || ports.into_iter().flat_map(sockets::of_port).count();
    until("the end of every connection", || connections() == 0 && upstream.connection_count() == 0).await;
    until("the end of every task", || tasks() == before).await;
    assert!(upstream.request_count() > 20, "{} got anywhere", upstream.request_count());
}

#[tokio::test]
async fn clients_that_leave_at_random_leave_no_file_descriptor() {
    let upstream = Upstream::start_with(answer).await;
    let process = Program::before(&upstream);
    let address = process.address().await;
    let before = standstill("start-up", || process.descriptors()).await;
    crowd(address).await;
    until("the end of every connection", || upstream.connection_count() == 0).await;
    until("the end of every file descriptor", || process.descriptors() == before).await;
}
