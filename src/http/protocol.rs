//! Which HTTP a connection speaks, and its conversation in it.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::http1;
use super::shell::Shell;
use super::stalled::{StreamExecutor, StreamShell};
use crate::config::server::Server;
use crate::relay::guard::Peer;

/// The first bytes of an HTTP/2 connection ([RFC 9113 §3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4)).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How soon to look again at a client that has sent part of a preface.
const PREFACE_POLL: Duration = Duration::from_millis(5);
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);
const H2_MAX_STREAMS: u32 = 200;
/// What one slow HTTP/2 stream may hold in this process.
const H2_SEND_BUFFER: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// Looks at the first bytes of a plain connection without taking them. Waits for as many as it needs.
    ///
    /// hyper-util's own detection waits for ever for a client that sends nothing, or `PRI` and nothing more.
    pub(super) async fn detect(socket: &TcpStream) -> std::io::Result<Self> {
        let mut start = [0; PREFACE.len()];
        loop {
            let length = socket.peek(&mut start).await?;
            if length == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if start[..length] != PREFACE[..length] {
                return Ok(Self::Http1);
            }
            if length == PREFACE.len() {
                return Ok(Self::Http2);
            }
            tokio::time::sleep(PREFACE_POLL).await;
        }
    }

    /// What TLS has agreed on.
    pub(super) fn negotiated(alpn: Option<&[u8]>) -> Self {
        if alpn == Some(b"h2") { Self::Http2 } else { Self::Http1 }
    }
}

/// Serves requests until the client leaves, something breaks, a shutdown has let the last response go, or something else than HTTP has
/// been agreed on.
///
/// Boxed, so that a connection's task, of which there is one for every client, is as large as its own protocol needs and not
/// as the largest one would.
pub(super) type Conversation = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Begins the conversation over `io` in `protocol`.
pub(super) fn converse(
    protocol: Protocol,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shell: Shell,
    config: Arc<Server>,
) -> Conversation {
    match protocol {
        Protocol::Http1 => Box::pin(http1::converse(io, shell, &config)),
        Protocol::Http2 => Box::pin(async move {
            let draining = shell.shutdown.draining.clone();
            let mut connection =
                pin!(http2(&config, shell.peer.clone()).serve_connection(TokioIo::new(io), StreamShell(shell)));
            tokio::select! {
                _ = connection.as_mut() => return,
                () = draining.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        }),
    }
}

fn http2(config: &Server, peer: Peer) -> http2::Builder<StreamExecutor> {
    let mut builder = http2::Builder::new(StreamExecutor { peer, write_timeout: config.write_timeout });
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_TIMEOUT)
        .max_concurrent_streams(H2_MAX_STREAMS)
        .max_send_buf_size(H2_SEND_BUFFER)
        .max_header_list_size(u32::try_from(config.max_header_bytes).unwrap_or(u32::MAX));
    builder
}
