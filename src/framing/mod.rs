//! Bytes on the wire, cut where the wire format says a unit ends.
//!
//! Nothing here knows what a frame means, and nothing here does I/O: bytes in, bytes out. [`splitter`] finds the places
//! where a stream may be cut without hurting anyone, [`sse`] reads one frame.

pub mod splitter;
pub mod sse;
#[cfg(test)]
mod tests;

use memchr::memchr;

pub use splitter::{FrameTooLarge, Splitter};

use sse::Event;

/// How a stream of frames is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    EventStream,
    /// One JSON object a line, `application/x-ndjson`.
    JsonLines,
}

impl Framing {
    /// Cuts a run of whole frames into frames.
    pub fn frames(self, run: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = run;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let length = match self {
                Self::EventStream => sse::frame_length(rest),
                Self::JsonLines => memchr(b'\n', rest).map_or(rest.len(), |end| end + 1),
            };
            let (frame, behind) = rest.split_at(length);
            rest = behind;
            Some(frame)
        })
    }

    /// The event that `frame` is. A line of JSON is an event without a name; an empty one has no data.
    pub fn parse(self, frame: &[u8]) -> Event<'_> {
        match self {
            Self::EventStream => Event::parse(frame),
            Self::JsonLines => {
                let line = frame.trim_ascii();
                Event { data: (!line.is_empty()).then_some(line.into()), ..Event::default() }
            }
        }
    }

    /// `frame`, whose end never came, with that end.
    pub fn end_frame(self, frame: &[u8]) -> Vec<u8> {
        match self {
            Self::EventStream => sse::end_frame(frame),
            Self::JsonLines => [frame, b"\n"].concat(),
        }
    }

    /// The media type of such a stream.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::EventStream => "text/event-stream",
            Self::JsonLines => "application/x-ndjson",
        }
    }

    /// The events in a run of whole frames.
    pub fn events(self, run: &[u8]) -> impl Iterator<Item = Event<'_>> {
        self.frames(run).map(move |frame| self.parse(frame))
    }
}
