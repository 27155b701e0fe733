//! What a token costs by every pair of dialects: CPU time per million tokens, from the upstream's bytes to the client's.
//!
//! `cargo bench --bench pairs`
//!
//! Each pair relays the same tokens, one piece each, through a response body that nobody else drives: reading along,
//! translating and writing, without the sockets. Only this thread's time on a processor counts, so a busy machine disturbs it
//! little; the pairs are taken in turns, and the least of the rounds is told.

mod frames;

use std::convert::Infallible;
use std::fs;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::{Body, Frame};
use sluicegate::canonical::ChatRequest;
use sluicegate::config::Config;
use sluicegate::config::provider::{BaseUrl, Origin, Provider};
use sluicegate::dialect::{self, AnswerContext, Dialect, Observer, Shape, Transcoder};
use sluicegate::framing::Splitter;
use sluicegate::relay::Relay;
use sluicegate::relay::guard::{Peer, StreamGuard};
use sluicegate::telemetry::Record;
use sluicegate::upstream::{self, Fleet, OpenStream, Seat, Target, Trail, Translating, Upstream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const TOKENS: usize = 100_000;
const ROUNDS: usize = 5;

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _entered = runtime.enter();
    let pairs: Vec<_> = dialect::ALL.iter().flat_map(|from| dialect::ALL.iter().map(move |to| (*from, *to))).collect();
    let mut least = vec![Duration::MAX; pairs.len()];
    for _ in 0..ROUNDS {
        for (least, (from, to)) in least.iter_mut().zip(&pairs) {
            *least = (*least).min(relay(*from, *to));
        }
    }
    println!("CPU seconds per million tokens; upstreams down, clients across\n");
    print!("{:18}", "");
    dialect::ALL.iter().for_each(|to| print!("{:>18}", to.name()));
    for (from, row) in dialect::ALL.iter().zip(least.chunks(dialect::ALL.len())) {
        print!("\n{:18}", from.name());
        row.iter().for_each(|time| print!("{:>18.2}", time.as_secs_f64() * 1e6 / TOKENS as f64));
    }
    println!();
}

/// The time that [`TOKENS`] tokens take from `from` to `to`.
fn relay(from: &'static dyn Dialect, to: &'static dyn Dialect) -> Duration {
    let (begin, token) = frames::of(from.name());
    let pieces = Arc::new(AtomicUsize::new(0));
    let stream = open(from, to, Arrived { piece: token, pieces: Arc::clone(&pieces) }, begin);
    let record = Record::new("bench".to_owned(), Method::POST, "/".to_owned());
    let guard = StreamGuard::new(record, Peer::default());
    let mut body = Box::pin(Relay::open(stream, &Config::for_testing().stream, guard, CancellationToken::new()));
    let cx = &mut Context::from_waker(Waker::noop());
    let mut drain = |body: &mut Pin<Box<Relay>>| while body.as_mut().poll_frame(cx).is_ready() {};
    drain(&mut body);
    let before = on_processor();
    for _ in 0..TOKENS {
        pieces.store(1, Relaxed);
        drain(&mut body);
    }
    on_processor() - before
}

/// How long this thread has been on a processor.
fn on_processor() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    let nanoseconds = text.split(' ').next().and_then(|figure| figure.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}

/// What the upstream has sent and nobody has read.
struct Arrived {
    piece: Bytes,
    pieces: Arc<AtomicUsize>,
}

impl Body for Arrived {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let pieces = self.pieces.load(Relaxed);
        if pieces == 0 {
            return Poll::Pending;
        }
        self.pieces.store(pieces - 1, Relaxed);
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }
}

fn open(from: &'static dyn Dialect, to: &'static dyn Dialect, body: Arrived, begin: Bytes) -> OpenStream {
    let url = BaseUrl::try_from("http://127.0.0.1:9/v1".to_owned()).expect("a URL");
    let provider = Provider::compatible("upstream", url, Origin::CommandLine);
    let upstream = Upstream::new(&provider, &Config::for_testing().stream).expect("a provider without a key");
    let mut observer = Observer::new(from, 1);
    observer.observe(&begin);
    let context = AnswerContext {
        id: "0".repeat(24),
        created: 0,
        created_nanos: 0,
        request: Arc::new(ChatRequest { model: "model".to_owned(), stream: true, ..ChatRequest::default() }),
        shape: Shape::Chat,
        elapsed: Duration::ZERO,
    };
    let translation = (*from != *to).then(|| {
        let transcoder = Transcoder::new(from, "upstream", to, &context);
        Box::new(Translating { transcoder, client: to, max_bytes: usize::MAX, dropped: Vec::new() })
    });
    OpenStream {
        target: Target::new(Arc::new(upstream), "model".into(), &Fleet::default()),
        seat: Seat::default(),
        headers: HeaderMap::new(),
        first: begin,
        body: upstream::Body::Shared(reqwest::Body::wrap(body)),
        splitter: Splitter::new(from.framing(), 1 << 20),
        observer,
        translation,
        succession: None,
        asked: Instant::now(),
        trail: Trail::default(),
    }
}
