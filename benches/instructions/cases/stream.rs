//! What a stream is made of, and who reads it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Method;
use http_body::Body;
use sluicegate::config::Config;
use sluicegate::config::provider::{BaseUrl, Origin, Provider};
use sluicegate::relay::Relay;
use sluicegate::relay::guard::{Peer, StreamGuard};
use sluicegate::telemetry::Record;
use sluicegate::upstream::{Fleet, OpenStream, Target, Upstream};
use tokio_util::sync::CancellationToken;

/// A response body as the server has it, which does not know what it polls.
pub(super) type ResponseBody = Pin<Box<dyn Body<Data = Bytes, Error = Infallible>>>;

/// A model served at `url`.
pub(super) fn target(url: String) -> Target {
    // As main does. Another case may have done so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = BaseUrl::try_from(url).expect("a URL");
    let provider = Provider::compatible("upstream", url, Origin::CommandLine);
    let upstream = Upstream::new(&provider, &Config::for_testing().stream).expect("a provider without a key");
    Target::new(Arc::new(upstream), "model".into(), &Fleet::default())
}

/// What a client is given of `stream`.
pub(super) fn relay(stream: OpenStream) -> ResponseBody {
    let record = Record::new("bench".to_owned(), Method::POST, "/v1/chat/completions".to_owned());
    let guard = StreamGuard::new(record, Peer::default());
    Box::pin(Relay::open(stream, &Config::for_testing().stream, guard, CancellationToken::new()))
}

/// Reads as whoever writes to a client does: again until there is nothing more. Ready once something has come.
pub(super) fn poll_read(body: &mut ResponseBody, cx: &mut Context<'_>) -> Poll<()> {
    let mut has_come = false;
    while let Poll::Ready(frame) = body.as_mut().poll_frame(cx) {
        assert!(frame.is_some(), "no stream ends here");
        has_come = true;
    }
    if has_come { Poll::Ready(()) } else { Poll::Pending }
}
