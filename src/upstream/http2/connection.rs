//! One connection: what is agreed at its beginning, the streams on it, the task that drives it.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong, Reason};
use http::{Request as Head, Response};
use rustls::AlertDescription;
use tokio::time::timeout;

use super::Limits;
use super::body::Body;
use super::pool::Pool;
use crate::upstream::connector::{ConnectError, Connector};
use crate::upstream::socket::Socket;

/// What one stream may have under way or unread, in bytes: about HTTP/2's own default, and at 100 ms from the server still 640 KB/s.
/// A connection may have as much for each of its streams, so none can take what is another's.
const STREAM_WINDOW: u32 = 64 * 1024;
/// What h2 may count against one stream for frames that nobody has read: for each what it is shorter than 256 bytes. The least
/// that an event of a stream can be, some 30 bytes, fills the window before it fills this.
const STREAM_OVERHEAD: usize = 512 * 1024;
/// More is no head of a model server's.
const MAX_HEAD_BYTES: u32 = 64 * 1024;
/// A server that answers a TLS handshake for HTTP/2 with something else.
const DISAGREES: &str = "over TLS the server does not agree to HTTP/2; configure http2 = false";
/// What [`SendRequest::current_max_send_streams`] says until the server's settings have come, which never says so itself.
const UNSETTLED: usize = usize::MAX - 1;

/// A connection as long as streams may be opened on it. Without it and without streams it closes.
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    life: Arc<Life>,
}

/// What is known of a connection, by those who use it and the task that drives it.
#[derive(Debug, Default)]
struct Life {
    streams: AtomicUsize,
    /// Something has come since the last look.
    is_heard: AtomicBool,
    is_over: AtomicBool,
}

/// Why a request on a connection has no response.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The connection takes no new streams. Nothing was sent.
    Closed,
    /// The server has not looked at it, and says so.
    Refused(h2::Error),
    /// The connection or the stream broke.
    Broken(h2::Error),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("life", &self.life).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, waits for the server's settings, and returns the connection with the task that it lives by.
    pub(super) async fn open(
        connector: &Connector,
        limits: &Limits,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static), ConnectError> {
        let within = timeout(connector.timeout, async {
            let socket = connector.connect().await.map_err(explained)?;
            settle(socket, limits).await.map_err(ConnectError::failed)
        });
        let (requests, connection) = within.await.map_err(|_| ConnectError::Timeout)??;
        let life = Arc::<Life>::default();
        let task = drive(connection, Arc::clone(&life), limits.ping);
        Ok((Self { requests, life }, task))
    }

    /// How many streams the server allows.
    pub(super) fn allowed(&self) -> usize {
        self.requests.current_max_send_streams()
    }

    /// How many there are.
    pub(super) fn streams(&self) -> usize {
        self.life.streams.load(Ordering::Relaxed)
    }

    pub(super) fn is_over(&self) -> bool {
        self.life.is_over.load(Ordering::Relaxed)
    }
}

/// A stream's place on a connection, and another's when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connection: Arc<Connection>,
    pool: Arc<Pool>,
}

impl Place {
    pub(super) fn new(connection: Arc<Connection>, pool: Arc<Pool>) -> Self {
        connection.life.streams.fetch_add(1, Ordering::Relaxed);
        Self { connection, pool }
    }

    pub(super) fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }

    /// The server has shown life.
    pub(super) fn heard(&self) {
        self.connection.life.is_heard.store(true, Ordering::Relaxed);
    }

    /// Sends a request and waits for the head of the response.
    pub(super) async fn ask(self, head: Head<()>, body: Bytes) -> Result<Response<Body>, Unanswered> {
        let ready = self.connection.requests.clone().ready();
        let mut requests = ready.await.map_err(|_| Unanswered::Closed)?;
        let (response, mut outgoing) = requests.send_request(head, body.is_empty()).map_err(Unanswered::Broken)?;
        if !body.is_empty() {
            // All of it at once: it is in memory already, and h2 sends of it what the server takes. What is wrong with the
            // stream, if anything is, the response tells.
            let _ = outgoing.send_data(body, true);
        }
        drop((requests, outgoing));
        let (parts, stream) = response.await.map_err(Unanswered::of)?.into_parts();
        self.heard();
        let body = Body::new(stream, &parts.headers, self);
        Ok(Response::from_parts(parts, body))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.life.streams.fetch_sub(1, Ordering::Relaxed);
        self.pool.freed();
    }
}

impl Unanswered {
    /// h2 tells a stream of a server's goodbye only if it came behind the last one that the server will look at.
    fn of(error: h2::Error) -> Self {
        let is_unseen = error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM);
        if error.is_remote() && is_unseen { Self::Refused(error) } else { Self::Broken(error) }
    }
}

/// `error`, in plainer words if the server would speak something else over TLS.
fn explained(error: ConnectError) -> ConnectError {
    let ConnectError::Failed(cause) = &error else { return error };
    let tls = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match tls.and_then(|cause| cause.downcast_ref()) {
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => ConnectError::failed(DISAGREES),
        _ => error,
    }
}

/// Begins HTTP/2 on `socket`. Until the server's settings are here, nobody knows how many streams it takes, nor whether it
/// speaks HTTP/2 at all.
async fn settle(
    socket: Socket,
    limits: &Limits,
) -> Result<(SendRequest<Bytes>, h2::client::Connection<Socket, Bytes>), String> {
    if !socket.may_speak_http2() {
        return Err(DISAGREES.to_owned());
    }
    let no_http2 = |error: h2::Error| format!("the server does not speak HTTP/2 ({error}); configure http2 = false");
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_header_list_size(MAX_HEAD_BYTES)
        .initial_max_send_streams(UNSETTLED)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW * u32::from(limits.streams))
        .data_frame_budget(STREAM_OVERHEAD * usize::from(limits.streams))
        // Counted over all of a connection's life, frames that come late for streams that were reset would end it one day.
        .max_local_error_reset_streams(None);
    let (requests, mut connection) = builder.handshake(socket).await.map_err(no_http2)?;
    let settings = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        Poll::Ready(end) => Poll::Ready(end.map(|()| false)),
        Poll::Pending if requests.current_max_send_streams() == UNSETTLED => Poll::Pending,
        Poll::Pending => Poll::Ready(Ok(true)),
    });
    match settings.await.map_err(no_http2)? {
        true if requests.current_max_send_streams() > 0 => Ok((requests, connection)),
        true => Err("the server takes no streams".to_owned()),
        false => Err("the server closed the connection before its settings came".to_owned()),
    }
}

/// Reads and writes for all streams, until the connection ends or the server does not answer.
async fn drive(connection: h2::client::Connection<Socket, Bytes>, life: Arc<Life>, ping: Option<Duration>) {
    let mut connection = connection;
    let pings = connection.ping_pong();
    let silence = async {
        match (pings, ping) {
            (Some(pings), Some(interval)) => unanswered_ping(pings, &life, interval).await,
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        end = &mut connection => if let Err(error) = end {
            tracing::debug!(%error, "an HTTP/2 connection to an upstream broke");
        },
        () = silence => tracing::debug!("an upstream does not answer pings; its HTTP/2 connection is closed"),
    }
    life.is_over.store(true, Ordering::Relaxed);
}

/// Waits until a ping has found no answer within `interval`. It is sent after as long a silence, while there are streams.
async fn unanswered_ping(mut pings: PingPong, life: &Life, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        if life.is_heard.swap(false, Ordering::Relaxed) || life.streams.load(Ordering::Relaxed) == 0 {
            continue;
        }
        let mut pong = pin!(pings.ping(Ping::opaque()));
        loop {
            match timeout(interval, &mut pong).await {
                // An error is the connection's, which ends by it.
                Ok(_) => break,
                // Whoever speaks is alive, even if he does not answer.
                Err(_) if life.is_heard.swap(false, Ordering::Relaxed) => {}
                Err(_) => return,
            }
        }
    }
}
