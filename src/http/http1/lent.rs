//! A connection while hyper has it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::takeover::Takeover;

/// Gives hyper what has been read ahead before anything else, and notes when it has no more to write.
pub(super) struct Lent<Io> {
    io: Io,
    ahead: Bytes,
    takeover: Arc<Takeover>,
}

impl<Io> Lent<Io> {
    /// Lends `io`, of which `ahead` has been read already.
    pub(super) fn new(io: Io, ahead: Bytes, takeover: Arc<Takeover>) -> Self {
        Self { io, ahead, takeover }
    }

    /// Takes it back, with what has been read of it and not been used. `read` is what hyper had in its buffer.
    pub(super) fn into_parts(self, read: &[u8]) -> (Io, Bytes) {
        let ahead = if read.is_empty() { self.ahead } else { [read, &self.ahead].concat().into() };
        (self.io, ahead)
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Lent<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let length = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead[..length]);
        self.ahead.advance(length);
        if self.ahead.is_empty() {
            // What lies behind it goes, too.
            self.ahead = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Lent<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.takeover.writes();
        Pin::new(&mut self.io).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.takeover.writes();
        Pin::new(&mut self.io).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.takeover.flushes();
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
