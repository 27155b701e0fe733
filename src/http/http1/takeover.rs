//! How a stream takes the connection that hyper has.

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

/// What hyper's side of a connection and the stream that wants it tell each other, in one task.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    offer: Mutex<Option<Offer>>,
    /// hyper has nothing more to write. It flushes at the end of each of its turns, once its own buffer is empty, and not before.
    /// What lies below, TLS above all, may still have something.
    is_flushed: AtomicBool,
}

/// A response that is to be written without hyper.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) response: Response,
    /// The client wants the connection to end with it.
    pub(super) is_last: bool,
}

impl Takeover {
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
    pub(super) takeover: Arc<Takeover>,
}

impl Service<Request<Incoming>> for Http1Shell {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (shell, takeover) = (self.shell.clone(), Arc::clone(&self.takeover));
        let may_be_taken = may_be_taken(&request);
        let is_last = is_last(request.headers());
        // The request's own: what is left of an earlier one may still be read elsewhere.
        let is_read = Arc::new(AtomicBool::new(request.body().is_end_stream()));
        let request = request.map(|body| Body::new(Watched { body, is_read: Arc::clone(&is_read) }));
        Box::pin(async move {
            let response = shell.answer(request).await;
            // Behind a body that has not been read to its end, nobody but hyper knows where the next request begins.
            if may_be_taken && is_stream(&response) && is_read.load(Relaxed) {
                takeover.set(Offer { response, is_last });
                // hyper waits for an answer until the connection is taken from it.
                return pending().await;
            }
            Ok(response)
        })
    }
}

/// Whether a stream may be written in answer to `request` by somebody else than hyper.
///
/// In HTTP/1.0 a stream ends with its connection; what follows the answer to CONNECT is no HTTP, and nothing streams in answer to
/// HEAD. A request with a transfer coding may have had a length, too: hyper, which has dropped that, closes the connection behind
/// the answer, because somebody on the way may have seen the request end elsewhere
/// ([RFC 9112 §6.1](https://www.rfc-editor.org/rfc/rfc9112#section-6.1-15)).
fn may_be_taken<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11
        && !matches!(*request.method(), Method::HEAD | Method::CONNECT)
        && !request.headers().contains_key(TRANSFER_ENCODING)
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
    is_read: Arc<AtomicBool>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // It has a length, by which hyper knows its end; behind an error there is none.
        if matches!(frame, Some(Ok(_))) && self.body.is_end_stream() {
            self.is_read.store(true, Relaxed);
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
        let takeover = Takeover::default();
        takeover.set(offer());
        assert!(takeover.take().is_none(), "hyper has not flushed yet");
        takeover.flushes();
        takeover.writes();
        assert!(takeover.take().is_none(), "hyper has written behind its flush");
        takeover.flushes();
        assert!(takeover.take().is_some());
        assert!(takeover.take().is_none(), "there is one stream");
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
    fn what_only_hyper_knows_how_to_end_stays_with_it() {
        let request = |method: Method, version: Version| {
            let mut request = Request::new(());
            (*request.method_mut(), *request.version_mut()) = (method, version);
            request
        };
        assert!(may_be_taken(&request(Method::POST, Version::HTTP_11)));
        assert!(may_be_taken(&request(Method::GET, Version::HTTP_11)));
        assert!(!may_be_taken(&request(Method::POST, Version::HTTP_10)));
        assert!(!may_be_taken(&request(Method::HEAD, Version::HTTP_11)));
        assert!(!may_be_taken(&request(Method::CONNECT, Version::HTTP_11)));
        let mut chunked = request(Method::POST, Version::HTTP_11);
        chunked.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        assert!(!may_be_taken(&chunked));
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
