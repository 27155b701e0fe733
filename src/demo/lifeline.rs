//! Connections that end with the server.
//!
//! `axum::serve` gives every connection a task of its own, and such a task outlives the future that accepted it: a
//! stream that hangs on purpose would hang on after the server was dropped. Here each socket holds a line to its
//! listener; when the listener is gone the next read fails, and with it the connection, its task and its body.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
};

/// A listener whose sockets do not outlive it.
pub(super) struct Tied<L> {
    listener: L,
    line: watch::Sender<()>,
}

impl<L> Tied<L> {
    pub(super) fn new(listener: L) -> Self {
        Self { listener, line: watch::Sender::new(()) }
    }
}

impl<L: Listener> Listener for Tied<L> {
    type Io = TiedSocket<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (socket, peer) = self.listener.accept().await;
        let mut line = self.line.subscribe();
        // Nothing is ever sent: the only news is that the sender was dropped.
        let listener_gone = Box::pin(async move { while line.changed().await.is_ok() {} });
        (TiedSocket { socket, listener_gone: Some(listener_gone) }, peer)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A socket that reads as broken once its listener is gone.
///
/// Reading is the right place to notice: hyper keeps a read pending for as long as a connection lives, also while a
/// response is being written.
pub(super) struct TiedSocket<S> {
    socket: S,
    /// `None` once it has resolved.
    listener_gone: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> TiedSocket<S> {
    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(gone) = &mut self.listener_gone
            && gone.as_mut().poll(context).is_ready()
        {
            self.listener_gone = None;
        }
        self.listener_gone.is_none()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TiedSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TiedSocket<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
