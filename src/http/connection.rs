//! A client's socket: written to with a time limit, and watched for its end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::relay::guard::Peer;

/// Whether the kernel tells of a client's end, and [`closed`] does more than wait.
pub(super) const TELLS_END: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Waits until the client has closed its side, orderly or not.
///
/// hyper watches for this too, but only while it would read: with a byte of the next request in its buffer, or a request
/// body that nobody reads, it sees a client leave only when a write fails. The kernel tells at once whoever asks
/// (`EPOLLRDHUP`), however many bytes wait before the end.
///
/// A half-closed connection counts as closed, as it does for nginx: a client that shuts down its sending side and waits is
/// far rarer than one that has gone, and an answer nobody reads costs money.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) async fn closed(socket: &TcpStream) {
    // `READABLE` would be ready for every byte that waits. What tokio knows as `PRIORITY` is ready for urgent data, which
    // the socket is not registered for, and for the end of the reading side.
    let _ = socket.ready(Interest::PRIORITY | Interest::ERROR).await;
}

/// Elsewhere hyper's own watch must do, and that of a stream.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) async fn closed(_socket: &TcpStream) {
    std::future::pending().await
}

/// Pieces are put together up to this many bytes.
const SMALL: usize = 1024;

/// A socket that fails a write which makes no progress for too long.
pub(super) struct ClientStream {
    socket: Arc<TcpStream>,
    peer: Peer,
    write_timeout: Duration,
    /// Runs while the kernel takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl ClientStream {
    pub(super) fn new(socket: Arc<TcpStream>, peer: Peer, write_timeout: Duration) -> Self {
        Self { socket, peer, write_timeout, stalled: None }
    }

    /// Writes once the kernel takes something, or fails once it has taken nothing for too long.
    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.socket.poll_write_ready(cx)?.is_pending() {
                ready!(self.poll_stalled(cx));
                self.peer.set_stalled();
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.stalled = None;
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// Reads what has come; fails with `WouldBlock` if that is nothing.
    ///
    /// A read that does not fill its buffer has emptied the socket. tokio is told so within the read, as if it had been
    /// tried again in vain; that saves the system call that would find it out.
    fn try_read(&self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        let room = buffer.remaining();
        let mut read = 0;
        let result = self.socket.try_io(Interest::READABLE, || {
            // Into memory that nobody has touched yet: an idle connection should not own more than it has used.
            read = self.socket.try_read_buf(buffer)?;
            if (1..room).contains(&read) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        if read > 0 { Ok(()) } else { result }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.write_timeout;
        self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx)
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| socket.try_write(data))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = data.iter().map(|piece| piece.len()).sum();
        if length > SMALL {
            return self.poll_write_with(cx, |socket| socket.try_write_vectored(data));
        }
        // A head and a short body, or what HTTP/2 puts around a token: together they cost the kernel less than as a list.
        let mut joined = [0; SMALL];
        let mut rest = &mut joined[..];
        for piece in data {
            let (start, end) = rest.split_at_mut(piece.len());
            start.copy_from_slice(piece);
            rest = end;
        }
        self.poll_write_with(cx, |socket| socket.try_write(&joined[..length]))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match SockRef::from(&*self.socket).shutdown(std::net::Shutdown::Write) {
            // The client was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}
