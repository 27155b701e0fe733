//! The way to an upstream over HTTP/1.1, for requests whose body is in hand.
//!
//! A token is worth one read and one write, so there is nothing else between the two sockets: no task of the upstream's own,
//! no channel from it, no buffer that a stream keeps while it waits. The connection is driven by whoever reads the response's
//! [`Body`], within the client's own task; what is read goes through one buffer of the thread and is copied out at its true
//! size; and dropping the body closes the connection there and then.
//!
//! Only what an exchange of a proxy needs is here: one request, written whole, and its response
//! ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112)). HTTP/2 is [`http2`](super::http2)'s concern; uploads of
//! unknown length go through reqwest.

mod body;
pub mod chunked;
mod exchange;
mod framing;
mod head;
mod pool;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use reqwest::Url;
use tokio::time::Instant;

pub use body::Body;
use exchange::{Broken, Exchange};
use head::Opening;
pub(crate) use head::write_field;
use pool::Pool;

use super::connector::{ConnectError, Connector};
use super::socket::Socket;

/// A kept connection that ends so soon after a request, without a word, was being closed when the request met it. One that
/// ends later may have ended over the request.
const POOL_RACE: Duration = Duration::from_secs(1);

/// A request, ready but for what all requests of the [`Client`] carry.
#[derive(Debug)]
pub struct Request<'a> {
    /// Which of the sets of header fields that the [`Client`] has it carries.
    pub key: usize,
    /// The method.
    pub method: &'a Method,
    /// The path that every path here begins with, without a slash at its end.
    pub base_path: &'a str,
    /// What is appended to it, with its query.
    pub path: &'a str,
    /// Header fields beside those of all requests, which win over these.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no response.
#[derive(Debug)]
pub enum SendError {
    /// There is no connection.
    Connect(ConnectError),
    /// The connection broke, or what came over it was no HTTP.
    Broken(io::Error),
}

impl From<ConnectError> for SendError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

/// Sends requests to one server and keeps its idle connections.
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    /// One for each set of header fields.
    openings: Vec<Opening>,
    pool: Arc<Pool>,
}

impl Client {
    /// A client of the server that `base_url` names. Every request carries one set of `headers`. `tls` is needed for `https`.
    ///
    /// Connecting may take `connect_timeout`, from the look-up of the name to the end of the TLS handshake.
    ///
    /// # Errors
    ///
    /// If TLS cannot be spoken with a host of that name.
    pub fn new(
        base_url: &Url,
        headers: &[HeaderMap],
        tls: Option<Arc<rustls::ClientConfig>>,
        connect_timeout: Duration,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self {
            connector: Connector::new(base_url, tls, connect_timeout)?,
            openings: headers.iter().map(|headers| Opening::new(base_url, headers)).collect(),
            pool: Arc::default(),
        })
    }

    /// Sends `request` and waits for the head of the response.
    ///
    /// # Errors
    ///
    /// [`SendError`]. Nothing is sent a second time, but what met a connection that its server was about to close.
    pub async fn send(&self, request: Request<'_>) -> Result<Response<Body>, SendError> {
        if let Some(socket) = self.pool.take() {
            let sent = Instant::now();
            match self.exchange(socket, &request).await {
                Err(broken) if broken.is_silent && sent.elapsed() < POOL_RACE => {}
                result => return result.map_err(|broken| SendError::Broken(broken.cause)),
            }
        }
        let socket = Box::pin(self.connector.connect()).await?;
        self.exchange(socket, &request).await.map_err(|broken| SendError::Broken(broken.cause))
    }

    async fn exchange(&self, socket: Socket, request: &Request<'_>) -> Result<Response<Body>, Broken> {
        let head = self.openings[request.key].head_of(request);
        let exchange = Exchange::new(socket, head, request.body.clone(), request.method == Method::HEAD);
        exchange.response(&self.pool).await
    }

    /// Closes the idle connections that have been idle for long, or that the server has closed.
    pub fn sweep(&self) {
        self.pool.sweep();
    }
}
