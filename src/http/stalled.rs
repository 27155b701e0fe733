//! HTTP/2 streams whose client takes nothing.
//!
//! The time limit on a socket's writes does not see them: the socket goes on for the connection's other streams while one of
//! them has its flow-control window full. hyper just leaves that stream's body alone, unpolled, its upstream behind it, for
//! as long as the connection lives. So each stream gets a clock of its own here, and is dropped when its time is over: its
//! upstream closes, and the client sees it reset.
//!
//! A connection of HTTP/1.1 has one stream and its socket's time limit, and nothing of this.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::Service;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::shell::Shell;
use crate::relay::guard::Peer;

/// What a client must take of a stream within the time limit: a small part of a large event or file, so that the slow are
/// not taken for the stalled. HTTP/2 cuts what is larger into frames of this size anyway.
const PIECE: usize = 16 * 1024;

tokio::task_local! {
    /// The outflow of the stream whose task this is. hyper puts request, response and body of a stream into one task, which
    /// is all that connects its executor with its service.
    static OUTFLOW: Arc<Outflow>;
}

/// What leaves through one stream.
struct Outflow {
    peer: Peer,
    /// Since when hyper has something in hand that the client makes no room for.
    full_since: Mutex<Option<Instant>>,
}

impl Outflow {
    fn full_since(&self) -> Option<Instant> {
        *self.full_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_full_since(&self, since: Option<Instant>) {
        *self.full_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Waits until the client has made no room for `limit`. A token costs this no timer: it looks once in a `limit`.
    async fn stalled(&self, limit: Duration) {
        loop {
            let since = self.full_since();
            tokio::time::sleep_until(since.unwrap_or_else(Instant::now) + limit).await;
            if since.is_some() && since == self.full_since() {
                return self.peer.set_stalled();
            }
        }
    }
}

/// Runs the streams of one connection, each as a task that ends early when its client stalls.
#[derive(Clone)]
pub(super) struct StreamExecutor {
    pub(super) peer: Peer,
    pub(super) write_timeout: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let outflow = Arc::new(Outflow { peer: self.peer.stream(), full_since: Mutex::default() });
        let limit = self.write_timeout;
        tokio::spawn(OUTFLOW.scope(Arc::clone(&outflow), async move {
            tokio::select! {
                () = stream => {}
                () = outflow.stalled(limit) => {}
            }
        }));
    }
}

/// The service of a connection whose streams are run by a [`StreamExecutor`].
pub(super) struct StreamShell(pub(super) Shell);

impl Service<Request<Incoming>> for StreamShell {
    type Response = Response<Outgoing>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let shell = self.0.clone();
        Box::pin(async move {
            let outflow = OUTFLOW.get();
            let shell = Shell { peer: outflow.peer.clone(), ..shell };
            let response = shell.answer(request.map(Body::new)).await;
            Ok(response.map(|body| Outgoing { body, rest: Bytes::new(), outflow }))
        })
    }
}

pin_project! {
    /// A body that notes when it is asked for more, and hands out what it has in pieces.
    pub(super) struct Outgoing {
        #[pin]
        body: Body,
        rest: Bytes,
        outflow: Arc<Outflow>,
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut this = self.project();
        // Whoever asks for more has got rid of the last piece.
        this.outflow.set_full_since(None);
        if this.rest.is_empty() {
            match ready!(this.body.as_mut().poll_frame(cx)).map(|result| result.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => *this.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        this.outflow.set_full_since(Some(Instant::now()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    /// hyper asks before it takes the first piece, so there is no rest to count.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
