//! The body of a response, read as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};

use super::connection::Place;

/// A body that owns its stream: dropped early, it resets it.
#[derive(Debug)]
pub struct Body {
    /// Gone once the body has ended, so that another stream may take the place. The stream goes first: it says so.
    stream: Option<(RecvStream, Place)>,
    /// How much is still to come, if the server has said.
    left: Option<u64>,
}

impl Body {
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap, place: Place) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let is_over = stream.is_end_stream();
        Self { stream: (!is_over).then_some((stream, place)), left: if is_over { Some(0) } else { length } }
    }

    /// The next piece. What is handed out makes room for as much again: whoever does not ask stops the server.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let Some((stream, place)) = &mut self.stream else {
            return Poll::Ready(None);
        };
        let data = ready!(stream.poll_data(cx)).transpose()?;
        if let Some(data) = &data {
            place.heard();
            stream.flow_control().release_capacity(data.len())?;
            self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
        }
        Poll::Ready(data.map(Ok))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = h2::Error;

    /// Trailers are left where they are: nobody asks for them.
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let data = ready!(self.poll_data(cx));
        if !matches!(data, Some(Ok(_))) {
            self.stream = None;
        }
        Poll::Ready(data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(|(stream, _)| stream.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
