//! A conversation in HTTP/1.1: hyper's, but for the time of a stream.
//!
//! hyper reads every request and writes every answer whose length is known. A stream takes the connection from it: hyper would
//! keep two buffers of 8 KiB all the while, ask the body twice for every token and find the client as silent as before. A
//! stream needs none of that. It needs its head, chunks ([`writer`]), and a client that takes them; whether the client has
//! gone is watched for on the socket itself. Behind its last chunk the connection goes back to hyper, with whatever had been
//! read of the next request.

mod head;
mod lent;
mod takeover;
mod writer;

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::connection::TELLS_END;
use super::shell::Shell;
use crate::config::server::Server;
use lent::Lent;
use takeover::{Http1Shell, Offer, Takeover};
use writer::StreamWriter;

/// So much of what a client has sent is read and thrown away when its connection is closed.
const LINGER: usize = 64 * 1024;
/// hyper requires at least this.
const MIN_BUFFER: usize = 8 * 1024;

/// Serves requests until the client leaves, something breaks, a shutdown has let the last response go, or something else than
/// HTTP has been agreed on.
pub(super) fn converse<Io>(io: Io, shell: Shell, config: &Server) -> impl Future<Output = ()> + Send + use<Io>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let is_watched = config.tls.is_some() || !TELLS_END;
    let connection = Box::new(Connection { builder: builder(config), shell, takeover: Arc::default(), is_watched });
    let mut part = connection.with_hyper(io, Bytes::new());
    async move {
        while let Some(next) = part.0.as_mut().await {
            part = next;
        }
    }
}

/// A part of a conversation; what it ends in is the next one. Boxed, so that a stream, which lasts, does not hold the room that
/// hyper takes.
struct Part(Pin<Box<dyn Future<Output = Option<Self>> + Send>>);

/// What a connection has in all parts of its conversation.
struct Connection {
    builder: http1::Builder,
    shell: Shell,
    takeover: Arc<Takeover>,
    /// The client's end is looked for by reading also while nothing is asked of it: where the kernel does not tell, and under
    /// TLS, which has an end of its own.
    is_watched: bool,
}

impl Connection {
    /// Lets hyper serve requests over `io`, of which `ahead` has been read already, until one is answered by a stream.
    fn with_hyper<Io>(self: Box<Self>, io: Io, ahead: Bytes) -> Part
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let draining = self.shell.shutdown.draining.clone();
        let lent = TokioIo::new(Lent::new(io, ahead, Arc::clone(&self.takeover)));
        let service = Http1Shell { shell: self.shell.clone(), takeover: Arc::clone(&self.takeover) };
        let mut served = self.builder.serve_connection(lent, service).with_upgrades();
        Part(Box::pin(async move {
            let mut drained = pin!(draining.cancelled());
            let mut is_draining = false;
            let offer = poll_fn(|cx| {
                if !is_draining && drained.as_mut().poll(cx).is_ready() {
                    is_draining = true;
                    Pin::new(&mut served).graceful_shutdown();
                }
                match Pin::new(&mut served).poll(cx) {
                    // Both ways of ending are ordinary: the request's own record tells what became of it.
                    Poll::Ready(_) => Poll::Ready(None),
                    Poll::Pending => self.takeover.take().map_or(Poll::Pending, |offer| Poll::Ready(Some(offer))),
                }
            });
            let Offer { response, is_last } = offer.await?;
            let parts = served.into_parts()?;
            let (io, ahead) = parts.io.into_inner().into_parts(&parts.read_buf);
            let is_last = is_last || draining.is_cancelled();
            Some(self.stream(io, ahead, StreamWriter::new(response, is_last), is_last))
        }))
    }

    /// Writes a stream to `io`, of which `ahead` has been read already, and gives it back to hyper behind it.
    fn stream<Io>(self: Box<Self>, mut io: Io, mut ahead: Bytes, mut writer: StreamWriter, is_last: bool) -> Part
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Part(Box::pin(async move {
            let written = poll_fn(|cx| {
                if self.is_watched && ahead.is_empty() {
                    match poll_read_some(&mut io, cx)? {
                        Poll::Ready(read) if read.is_empty() => {
                            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                        }
                        Poll::Ready(read) => ahead = read,
                        Poll::Pending => {}
                    }
                }
                writer.poll_write_to(&mut io, cx)
            });
            written.await.ok()?;
            drop(writer);
            if is_last || self.shell.shutdown.draining.is_cancelled() {
                close(io).await;
                return None;
            }
            Some(self.with_hyper(io, ahead))
        }))
    }
}

/// Ends a connection whose client may go on sending. Closing a socket that has something unread would tell the client of an
/// error, and could cost it the end of what is on its way.
async fn close(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    // Whether the client hears of it is its own affair.
    let _ = io.shutdown().await;
    let mut unread = LINGER;
    poll_fn(|cx| {
        while let Poll::Ready(Ok(read)) = poll_read_some(&mut io, cx)
            && !read.is_empty()
        {
            unread = unread.saturating_sub(read.len());
            if unread == 0 {
                break;
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// Reads some of what has come; nothing is the end.
fn poll_read_some(io: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
    let mut buffer = [0; 1024];
    let mut buffer = ReadBuf::new(&mut buffer);
    ready!(Pin::new(io).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
}

fn builder(config: &Server) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_headers(config.max_headers)
        .max_header_size(config.max_header_bytes)
        .max_buf_size(config.max_header_bytes.max(MIN_BUFFER));
    builder
}
