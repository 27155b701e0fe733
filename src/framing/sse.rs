//! Reads single server-sent events, and the bytes we write between them.
//!
//! The rules are those of [WHATWG HTML §9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation),
//! on bytes: nothing here decodes UTF-8, so a frame with malformed text is still a frame.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::{memchr, memchr2};

/// A comment that keeps idle connections alive.
///
/// A single line without an empty one behind it: an empty line dispatches an event, and OpenAI's and Anthropic's Python
/// SDKs fail on one that has no data once they have seen an `id:`.
pub const KEEP_ALIVE: &[u8] = b": keep-alive\n";

/// A comment where another upstream goes on with a stream. As a keep-alive it has no empty line behind it.
pub const SWITCHED: &[u8] = b": continued by another upstream\n";

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The fields of one frame.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event type, if the frame names one.
    pub event: Option<&'a [u8]>,
    /// The data lines joined with LF; `None` if the frame has no `data` field.
    pub data: Option<Cow<'a, [u8]>>,
    /// The value of the last `id` field without a NUL.
    pub id: Option<&'a [u8]>,
    /// The reconnection time in milliseconds, if it is all digits.
    pub retry: Option<u64>,
    /// The value of a field named `error`. No standard knows it; llama.cpp and its relatives report failures in it.
    pub error: Option<&'a [u8]>,
}

impl<'a> Event<'a> {
    /// Reads the fields of `frame`. Whatever the standard ignores is ignored; this cannot fail.
    pub fn parse(frame: &'a [u8]) -> Self {
        let mut event = Self::default();
        for line in lines(frame) {
            let (name, value) = match memchr(b':', line) {
                Some(colon) => (&line[..colon], line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..])),
                None => (line, &line[..0]),
            };
            match name {
                b"data" => event.append_data(value),
                b"event" => event.event = Some(value),
                b"id" if memchr(0, value).is_none() => event.id = Some(value),
                b"retry" => event.retry = parse_digits(value).or(event.retry),
                b"error" => event.error = Some(value),
                _ => {}
            }
        }
        event
    }

    fn append_data(&mut self, value: &'a [u8]) {
        match &mut self.data {
            None => self.data = Some(Cow::Borrowed(value)),
            Some(data) => {
                let data = data.to_mut();
                data.push(b'\n');
                data.extend_from_slice(value);
            }
        }
    }
}

/// Removes the one byte order mark that a stream may start with.
pub fn strip_bom(stream: &[u8]) -> &[u8] {
    stream.strip_prefix(BOM).unwrap_or(stream)
}

/// `frame`, whose empty line never came, with that line. One more would be an event of its own; see [`KEEP_ALIVE`].
pub fn end_frame(frame: &[u8]) -> Vec<u8> {
    // Behind a lone CR the first LF makes it a CRLF.
    let end: &[u8] = if frame.ends_with(b"\n") { b"\n" } else { b"\n\n" };
    [frame, end].concat()
}

/// An event called `name`, if it has a name, whose data is `json`.
pub fn write_json(name: Option<&str>, json: &[u8]) -> Bytes {
    let mut event = name.map_or_else(Vec::new, |name| format!("event: {name}\n").into_bytes());
    event.extend_from_slice(b"data: ");
    // The text may be spread over lines, and an event's data line may not. Outside of strings a line break is white space to
    // JSON; inside of them there is none.
    event.extend(json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// `frame` with more `fields`, its own bytes untouched: in front of its first field, or behind its last where it has an `id`
/// of its own, because the last of two counts. The lines end as the frame's do.
pub fn with_fields(frame: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    let (mut first, mut behind, mut line_ending, mut has_id) = (None, 0, &b"\n"[..], false);
    let mut at = 0;
    for line in lines(frame) {
        let (start, end) = (at, (at + line.len() < frame.len()).then(|| line_end(frame, at + line.len())));
        at = end.unwrap_or(frame.len());
        if line.is_empty() || line.starts_with(b":") {
            continue;
        }
        first.get_or_insert(start);
        has_id |= line == b"id" || line.starts_with(b"id:");
        behind = at;
        line_ending = &frame[start + line.len()..at];
    }
    let place = if has_id { behind } else { first.unwrap_or(0) };
    let mut out = Vec::with_capacity(frame.len() + 64);
    out.extend_from_slice(&frame[..place]);
    for (name, value) in fields {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(line_ending);
    }
    out.extend_from_slice(&frame[place..]);
    out
}

/// The length of the first frame in `run`, up to and including the empty line that ends it; all of it if none does.
///
/// A comment line outside a frame goes with the frame that follows it.
pub(super) fn frame_length(run: &[u8]) -> usize {
    let mut at = 0;
    while let Some(length) = memchr2(b'\n', b'\r', &run[at..]) {
        let end = line_end(run, at + length);
        // Empty lines before the first field belong to no frame; they are left at the front.
        if length == 0 && at > 0 {
            return end;
        }
        at = end;
    }
    run.len()
}

/// The offset behind the line end that starts at `at`.
fn line_end(bytes: &[u8], at: usize) -> usize {
    if bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n') { at + 2 } else { at + 1 }
}

/// The lines of `frame` without their ends.
fn lines(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = &rest[..length];
        rest = if length < rest.len() { &rest[line_end(rest, length)..] } else { &[] };
        Some(line)
    })
}

fn parse_digits(value: &[u8]) -> Option<u64> {
    if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        std::str::from_utf8(value).ok()?.parse().ok()
    } else {
        None
    }
}
