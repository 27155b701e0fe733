//! One request on its way out and the head of its response on its way in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use http::Response;
use http::response::Parts;
use tokio::io::AsyncWrite;
use tokio_util::io::poll_write_buf;

use super::body::Body;
use super::framing::Framing;
use super::head;
use super::pool::Pool;
use crate::upstream::socket::Socket;

pub(super) struct Exchange {
    socket: Socket,
    /// What is still to be written.
    outgoing: Chain<io::Cursor<Vec<u8>>, Bytes>,
    is_sent: bool,
    is_head: bool,
    /// What has come of a head that is not whole.
    received: Bytes,
    /// The server takes no more. It may have answered all the same.
    refused: Option<io::Error>,
}

/// Why there is no response.
pub(super) struct Broken {
    pub(super) cause: io::Error,
    /// Nothing of a response has come.
    pub(super) is_silent: bool,
}

impl Exchange {
    pub(super) fn new(socket: Socket, head: Vec<u8>, body: Bytes, is_head: bool) -> Self {
        let outgoing = io::Cursor::new(head).chain(body);
        Self { socket, outgoing, is_sent: false, is_head, received: Bytes::new(), refused: None }
    }

    /// The response, once its head is here. Its body gives the connection to `pool` when it has been read to its end.
    pub(super) async fn response(mut self, pool: &Arc<Pool>) -> Result<Response<Body>, Broken> {
        let head = std::future::poll_fn(|cx| self.poll(cx)).await;
        let is_silent = self.received.is_empty();
        let broken = |cause| Broken { cause, is_silent };
        let (parts, length) = head.map_err(broken)?;
        let framing = Framing::of(parts.status, &parts.headers, self.is_head).map_err(broken)?;
        // An answer that did not wait for all of the request leaves a connection whose state nobody knows.
        let pool = (self.is_sent && head::keeps_alive(&parts)).then(|| Arc::clone(pool));
        let body = Body::new(self.socket, framing, self.received.slice(length..), pool);
        Ok(Response::from_parts(parts, body))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Parts, usize)>> {
        if !self.is_sent && self.refused.is_none() {
            match self.poll_send(cx) {
                Poll::Ready(Err(error)) => self.refused = Some(error),
                Poll::Ready(Ok(())) => self.is_sent = true,
                Poll::Pending => {}
            }
        }
        self.poll_head(cx)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = Pin::new(&mut self.socket);
        while self.outgoing.has_remaining() {
            if ready!(poll_write_buf(socket.as_mut(), cx, &mut self.outgoing))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        socket.poll_flush(cx)
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Parts, usize)>> {
        loop {
            let received = &self.received;
            let more = ready!(self.socket.poll_read_with(cx, |read| match read {
                [] => None,
                read if received.is_empty() => Some(Bytes::copy_from_slice(read)),
                read => Some([received, &*read].concat().into()),
            }));
            self.received = match more {
                Ok(Some(received)) => received,
                Ok(None) => return Poll::Ready(Err(self.refused.take().unwrap_or_else(ended_early))),
                Err(error) => return Poll::Ready(Err(self.refused.take().unwrap_or(error))),
            };
            if let Some(head) = head::parse(&self.received)? {
                return Poll::Ready(Ok(head));
            }
        }
    }
}

fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed before a response came")
}
