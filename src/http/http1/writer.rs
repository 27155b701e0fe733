//! A streaming response on its way out: its head, then a chunk for whatever its body has
//! ([RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)).
//!
//! All that a body has in one turn leaves in one write, through one buffer of the thread. Only what the client does not take is
//! kept, and until it has been taken the body is not asked for more: that is the backpressure, through to the upstream.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::{Buf, Bytes};
use http_body::Body as _;
use tokio::io::AsyncWrite;

use super::head;

/// When so much has been put together it is written.
const TURN: usize = 16 * 1024;
/// As much as a chunk holds at most. So a turn is never larger than twice as much, and its head.
const CHUNK: usize = TURN;
/// What a chunk has around its data at most.
const FRAME: usize = 20;
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

thread_local! {
    /// Where a turn's chunks are put together.
    static TURN_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Writes a streaming response, as its client takes it. It is polled rather than awaited because it lives as long as the stream:
/// its size is its fields.
pub(super) struct StreamWriter {
    /// Until it leaves, with what the body has by then.
    head: Vec<u8>,
    /// Until it has ended.
    body: Option<Body>,
    /// What the body has given and no turn has had room for.
    piece: Bytes,
    /// What the client has not taken yet of the last turn.
    rest: Bytes,
    state: State,
}

/// How far a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There may be more.
    Open,
    /// It has all been put together.
    Ended,
    /// It has broken off. The client is to see that: there is no last chunk.
    Broken,
}

impl StreamWriter {
    /// `response`, behind which the connection ends if it `is_last`.
    pub(super) fn new(response: Response, is_last: bool) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            head: head::encode(&parts, is_last),
            body: Some(body),
            piece: Bytes::new(),
            rest: Bytes::new(),
            state: State::Open,
        }
    }

    /// Writes the whole response to `io`.
    ///
    /// # Errors
    ///
    /// If the client does not take it, or the body breaks off.
    pub(super) fn poll_write_to(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut io = Pin::new(io);
        loop {
            ready!(self.poll_rest(io.as_mut(), cx))?;
            match self.state {
                State::Open => {}
                State::Ended => return Poll::Ready(Ok(())),
                State::Broken => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            }
            let mut turn = TURN_BUFFER.take();
            let gathered = self.poll_gather(cx, &mut turn);
            let written = self.write(io.as_mut(), cx, &turn);
            turn.clear();
            TURN_BUFFER.set(turn);
            written?;
            if self.state != State::Open {
                // What it holds is free, however long its last words take.
                self.body = None;
            }
            if gathered.is_pending() && self.rest.is_empty() {
                ready!(io.poll_flush(cx))?;
                return Poll::Pending;
            }
        }
    }

    /// Puts together what the body has by now, as much as makes a turn.
    fn poll_gather(&mut self, cx: &mut Context<'_>, turn: &mut Vec<u8>) -> Poll<()> {
        if !self.head.is_empty() {
            turn.append(&mut std::mem::take(&mut self.head));
        }
        while turn.len() < TURN {
            if !self.piece.is_empty() {
                chunk(turn, &self.piece.split_to(self.piece.len().min(CHUNK)));
                continue;
            }
            let Some(body) = &mut self.body else { break };
            match ready!(Pin::new(body).poll_frame(cx)) {
                // Trailers say nothing to the clients of a stream.
                Some(Ok(frame)) => self.piece = frame.into_data().unwrap_or_default(),
                Some(Err(_)) => {
                    self.state = State::Broken;
                    break;
                }
                None => {
                    turn.extend_from_slice(LAST_CHUNK);
                    self.state = State::Ended;
                    break;
                }
            }
        }
        Poll::Ready(())
    }

    /// Writes `turn` as far as it is taken, and keeps the rest.
    fn write(&mut self, io: Pin<&mut impl AsyncWrite>, cx: &mut Context<'_>, turn: &[u8]) -> io::Result<()> {
        if turn.is_empty() {
            return Ok(());
        }
        let written = match io.poll_write(cx, turn) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        if written < turn.len() {
            self.rest = Bytes::copy_from_slice(&turn[written..]);
        }
        Ok(())
    }

    /// Writes what has not been taken yet.
    fn poll_rest(&mut self, mut io: Pin<&mut impl AsyncWrite>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.rest.is_empty() {
            while !self.rest.is_empty() {
                match ready!(io.as_mut().poll_write(cx, &self.rest))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => self.rest.advance(written),
                }
            }
            // A stream that waits holds nothing.
            self.rest = Bytes::new();
        }
        io.poll_flush(cx)
    }
}

/// Appends `data`, of which there is some, as a chunk. One of no length would be the last.
fn chunk(turn: &mut Vec<u8>, data: &[u8]) {
    turn.reserve(data.len() + FRAME);
    let digits = (usize::BITS - data.len().leading_zeros()).div_ceil(4);
    for place in (0..digits).rev() {
        turn.push(b"0123456789abcdef"[data.len() >> (4 * place) & 15]);
    }
    turn.extend_from_slice(b"\r\n");
    turn.extend_from_slice(data);
    turn.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    /// What a client receives that takes `room` bytes at a time of a body of `pieces`, and whether the response ended well.
    fn receive(pieces: Vec<Result<Vec<u8>, io::Error>>, room: usize) -> (Vec<u8>, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut ours, mut theirs) = duplex(room);
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            let mut writer = StreamWriter::new(Response::new(body), false);
            let write = async {
                let written = std::future::poll_fn(|cx| writer.poll_write_to(&mut ours, cx)).await;
                drop(ours);
                written
            };
            let mut received = Vec::new();
            let (written, read) = tokio::join!(write, theirs.read_to_end(&mut received));
            read.unwrap();
            (received, written.is_ok())
        })
    }

    /// The chunks behind a head.
    fn chunks(received: &[u8]) -> &[u8] {
        let end = memchr::memmem::find(received, b"\r\n\r\n").unwrap();
        &received[end + 4..]
    }

    #[test]
    fn a_body_leaves_in_chunks_and_the_last_one_says_so() {
        let (received, ended) = receive(vec![Ok(b"hello".to_vec()), Ok(Vec::new()), Ok(vec![b'x'; 0x1a0])], 64);
        let expected = [b"5\r\nhello\r\n1a0\r\n", &[b'x'; 0x1a0][..], b"\r\n0\r\n\r\n"].concat();
        assert!(received.starts_with(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ndate: "));
        assert_eq!(String::from_utf8_lossy(chunks(&received)), String::from_utf8_lossy(&expected));
        assert!(ended);
    }

    #[test]
    fn a_body_that_breaks_off_has_no_last_chunk_and_loses_nothing_before() {
        let broken = vec![Ok(b"so far".to_vec()), Err(io::ErrorKind::Other.into()), Ok(b"never".to_vec())];
        let (received, ended) = receive(broken, 16);
        assert_eq!(chunks(&received), b"6\r\nso far\r\n");
        assert!(!ended);
    }

    proptest! {
        #[test]
        fn the_client_gets_every_byte_however_little_it_takes(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 0..6),
            room in 1..30_000_usize,
        ) {
            let mut expected = Vec::new();
            for chunk in pieces.iter().flat_map(|piece| piece.chunks(CHUNK)) {
                expected.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                expected.extend_from_slice(chunk);
                expected.extend_from_slice(b"\r\n");
            }
            expected.extend_from_slice(LAST_CHUNK);
            let (received, ended) = receive(pieces.into_iter().map(Ok).collect(), room);
            prop_assert!(ended);
            prop_assert!(chunks(&received) == expected);
        }
    }
}
