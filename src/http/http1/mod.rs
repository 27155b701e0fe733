//! A conversation in HTTP/1.1: hyper's, but for the time of a stream.
//!
//! hyper reads every request and writes every answer whose length is known. A stream takes the connection from it: hyper would
//! keep two buffers of 8 KiB all the while, ask the body twice for every token and find the client as silent as before. A
//! stream needs none of that. It needs its head, chunks ([`outgoing`]), and a client that takes them; whether the client has
//! gone is watched for on the socket itself. Behind its last chunk the connection goes back to hyper, with whatever had been
//! read of the next request.

mod handover;
mod head;
mod lent;
mod outgoing;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::shell::Shell;
use crate::config::server::Server;
use handover::{Counter, Handover, Offer};
use lent::Lent;
use outgoing::Outgoing;

/// hyper requires at least this.
const MIN_BUFFER: usize = 8 * 1024;

/// Serves requests until the client leaves, something breaks, a shutdown has let the last response go, or something else than
/// HTTP has been agreed on.
pub(super) async fn converse<Io>(io: Io, shell: Shell, config: Arc<Server>)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let draining = shell.shutdown.draining.clone();
    let hyper = builder(&config);
    let handover = Arc::<Handover>::default();
    let mut lent = Lent::new(io, Bytes::new(), Arc::clone(&handover));
    let mut counter = Counter { shell, handover };
    loop {
        // Boxed, so that a stream does not hold the room that hyper takes.
        let Some(taken) = Box::pin(with_hyper(&hyper, lent, counter)).await else { return };
        let Taken { mut io, ahead, offer, counter: back } = taken;
        let is_last = offer.is_last || draining.is_cancelled();
        let mut outgoing = Outgoing::new(offer.response, is_last);
        if poll_fn(|cx| outgoing.poll_write_to(&mut io, cx)).await.is_err() {
            return;
        }
        drop(outgoing);
        if is_last || draining.is_cancelled() {
            // Whether the client hears of it is its own affair.
            let _ = io.shutdown().await;
            return;
        }
        counter = back;
        lent = Lent::new(io, ahead, Arc::clone(&counter.handover));
    }
}

/// A connection that a stream has taken from hyper.
struct Taken<Io> {
    io: Io,
    /// What has been read of the next request.
    ahead: Bytes,
    offer: Offer,
    counter: Counter,
}

/// Lets hyper serve requests until one is answered by a stream; `None` if the conversation ends before that.
async fn with_hyper<Io>(hyper: &http1::Builder, lent: Lent<Io>, counter: Counter) -> Option<Taken<Io>>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (draining, handover) = (counter.shell.shutdown.draining.clone(), Arc::clone(&counter.handover));
    let mut connection = hyper.serve_connection(TokioIo::new(lent), counter).with_upgrades();
    let mut drained = pin!(draining.cancelled());
    let mut is_draining = false;
    let offer = poll_fn(|cx| {
        if !is_draining && drained.as_mut().poll(cx).is_ready() {
            is_draining = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        handover.begin_turn();
        match Pin::new(&mut connection).poll(cx) {
            // Both ways of ending are ordinary: the request's own record tells what became of it.
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => handover.take().map_or(Poll::Pending, |offer| Poll::Ready(Some(offer))),
        }
    })
    .await?;
    let parts = connection.into_parts()?;
    let (io, ahead) = parts.io.into_inner().into_parts(&parts.read_buf);
    Some(Taken { io, ahead, offer, counter: parts.service })
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
