//! The way to an upstream over HTTP/2, for requests whose body is in hand. Uploads of unknown length go through reqwest.
//!
//! Many streams share a connection, and must not feel it. So a connection takes only so many, and never more than its server
//! allows; who finds no place on one opens another, up to a limit, behind which requests wait for their turn. What each stream may
//! have under way is a part of what its connection may, so that streams whose clients do not read take nothing from the others.
//!
//! This is h2 itself rather than hyper's client on top of it, for three reasons. h2 counts small frames that nobody has read
//! against a budget and ends the connection with all its streams when that is used up; tokens *are* small frames, and only h2
//! lets the budget be set. It tells a request that was refused unseen from one that broke. And a stream is only its future and
//! its body, without tasks of its own: dropping either resets it.
//!
//! [RFC 9113](https://www.rfc-editor.org/rfc/rfc9113).

mod body;
mod connection;
mod head;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response};
use reqwest::Url;

pub use body::Body;
use connection::Unanswered;
use head::Opening;
use pool::Pool;

use super::connector::{ConnectError, Connector};
use super::http1::Request;

/// What connections to one server may carry.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Streams on one connection at a time; fewer, if the server allows fewer.
    pub streams: u16,
    /// Connections that take new streams.
    pub connections: usize,
    /// After how long a silence on a connection with streams the server must answer a ping, within the same time again.
    pub ping: Option<Duration>,
}

/// Why there is no response.
#[derive(Debug)]
pub enum SendError {
    /// There is no connection. Nothing was sent.
    Connect(ConnectError),
    /// The server has refused the request twice, and says that it has not looked at it.
    Refused(h2::Error),
    /// The connection or the stream broke.
    Broken(h2::Error),
}

/// Sends requests to one server and keeps its connections. Each belongs to the runtime that opened it.
#[derive(Debug)]
pub struct Client {
    /// One for each set of header fields.
    openings: Vec<Opening>,
    pool: Arc<Pool>,
}

impl Client {
    /// A client of the server that `base_url` names. Every request carries one set of `headers`. `tls` is needed for `https`, and must
    /// offer `h2`.
    ///
    /// Connecting may take `connect_timeout`, from the look-up of the name to the server's first settings.
    ///
    /// # Errors
    ///
    /// If TLS cannot be spoken with a host of that name.
    pub fn new(
        base_url: &Url,
        headers: &[HeaderMap],
        tls: Option<Arc<rustls::ClientConfig>>,
        connect_timeout: Duration,
        limits: Limits,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let connector = Connector::new(base_url, tls, connect_timeout)?;
        let openings = headers.iter().map(|headers| Opening::new(base_url, headers)).collect();
        Ok(Self { openings, pool: Arc::new(Pool::new(connector, limits)) })
    }

    /// Sends `request` and waits for the head of the response. Dropping the future resets the stream.
    ///
    /// A request that the server has provably not looked at, because it refused the stream or said goodbye before it came
    /// ([RFC 9113 §8.7](https://www.rfc-editor.org/rfc/rfc9113#section-8.7)), is sent once more, over another connection.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn send(&self, request: Request<'_>) -> Result<Response<Body>, SendError> {
        let mut refused_by = None;
        loop {
            let place = self.pool.place(refused_by.as_ref()).await.map_err(SendError::Connect)?;
            let connection = place.connection();
            match place.ask(self.openings[request.key].head_of(&request), request.body.clone()).await {
                Ok(response) => return Ok(response),
                // It costs nothing to find out, and the connection is not offered again.
                Err(Unanswered::Closed) => self.pool.retire(&connection),
                Err(Unanswered::Refused(_)) if refused_by.is_none() => refused_by = Some(connection),
                Err(Unanswered::Refused(error)) => return Err(SendError::Refused(error)),
                Err(Unanswered::Broken(error)) => return Err(SendError::Broken(error)),
            }
        }
    }

    /// Closes the connections that have been idle for long.
    pub fn sweep(&self) {
        self.pool.sweep();
    }
}
