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

pub use body::Body;
use exchange::Exchange;
use head::Opening;
use pool::Pool;

use super::connector::{ConnectError, Connector};

/// A request, ready but for what all requests of the [`Client`] carry.
#[derive(Debug)]
pub struct Request<'a> {
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
    opening: Opening,
    pool: Arc<Pool>,
}

impl Client {
    /// A client of the server that `base_url` names. Every request carries `headers`. `tls` is needed for `https`.
    ///
    /// Connecting may take `connect_timeout`, from the look-up of the name to the end of the TLS handshake.
    ///
    /// # Errors
    ///
    /// If TLS cannot be spoken with a host of that name.
    pub fn new(
        base_url: &Url,
        headers: &HeaderMap,
        tls: Option<Arc<rustls::ClientConfig>>,
        connect_timeout: Duration,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self {
            connector: Connector::new(base_url, tls, connect_timeout)?,
            opening: Opening::new(base_url, headers),
            pool: Arc::default(),
        })
    }

    /// Sends `request` and waits for the head of the response.
    ///
    /// # Errors
    ///
    /// [`SendError`]. Nothing is sent a second time.
    pub async fn send(&self, request: Request<'_>) -> Result<Response<Body>, SendError> {
        let socket = match self.pool.take() {
            Some(socket) => socket,
            None => Box::pin(self.connector.connect()).await?,
        };
        let head = self.opening.head_of(&request);
        let is_head = request.method == Method::HEAD;
        let exchange = Exchange::new(socket, head, request.body, is_head);
        exchange.response(&self.pool).await.map_err(SendError::Broken)
    }

    /// Closes the idle connections that have been idle for long, or that the server has closed.
    pub fn sweep(&self) {
        self.pool.sweep();
    }
}
