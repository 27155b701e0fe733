//! The body of a response, read as it comes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::framing::Framing;
use super::pool::Pool;
use crate::upstream::socket::Socket;

/// A body that owns its connection: dropped early, it closes it; read to its end, it gives it back.
#[derive(Debug)]
pub struct Body {
    /// Gone once the body has ended.
    socket: Option<Socket>,
    framing: Framing,
    /// What came together with the head.
    early: Bytes,
    /// Where the connection goes, if it can be used again.
    pool: Option<Arc<Pool>>,
    /// What is wrong behind the data that has been handed out.
    failure: Option<io::Error>,
}

impl Body {
    pub(super) fn new(socket: Socket, framing: Framing, early: Bytes, pool: Option<Arc<Pool>>) -> Self {
        let mut body = Self { socket: Some(socket), framing, early, pool, failure: None };
        if body.framing.is_done() {
            body.end(body.early.is_empty());
        }
        body
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        while let Some(socket) = &mut self.socket {
            let early = std::mem::take(&mut self.early);
            let framing = &mut self.framing;
            let mut decode = |input: &mut [u8]| {
                let (data, taken) = framing.decode(input);
                (data, taken.map(|taken| taken == input.len()))
            };
            let (data, is_clean) = if early.is_empty() {
                let read = |read: &mut [u8]| (!read.is_empty()).then(|| decode(read));
                match ready!(socket.poll_read_with(cx, read))? {
                    Some(decoded) => decoded,
                    None => return Poll::Ready(self.end_of_connection()),
                }
            } else {
                decode(&mut BytesMut::from(early))
            };
            match is_clean {
                Ok(is_clean) if self.framing.is_done() => self.end(is_clean),
                Ok(_) => {}
                // What came before it is good.
                Err(error) => self.fail(error),
            }
            if !data.is_empty() {
                return Poll::Ready(Ok(Some(data)));
            }
        }
        Poll::Ready(self.failure.take().map_or(Ok(None), Err))
    }

    /// The body is whole. Its connection can be used again if nothing stands behind it.
    fn end(&mut self, is_clean: bool) {
        if let (Some(socket), Some(pool), true) = (self.socket.take(), self.pool.take(), is_clean) {
            pool.put(socket);
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.socket = None;
        self.failure = Some(error);
    }

    fn end_of_connection(&mut self) -> io::Result<Option<Bytes>> {
        self.socket = None;
        match self.framing {
            Framing::UntilClose => Ok(None),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed before the end of the body")),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let data = ready!(self.poll_data(cx));
        if data.is_err() {
            // There is nothing more to be had, and nobody to wait for.
            self.socket = None;
        }
        Poll::Ready(data.map(|data| data.map(Frame::data)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.socket.is_none() && self.failure.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left),
            _ if self.is_end_stream() => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
