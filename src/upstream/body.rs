//! The body of an upstream's response, whichever way it comes.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{http1, http2};

/// A response body. Dropping it tells the upstream to stop: its connection closes, or its HTTP/2 stream is reset.
#[derive(Debug)]
pub enum Body {
    /// Straight from its connection.
    Http1(http1::Body),
    /// One stream of a connection that has others.
    Http2(http2::Body),
    /// By way of reqwest.
    Shared(reqwest::Body),
}

/// A body that broke off; says why, and never from which URL.
#[derive(Debug)]
pub struct BrokenBody(String);

impl fmt::Display for BrokenBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BrokenBody {}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BrokenBody;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        match self.get_mut() {
            Self::Http1(body) => Pin::new(body).poll_frame(cx).map_err(|error| BrokenBody(causes(&error))),
            Self::Http2(body) => Pin::new(body).poll_frame(cx).map_err(|error| BrokenBody(causes(&error))),
            Self::Shared(body) => {
                Pin::new(body).poll_frame(cx).map_err(|error| BrokenBody(causes(&error.without_url())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::Shared(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
            Self::Shared(body) => body.size_hint(),
        }
    }
}

/// The whole chain of causes.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
