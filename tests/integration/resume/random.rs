//! Drops and resumes at random: whatever the network does, every reader ends with exactly what the upstream said.
//!
//! `SLUICEGATE_TEST_DROPS` says how many drops there are to be, and `SLUICEGATE_TEST_SEED` repeats a run, but for its timing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sluicegate::app::App;
use sluicegate::config::Config;
use sluicegate::http::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Event, TONGUES, events, resumable};
use crate::support::{Dice, Received, Script, Tongue, Upstream, body_of, header, soon, speaker, variable, with_header};

const DEFAULT_DROPS: usize = 1500;
/// Streams at a time.
const STREAMS: usize = 12;
const END: &[u8] = b"\r\n0\r\n\r\n";

#[tokio::test]
async fn readers_that_are_cut_off_at_random_lose_nothing_and_get_nothing_twice() {
    let storm = Storm::new();
    let upstream = storm.upstream().await;
    let proxy = super::start(config(&upstream)).await;
    storm.rage(&[proxy.address], &upstream).await;
}

#[tokio::test]
async fn readers_that_come_back_to_any_worker_lose_nothing_and_get_nothing_twice() {
    let storm = Storm::new();
    let upstream = storm.upstream().await;
    let mut config = config(&upstream);
    let _store = super::store(&mut config).await;
    let (_config, receiver) = watch::channel(Arc::new(config));
    let (app, shutdown) = (App::new(receiver).unwrap(), Shutdown::default());
    let workers = [super::workers::worker(&app, &shutdown), super::workers::worker(&app, &shutdown)];
    storm.rage(&workers.each_ref().map(|(address, _)| *address), &upstream).await;
    shutdown.draining.cancel();
    shutdown.deadline.cancel();
    for (_, thread) in workers {
        tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    }
}

/// A configuration with a provider for each dialect whose streams are events.
pub(crate) fn config(upstream: &Upstream) -> Config {
    let mut config = Config::for_testing();
    config.stream.keep_alive = None;
    config.resume.max_caller_streams = 100_000;
    config.resume.max_total_streams = 100_000;
    config.providers.extend(TONGUES.map(|tongue| speaker(tongue.name(), tongue.name(), &upstream.url())));
    config
}

/// Many streams, each with several readers that are cut off again and again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storm {
    seed: u64,
    drops: usize,
}

impl Storm {
    pub(crate) fn new() -> Self {
        // There are two tests of each store.
        let drops: usize = variable("SLUICEGATE_TEST_DROPS").unwrap_or(DEFAULT_DROPS);
        Self { seed: Dice::seed(), drops: drops.div_ceil(2) }
    }

    /// A model server for all the streams. A request says which of them it is for.
    pub(crate) async fn upstream(self) -> Upstream {
        Upstream::start_with(move |request| {
            let text = String::from_utf8_lossy(&request.body);
            let number = text.split("stream-").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            self.script(tongue_of(request), number.parse().unwrap())
        })
        .await
    }

    /// What the upstream says in the stream called `number`.
    fn said(self, tongue: Tongue, number: u64) -> String {
        let mut dice = Dice::of(self.seed, [number, 0]);
        let texts: Vec<String> = (0..dice.between(1, 60))
            .map(|index| format!("{index}-{}é", "x".repeat(if dice.once_in(20) { 3000 } else { dice.between(0, 40) })))
            .collect();
        let pieces: String = texts.iter().map(|text| tongue.text(text)).collect();
        tongue.begin() + &pieces + &tongue.end(&texts.concat())
    }

    /// The same in pieces that respect no frame, some of them late.
    fn script(self, tongue: Tongue, number: u64) -> Script {
        let mut dice = Dice::of(self.seed, [number, 1]);
        let said = self.said(tongue, number).into_bytes();
        let (mut script, mut rest) = (tongue.head(), &said[..]);
        let mut waits = 20;
        while !rest.is_empty() {
            let largest = dice.pick(&[7, 60, 400, 5000]);
            let (piece, behind) = rest.split_at(dice.between(1, largest).min(rest.len()));
            script = script.send(piece.to_vec());
            if waits > 0 && dice.once_in(2) {
                waits -= 1;
                script = script.wait(dice.between(1, 4) as u64);
            }
            rest = behind;
        }
        script.end()
    }

    /// Goes on until there have been enough drops. Readers find the streams at each of `proxies`.
    pub(crate) async fn rage(self, proxies: &[SocketAddr], upstream: &Upstream) {
        let (mut dropped, mut streams, mut running) = (0, 0, JoinSet::new());
        while dropped < self.drops || !running.is_empty() {
            while dropped < self.drops && running.len() < STREAMS {
                running.spawn(self.stream(streams, proxies.to_vec()));
                streams += 1;
            }
            let ended = running.join_next().await.unwrap();
            dropped += ended.unwrap_or_else(|error| panic!("SLUICEGATE_TEST_SEED={}: {error}", self.seed));
        }
        assert_eq!(upstream.request_count() as u64, streams, "a stream was asked for twice; seed {}", self.seed);
    }

    /// One stream with all its readers; returns how often these were cut off.
    async fn stream(self, number: u64, proxies: Vec<SocketAddr>) -> usize {
        let mut dice = Dice::of(self.seed, [number, 2]);
        let tongue = dice.pick(&TONGUES);
        let expected: Vec<String> =
            self.said(tongue, number).replace("\r\n", "\n").split_inclusive("\n\n").map(str::to_owned).collect();
        let reader = |index: u64, stream: Option<String>| Reader {
            dice: Dice::of(self.seed, [number, 3 + index]),
            proxies: proxies.clone(),
            request: resumable(tongue).replace("\"hi\"", &format!("\"stream-{number}\"")),
            stream,
            came: Vec::new(),
            dropped: 0,
        };
        let mut first = reader(0, None);
        first.request = with_length(&first.request);
        first.begin().await;
        let mut readers = JoinSet::new();
        for index in 1..=dice.between(0, 3) as u64 {
            readers.spawn(reader(index, first.stream.clone()).read());
        }
        readers.spawn(first.read());
        let mut dropped = 0;
        while let Some(reader) = readers.join_next().await {
            let reader = reader.unwrap();
            let came: Vec<String> = reader.came.into_iter().map(|event| event.text).collect();
            assert!(came == expected, "stream {number} of {tongue:?}: {came:#?} instead of {expected:#?}");
            dropped += reader.dropped;
        }
        dropped
    }
}

/// The dialect that `request` is in.
fn tongue_of(request: &Received) -> Tongue {
    let path = request.head.split(' ').nth(1).unwrap();
    TONGUES.into_iter().find(|tongue| tongue.upstream_path(true) == path).unwrap()
}

/// `request` with the length that its body has now.
fn with_length(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head: Vec<&str> = head.lines().filter(|line| !line.starts_with("content-length")).collect();
    format!("{}\r\ncontent-length: {}\r\n\r\n{body}", head.join("\r\n"), body.len())
}

/// A client that follows one stream over many connections.
struct Reader {
    dice: Dice,
    proxies: Vec<SocketAddr>,
    /// What the stream was asked for by.
    request: String,
    /// Its name, once it is known.
    stream: Option<String>,
    /// The events received so far.
    came: Vec<Event>,
    dropped: usize,
}

impl Reader {
    /// Asks for the stream. The name must come: who does not know it cannot come back.
    async fn begin(&mut self) {
        let request = self.request.clone();
        self.connect(&request, true).await;
    }

    /// Comes back until the stream is whole.
    async fn read(mut self) -> Self {
        while !self.come_back().await {}
        self
    }

    /// Goes on where it was, in one of all ways; returns whether all is said.
    async fn come_back(&mut self) -> bool {
        let stream = self.stream.clone().unwrap();
        let get = |query: &str| format!("GET /v1/streams/{stream}{query} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let request = match self.came.last().map(|event| event.id.clone()) {
            None => get(""),
            Some(id) => match self.dice.between(0, 3) {
                0 => with_header(&get(""), &format!("last-event-id: {id}")),
                1 => get(&format!("?after={}", self.came.len())),
                2 => get(&format!("?after={}", id.replace(':', "%3A"))),
                _ => with_header(&with_length(&self.request), &format!("last-event-id: {id}")),
            },
        };
        self.connect(&request, false).await
    }

    /// Sends `request`, reads some of the response, or all of it, and keeps the events that came whole. Returns whether the
    /// stream has ended; what is cut off is cut anywhere, but for the head where it `needs_name`.
    async fn connect(&mut self, request: &str, needs_name: bool) -> bool {
        let address = self.dice.pick(&self.proxies);
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let budget = match self.dice.between(1, 20) {
            1 => usize::MAX,
            2 => 0,
            3..=6 => self.dice.between(1, 8000),
            _ => self.dice.between(300, 1200),
        };
        // A slow one takes a little at a time, and rests.
        let largest = self.dice.pick(if budget < 1200 { &[1, 50, 1000] } else { &[200, 1000, 20_000] });
        let mut rests = self.dice.between(0, 10);
        let (mut received, mut buffer) = (Vec::new(), vec![0; largest]);
        loop {
            let has_head = received.windows(4).any(|window| window == b"\r\n\r\n");
            if received.ends_with(END) || (has_head && received.starts_with(b"HTTP/1.1 204")) {
                self.take(&received);
                return true;
            }
            if received.len() >= budget && (has_head || !needs_name) {
                break;
            }
            let room = budget.saturating_sub(received.len()).clamp(1, buffer.len());
            let what = format!("more of {request:?} behind {:?}", String::from_utf8_lossy(&received));
            let read = soon(&what, socket.read(&mut buffer[..room])).await.unwrap();
            assert!(read > 0, "closed behind {:?}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&buffer[..read]);
            if rests > 0 && self.dice.once_in(20) {
                rests -= 1;
                tokio::time::sleep(Duration::from_millis(self.dice.between(0, 3) as u64)).await;
            }
        }
        self.take(&received);
        self.dropped += 1;
        if self.dice.once_in(3) {
            socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
        }
        false
    }

    /// Keeps what came whole, which must follow what came before.
    fn take(&mut self, received: &[u8]) {
        let head = String::from_utf8_lossy(received).into_owned();
        if self.stream.is_none() {
            self.stream =
                Some(header(&head, "x-sluicegate-stream-id").expect("a stream that can be resumed").to_owned());
        }
        assert!(head.is_empty() || !head.contains("\r\n") || head.starts_with("HTTP/1.1 20"), "{head}");
        let name = self.stream.clone().unwrap();
        for event in events(&String::from_utf8_lossy(&body_of(received))) {
            assert_eq!(event.id, format!("{name}:{}", self.came.len() + 1), "not the next one");
            self.came.push(event);
        }
    }
}
