//! Where a stream waits for the connection that hyper still has.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;

use crate::http::shell::Shell;

/// What hyper's side of a connection and the stream that wants it tell each other. All of it happens in one task.
#[derive(Debug, Default)]
pub(super) struct Handover {
    offer: Mutex<Option<Offer>>,
    /// The request has been read to its end. Before that, what follows belongs to its body.
    is_read: AtomicBool,
    /// hyper has nothing more to write. It flushes at the end of each of its turns, once its own buffers are empty, and not before.
    is_flushed: AtomicBool,
}

/// A response that is to be written without hyper.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) response: Response,
    /// The client wants the connection to end with it.
    pub(super) is_last: bool,
}

impl Handover {
    /// hyper is about to have its turn.
    pub(super) fn begin_turn(&self) {
        self.is_flushed.store(false, Relaxed);
    }

    /// hyper writes.
    pub(super) fn writes(&self) {
        self.is_flushed.store(false, Relaxed);
    }

    /// hyper has written all that it had.
    pub(super) fn flushes(&self) {
        self.is_flushed.store(true, Relaxed);
    }

    /// The response that waits, once hyper's turn has left nothing to be written before it.
    pub(super) fn take(&self) -> Option<Offer> {
        if !self.is_flushed.load(Relaxed) {
            return None;
        }
        self.offer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, offer: Offer) {
        *self.offer.lock().unwrap_or_else(PoisonError::into_inner) = Some(offer);
    }
}

/// The service of a connection in HTTP/1.1: hands hyper what has a length, and keeps what streams.
pub(super) struct Http1Shell {
    pub(super) shell: Shell,
    pub(super) handover: Arc<Handover>,
}

impl Service<Request<Incoming>> for Http1Shell {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (shell, handover) = (self.shell.clone(), Arc::clone(&self.handover));
        // In HTTP/1.0 the end of the connection is the end of a stream, and nothing streams in answer to HEAD: hyper knows.
        let may_chunk = request.version() == Version::HTTP_11 && request.method() != Method::HEAD;
        let is_last = is_last(request.headers());
        handover.is_read.store(request.body().is_end_stream(), Relaxed);
        let request = request.map(|body| Body::new(Watched { body, handover: Arc::clone(&handover) }));
        Box::pin(async move {
            let response = shell.answer(request).await;
            if may_chunk && is_stream(&response) && handover.is_read.load(Relaxed) {
                handover.set(Offer { response, is_last });
                // hyper waits for an answer until the connection is taken from it.
                return pending().await;
            }
            Ok(response)
        })
    }
}

/// Whether the client says that it will ask nothing more over this connection.
fn is_last(headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    options.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(b"close"))
}

/// Whether `response` has a body, of a length that nobody knows or announces.
fn is_stream(response: &Response) -> bool {
    let (status, headers, body) = (response.status(), response.headers(), response.body());
    let has_body = !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) && !status.is_informational();
    let is_framed = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].iter().any(|name| headers.contains_key(name));
    has_body && !is_framed && !body.is_end_stream() && body.size_hint().exact().is_none()
}

/// A request's body that notes when it has been read to its end.
struct Watched {
    body: Incoming,
    handover: Arc<Handover>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.handover.is_read.store(true, Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn offer() -> Offer {
        Offer { response: Response::new(Body::empty()), is_last: false }
    }

    #[test]
    fn a_stream_waits_until_hyper_has_nothing_more_to_write() {
        let handover = Handover::default();
        handover.flushes();
        handover.begin_turn();
        handover.set(offer());
        assert!(handover.take().is_none(), "hyper has not flushed in this turn");
        handover.flushes();
        handover.writes();
        assert!(handover.take().is_none(), "hyper has written behind its flush");
        handover.flushes();
        assert!(handover.take().is_some());
        assert!(handover.take().is_none(), "there is one stream");
    }

    #[test]
    fn only_who_says_close_wants_to_close() {
        let is_last = |values: &[&'static str]| {
            let fields = values.iter().map(|value| (CONNECTION, HeaderValue::from_static(value)));
            super::is_last(&fields.collect())
        };
        assert!(is_last(&["close"]) && is_last(&["x, Close"]) && is_last(&["keep-alive", "CLOSE"]));
        assert!(!is_last(&[]) && !is_last(&["keep-alive"]) && !is_last(&["closed, close-not"]));
    }

    #[test]
    fn a_stream_is_a_body_of_unknown_length() {
        let response = |status: StatusCode, body: Body| {
            let mut response = Response::new(body);
            *response.status_mut() = status;
            response
        };
        let endless = || Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
        assert!(is_stream(&response(StatusCode::OK, endless())));
        assert!(is_stream(&response(StatusCode::BAD_GATEWAY, endless())));
        assert!(!is_stream(&response(StatusCode::OK, Body::from("known"))));
        assert!(!is_stream(&response(StatusCode::OK, Body::empty())));
        assert!(!is_stream(&response(StatusCode::NO_CONTENT, endless())));
        assert!(!is_stream(&response(StatusCode::SWITCHING_PROTOCOLS, endless())));
        let mut announced = response(StatusCode::OK, endless());
        announced.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("7"));
        assert!(!is_stream(&announced));
    }
}
