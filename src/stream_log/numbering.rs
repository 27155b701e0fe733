//! Gives every event of a stream its id.
//!
//! An id stands beside a frame, not in it: the frame's own bytes stay. What is no event gets none and is left out: comments
//! show a reader that the upstream lives, and each reader is shown that anyway; and a frame without data is nothing to a
//! client, except that the SDKs of OpenAI fail on it once they have seen an id.

use std::time::Duration;

use bytes::Bytes;

use super::id::StreamId;
use crate::framing::Framing;
use crate::framing::sse::{self, Event};

/// Numbers the frames of one event stream.
#[derive(Debug)]
pub struct Numbering {
    stream: StreamId,
    last: u64,
    /// When clients are to come back; told with the first event.
    retry: Duration,
    /// The last frame was given the LF that its CR announced, and that is still to come.
    ended_early: bool,
    started: bool,
}

impl Numbering {
    /// Numbers the frames of `stream` from one on.
    pub fn new(stream: StreamId, retry: Duration) -> Self {
        Self { stream, last: 0, retry, ended_early: false, started: false }
    }

    /// Numbers what follows the frame of `stream` with the number `last`.
    pub(super) fn after(last: u64, stream: StreamId, retry: Duration) -> Self {
        Self { last, ..Self::new(stream, retry) }
    }

    /// Takes a run of whole frames and returns those of them that are events, each with its id.
    pub fn number(&mut self, run: &[u8]) -> Vec<Bytes> {
        let mut run = if std::mem::replace(&mut self.started, true) { run } else { sse::strip_bom(run) };
        if std::mem::take(&mut self.ended_early) {
            run = run.strip_prefix(b"\n").unwrap_or(run);
        }
        let mut numbered = Vec::new();
        for frame in Framing::EventStream.frames(run) {
            // The other half of this line end would stand before the next frame, or nowhere.
            self.ended_early = frame.ends_with(b"\r\n\r");
            if Event::parse(frame).data.is_none() {
                continue;
            }
            let mut frame = self.with_id(frame);
            if self.ended_early {
                frame.push(b'\n');
            }
            numbered.push(frame.into());
        }
        numbered
    }

    fn with_id(&mut self, frame: &[u8]) -> Vec<u8> {
        self.last += 1;
        let id = format!("{}:{}", self.stream, self.last);
        if self.last > 1 {
            return sse::with_fields(frame, &[("id", &id)]);
        }
        let retry = self.retry.as_millis().to_string();
        sse::with_fields(frame, &[("id", &id), ("retry", &retry)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(runs: &[&str]) -> (Vec<String>, StreamId) {
        let stream = StreamId::random();
        let mut numbering = Numbering::new(stream, Duration::from_secs(1));
        let frames = runs.iter().flat_map(|run| numbering.number(run.as_bytes()));
        (frames.map(|frame| String::from_utf8(frame.to_vec()).unwrap()).collect(), stream)
    }

    #[test]
    fn an_id_stands_before_the_first_field_in_the_line_ends_of_the_frame() {
        let (frames, id) =
            numbered(&["data: a\n\n", "event: x\r\ndata: b\r\n\r\n: c\r\ndata: c\r\n\r\n", "data: d\r\r"]);
        assert_eq!(
            frames,
            [
                format!("id: {id}:1\nretry: 1000\ndata: a\n\n"),
                format!("id: {id}:2\r\nevent: x\r\ndata: b\r\n\r\n"),
                format!(": c\r\nid: {id}:3\r\ndata: c\r\n\r\n"),
                format!("id: {id}:4\rdata: d\r\r"),
            ]
        );
    }

    #[test]
    fn an_id_of_the_upstream_s_own_stays_and_does_not_win() {
        let (frames, id) = numbered(&["data: a\n\n", "id: 7\nevent: x\ndata: b\n\n"]);
        assert_eq!(frames[1], format!("id: 7\nevent: x\ndata: b\nid: {id}:2\n\n"));
        assert_eq!(Event::parse(frames[1].as_bytes()).id, Some(format!("{id}:2").as_bytes()));
    }

    #[test]
    fn what_is_no_event_gets_no_id() {
        let (frames, id) = numbered(&["\u{feff}: hello\n", ": PROCESSING\n\n", "event: ping\n\n", "data: a\n\n: b\n"]);
        assert_eq!(frames, [format!("id: {id}:1\nretry: 1000\ndata: a\n\n")]);
    }

    #[test]
    fn a_line_end_that_is_cut_in_two_is_whole_in_the_frame_it_ends() {
        let (frames, id) = numbered(&["data: a\r\n\r", "\ndata: b\r\n\r\n"]);
        assert_eq!(
            frames,
            [format!("id: {id}:1\r\nretry: 1000\r\ndata: a\r\n\r\n"), format!("id: {id}:2\r\ndata: b\r\n\r\n")]
        );
    }
}
