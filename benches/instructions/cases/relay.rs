//! A token's way through the response body.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use sluicegate::dialect::{Observer, OpenAiChat};
use sluicegate::framing::{Framing, Splitter};
use sluicegate::upstream::{Body, OpenStream, Seat, Trail};
use tokio::time::Instant;

use super::{Case, clock, frames, splitter, stream};

pub(super) const CASES: &[Case] = &[
    Case { name: "relay/a token", set_up: || relay(frames::token(), 1) },
    Case { name: "relay/16 KiB of tokens in one piece", set_up: || relay(frames::tokens().concat().into(), 1) },
    Case { name: "relay/16 KiB of tokens, a piece each", set_up: || relay(frames::token(), frames::tokens().len()) },
];

/// Between two tokens of a model that is in no hurry.
const PAUSE: Duration = Duration::from_millis(20);

/// What the upstream has sent and nobody has read.
struct Arrived {
    piece: Bytes,
    pieces: Arc<AtomicUsize>,
}

impl http_body::Body for Arrived {
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

/// After a pause, `count` times `piece`, all there at once.
fn relay(piece: Bytes, count: usize) -> Box<dyn FnMut()> {
    let stopped = clock::stop();
    let pieces = Arc::new(AtomicUsize::new(0));
    let mut body = stream::relay(open(Arrived { piece, pieces: Arc::clone(&pieces) }));
    Box::new(move || {
        let _ = &stopped;
        clock::advance(PAUSE);
        pieces.store(count, Relaxed);
        while stream::poll_read(&mut body, &mut Context::from_waker(Waker::noop())).is_pending() {}
    })
}

fn open(body: Arrived) -> OpenStream {
    OpenStream {
        target: stream::target("http://127.0.0.1:9/v1".to_owned()),
        seat: Seat::default(),
        headers: HeaderMap::new(),
        first: Bytes::new(),
        body: Body::Shared(reqwest::Body::wrap(body)),
        splitter: Splitter::new(Framing::EventStream, splitter::LIMIT),
        observer: Observer::new(&OpenAiChat, 1),
        translation: None,
        succession: None,
        asked: Instant::now(),
        trail: Trail::default(),
    }
}
