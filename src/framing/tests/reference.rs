//! Server-sent events read the plain way: the whole stream at once, line by line, in the order the standard tells it.
//!
//! It shares nothing with the code under test, and has no chunks and no state that could be wrong together with it.

/// A line that has ended, without its end.
struct Line<'a> {
    text: &'a [u8],
    /// The offset behind its end; for a CRLF also the one between the two.
    ends: Vec<usize>,
}

/// The lines of `stream`. What follows the last line end is no line yet.
fn lines(stream: &[u8]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < stream.len() {
        let ends = match (stream[at], stream.get(at + 1)) {
            (b'\r', Some(b'\n')) => vec![at + 1, at + 2],
            (b'\r' | b'\n', _) => vec![at + 1],
            _ => vec![],
        };
        if ends.is_empty() {
            at += 1;
        } else {
            let text = &stream[start..at];
            at = ends[ends.len() - 1];
            start = at;
            lines.push(Line { text, ends });
        }
    }
    lines
}

/// A place where a stream may be cut.
pub(super) struct Boundary {
    pub(super) at: usize,
    /// How many frames with at least one field end up to here.
    pub(super) frames: u64,
}

/// Every boundary of `stream`: behind an empty line, and behind a comment line outside a frame.
pub(super) fn boundaries(stream: &[u8]) -> Vec<Boundary> {
    let mut boundaries = vec![Boundary { at: 0, frames: 0 }];
    let (mut frames, mut in_frame) = (0, false);
    for line in lines(stream) {
        if line.text.is_empty() {
            frames += u64::from(in_frame);
            in_frame = false;
        } else if in_frame || line.text[0] != b':' {
            in_frame = true;
            continue;
        }
        boundaries.extend(line.ends.into_iter().map(|at| Boundary { at, frames }));
    }
    boundaries
}

/// An event as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) r#type: Vec<u8>,
    pub(super) data: Vec<u8>,
    pub(super) last_event_id: Vec<u8>,
}

/// The events of `stream`. One that has not ended is none.
pub(super) fn events(stream: &[u8]) -> Vec<Event> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut events = Vec::new();
    let (mut kind, mut data, mut id) = (Vec::new(), Vec::new(), Vec::new());
    for Line { text, .. } in lines(stream) {
        let (name, value) = match text.iter().position(|byte| *byte == b':') {
            Some(colon) => (&text[..colon], &text[colon + 1..]),
            None => (text, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"" if text.is_empty() => {
                let (kind, data) = (std::mem::take(&mut kind), std::mem::take(&mut data));
                if let Some(data) = data.strip_suffix(b"\n") {
                    let r#type = if kind.is_empty() { b"message".to_vec() } else { kind };
                    events.push(Event { r#type, data: data.to_vec(), last_event_id: id.clone() });
                }
            }
            b"data" => data.extend([value, b"\n"].concat()),
            b"event" => kind = value.to_vec(),
            b"id" if !value.contains(&0) => id = value.to_vec(),
            _ => {}
        }
    }
    events
}
