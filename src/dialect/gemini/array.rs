//! A stream for clients that ask for one without `alt=sse`: one JSON array, an element at a time.

use crate::framing::Framing;
use crate::framing::sse;

/// Turns the frames of a stream, relayed or translated, into the elements of an array.
///
/// A failure is an element like the others: whoever tells it pushes the dialect's error frame, and ends the array.
#[derive(Debug, Default)]
pub struct ArrayWriter {
    started: bool,
    has_elements: bool,
}

impl ArrayWriter {
    /// What shows a client that the array goes on, to be written between two elements: white space.
    pub const KEEP_ALIVE: &[u8] = b"\n";

    /// An array of which nothing is written.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a run of whole frames and returns what is to be written of it.
    pub fn push(&mut self, run: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(run.len());
        let text = if std::mem::replace(&mut self.started, true) { run } else { sse::strip_bom(run) };
        for event in Framing::EventStream.events(text) {
            // Comments have no data, and what is no object, such as another dialect's end, is no element.
            let Some(data) = event.data.as_deref().filter(|data| data.trim_ascii_start().starts_with(b"{")) else {
                continue;
            };
            let had_elements = std::mem::replace(&mut self.has_elements, true);
            out.extend_from_slice(if had_elements { b",\r\n" } else { b"[" });
            out.extend_from_slice(data);
        }
        out
    }

    /// The stream has ended, or failed and said so: what is to be written last.
    pub fn end(&mut self) -> Vec<u8> {
        if self.has_elements { b"\r\n]\r\n".to_vec() } else { b"[]\r\n".to_vec() }
    }
}
