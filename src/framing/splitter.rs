//! Cuts a byte stream into runs of whole frames.
//!
//! A proxy may write its own bytes (a keep-alive, an error) only between two frames, and must never forward half a frame
//! it might not be able to finish. So the splitter holds back what is incomplete and releases the rest, unchanged, as
//! slices of the chunk it came in.
//!
//! Lines end in LF, CRLF or a lone CR, in any mixture, and an empty line ends a frame
//! ([WHATWG HTML §9.2.5](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)). A comment
//! line outside a frame is complete by itself: upstreams that keep a connection alive with `: ping\n` and no empty line
//! must not look like half a frame. In a stream of JSON lines every line is a frame.

use bytes::{Bytes, BytesMut};
use memchr::{memchr_iter, memchr2, memrchr};

use super::Framing;

/// A frame grew beyond the configured limit before it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTooLarge {
    /// The limit, in bytes.
    pub limit: usize,
}

/// What is known of the line being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Empty,
    Comment,
    Field,
}

/// Finds frame boundaries in chunks that may be cut anywhere. See the [module documentation](self).
#[derive(Debug)]
pub struct Splitter {
    framing: Framing,
    /// The incomplete frame at the end of what was pushed so far.
    partial: BytesMut,
    limit: usize,
    line: Line,
    /// The current frame has at least one field line behind it.
    in_frame: bool,
    /// The last byte was a CR: an LF that follows belongs to the same line end.
    after_cr: bool,
    frames: u64,
}

impl Splitter {
    /// A splitter of a stream in `framing` that accepts frames of at most `limit` bytes.
    pub fn new(framing: Framing, limit: usize) -> Self {
        let partial = BytesMut::new();
        Self { framing, partial, limit, line: Line::Empty, in_frame: false, after_cr: false, frames: 0 }
    }

    /// Takes the next chunk and returns every byte that belongs to whole frames, in order; empty if no frame ended.
    ///
    /// A chunk that begins and ends at a boundary is returned as it came, without copying.
    ///
    /// # Errors
    ///
    /// [`FrameTooLarge`] if a frame exceeds the limit. The splitter never holds more than the limit, and of such a frame
    /// nothing: its beginning must not pass for the frame that the end of the stream cut short.
    pub fn push(&mut self, mut chunk: Bytes) -> Result<Bytes, FrameTooLarge> {
        let scanned = match self.framing {
            Framing::EventStream => self.scan(&chunk),
            Framing::JsonLines => self.scan_lines(&chunk),
        };
        let whole = scanned.inspect_err(|_| self.partial = BytesMut::new())?;
        if whole == 0 {
            self.partial.extend_from_slice(&chunk);
            return Ok(Bytes::new());
        }
        let rest = chunk.split_off(whole);
        let run = if self.partial.is_empty() {
            chunk
        } else {
            self.partial.extend_from_slice(&chunk);
            // Taken rather than split: an idle stream should not hold the memory of its largest frame.
            std::mem::take(&mut self.partial).freeze()
        };
        self.partial.extend_from_slice(&rest);
        Ok(run)
    }

    /// Whether bytes of our own may be written after what has been returned so far.
    ///
    /// What has been returned ends at a boundary, and a frame that is still arriving is held back, so this is false only
    /// between the CR and the possible LF of a line end.
    pub fn at_boundary(&self) -> bool {
        !(self.after_cr && self.partial.is_empty())
    }

    /// The number of frames with at least one field that have ended.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Takes the incomplete frame, if the stream ended inside one.
    pub fn take_partial(&mut self) -> Bytes {
        self.line = Line::Empty;
        self.in_frame = false;
        std::mem::take(&mut self.partial).freeze()
    }

    /// Advances the line state over `chunk` and returns the offset behind its last boundary.
    fn scan(&mut self, chunk: &[u8]) -> Result<usize, FrameTooLarge> {
        // Bytes of the current frame that are not in this chunk.
        let mut carried = self.partial.len();
        let mut boundary = 0;
        let mut at = 0;
        while at < chunk.len() {
            if std::mem::take(&mut self.after_cr) && chunk[at] == b'\n' {
                // The second half of a CRLF belongs to the frame that its CR ended.
                let behind_boundary = if at == 0 { self.partial.is_empty() } else { boundary == at };
                at += 1;
                if behind_boundary {
                    boundary = at;
                }
                continue;
            }
            let Some(length) = memchr2(b'\n', b'\r', &chunk[at..]) else {
                self.begin_line(chunk[at]);
                break;
            };
            if length > 0 {
                self.begin_line(chunk[at]);
            }
            at += length + 1;
            self.after_cr = chunk[at - 1] == b'\r';
            if self.end_line() {
                self.check(carried + at - boundary)?;
                carried = 0;
                boundary = at;
            }
        }
        self.check(carried + chunk.len() - boundary)?;
        Ok(boundary)
    }

    /// Counts the lines of `chunk` and returns the offset behind the last one that is whole.
    fn scan_lines(&mut self, chunk: &[u8]) -> Result<usize, FrameTooLarge> {
        let mut start = 0;
        let mut carried = self.partial.len();
        for end in memchr_iter(b'\n', chunk) {
            self.check(carried + end + 1 - start)?;
            (carried, start) = (0, end + 1);
            self.frames += 1;
        }
        self.check(carried + chunk.len() - start)?;
        Ok(memrchr(b'\n', chunk).map_or(0, |end| end + 1))
    }

    /// Notes what the line that starts (or goes on) with `byte` is.
    fn begin_line(&mut self, byte: u8) {
        if self.line == Line::Empty {
            self.line = if byte == b':' { Line::Comment } else { Line::Field };
        }
    }

    /// Ends the current line; true if the stream may be cut behind it.
    fn end_line(&mut self) -> bool {
        match std::mem::replace(&mut self.line, Line::Empty) {
            Line::Field => {
                self.in_frame = true;
                false
            }
            Line::Comment => !self.in_frame,
            Line::Empty => {
                self.frames += u64::from(self.in_frame);
                self.in_frame = false;
                true
            }
        }
    }

    fn check(&self, length: usize) -> Result<(), FrameTooLarge> {
        if length > self.limit { Err(FrameTooLarge { limit: self.limit }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `chunks` and returns the runs and what was left.
    fn split(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut splitter = Splitter::new(Framing::EventStream, 1024);
        let mut runs = Vec::new();
        for chunk in chunks {
            let run = splitter.push(Bytes::copy_from_slice(chunk)).unwrap();
            if !run.is_empty() {
                runs.push(run.to_vec());
            }
        }
        (runs, splitter.take_partial().to_vec())
    }

    #[test]
    fn whole_frames_leave_and_the_rest_is_held() {
        let (runs, rest) = split(&[b"data: 1\n\ndata: 2\n\ndata: 3"]);
        assert_eq!(runs, [b"data: 1\n\ndata: 2\n\n"]);
        assert_eq!(rest, b"data: 3");
    }

    #[test]
    fn a_frame_cut_anywhere_leaves_once_whole() {
        let (runs, rest) = split(&[b"da", b"ta: 1", b"\n", b"\n"]);
        assert_eq!(runs, [b"data: 1\n\n"]);
        assert!(rest.is_empty());
    }

    #[test]
    fn every_line_end_ends_a_frame() {
        for (frames, count) in [("data:1\r\n\r\ndata:2\r\n\r\n", 2), ("data:1\r\rdata:2\r\r", 2), ("data:1\n\r\n", 1)] {
            let mut splitter = Splitter::new(Framing::EventStream, 1024);
            let run = splitter.push(Bytes::from_static(frames.as_bytes())).unwrap();
            assert_eq!((run, splitter.frames()), (Bytes::from_static(frames.as_bytes()), count), "{frames:?}");
        }
    }

    #[test]
    fn a_crlf_cut_in_two_is_one_line_end() {
        let mut splitter = Splitter::new(Framing::EventStream, 1024);
        assert_eq!(splitter.push(Bytes::from_static(b"data:1\r\n\r")).unwrap(), "data:1\r\n\r");
        assert!(!splitter.at_boundary(), "an LF may still follow");
        assert_eq!(splitter.push(Bytes::from_static(b"\n")).unwrap(), "\n");
        assert!(splitter.at_boundary());
        assert_eq!(splitter.frames(), 1);
    }

    #[test]
    fn a_comment_line_outside_a_frame_is_complete() {
        assert_eq!(split(&[b": ping\n"]), (vec![b": ping\n".to_vec()], vec![]));
        assert_eq!(split(&[b"data: 1\n: ping\n"]), (vec![], b"data: 1\n: ping\n".to_vec()));
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused_however_it_arrives() {
        let mut splitter = Splitter::new(Framing::EventStream, 16);
        splitter.push(Bytes::from_static(b"data: 8 bytes")).unwrap();
        assert_eq!(splitter.push(Bytes::from_static(b"more than that")), Err(FrameTooLarge { limit: 16 }));
        let whole = Bytes::from_static(b"data: 8 bytes more than that\n\n");
        assert_eq!(Splitter::new(Framing::EventStream, 16).push(whole), Err(FrameTooLarge { limit: 16 }));
    }
    #[test]
    fn a_line_of_json_is_a_frame() {
        let mut splitter = Splitter::new(Framing::JsonLines, 16);
        assert_eq!(splitter.push(Bytes::from_static(b"{\"a\":1}\n{\"b")).unwrap(), "{\"a\":1}\n");
        assert_eq!(splitter.push(Bytes::from_static(b"\":2}\n{}\n")).unwrap(), "{\"b\":2}\n{}\n");
        assert_eq!((splitter.frames(), splitter.take_partial()), (3, Bytes::new()));
        assert!(splitter.push(Bytes::from_static(b"{\"more than sixteen\"")).is_err());
    }
}
