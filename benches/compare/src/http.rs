//! As much of HTTP/1.1 as both ends of the benchmark need: heads, framing, keep-alive.

use std::io;
use std::ops::Range;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::clock::now_ns;

/// Buffers start small, for thousands of held streams, and double while reads fill them.
const SMALLEST_BUFFER: usize = 4 * 1024;
const LARGEST_BUFFER: usize = 64 * 1024;
const LARGEST_BODY: usize = 32 * 1024 * 1024;

pub fn bad(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// The part of a request's or response's head that matters here.
pub struct Head {
    text: String,
    pub framing: Option<Framing>,
    pub close: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| bad("head is not UTF-8"))?;
        let mut head = Self { text: text.to_owned(), framing: None, close: false };
        for (name, value) in fields(text) {
            head.take(name, value)?;
        }
        Ok(head)
    }

    pub fn start_line(&self) -> &str {
        self.text.split("\r\n").next().unwrap_or_default()
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        fields(&self.text).find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn take(&mut self, name: &str, value: &str) -> io::Result<()> {
        if name.eq_ignore_ascii_case("content-length") {
            let length = value.parse().map_err(|_| bad("bad content-length"))?;
            self.framing = Some(Framing::Length(length));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(bad(format!("transfer-encoding {value}")));
            }
            self.framing = Some(Framing::Chunked(Chunk::Size));
        } else if name.eq_ignore_ascii_case("connection") {
            self.close = value.eq_ignore_ascii_case("close");
        }
        Ok(())
    }
}

fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.split("\r\n").skip(1);
    lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
}

/// Where a body ends; keeps its place between reads.
#[derive(Debug)]
pub enum Framing {
    Length(u64),
    Chunked(Chunk),
    UntilClose,
}

#[derive(Debug)]
pub enum Chunk {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

/// What the bytes at hand amount to; the numbers count from their beginning.
#[derive(Debug, PartialEq)]
enum Step {
    Data(Range<usize>),
    More(usize),
    End(usize),
}

impl Framing {
    fn step(&mut self, input: &[u8]) -> io::Result<Step> {
        match self {
            Self::Length(0) => Ok(Step::End(0)),
            Self::Length(left) => {
                let length = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= length as u64;
                Ok(data_or_more(0, length))
            }
            Self::Chunked(chunk) => chunk.step(input),
            Self::UntilClose => Ok(data_or_more(0, input.len())),
        }
    }
}

impl Chunk {
    fn step(&mut self, input: &[u8]) -> io::Result<Step> {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            match self {
                Self::Data(left) => {
                    let length = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= length as u64;
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                    return Ok(data_or_more(at, length));
                }
                Self::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        at += 2;
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return Ok(Step::More(at)),
                    _ => return Err(bad("no line end after a chunk")),
                },
                Self::Size => {
                    let Some(line) = line(rest) else {
                        return Ok(Step::More(at));
                    };
                    at += line.len();
                    *self = match chunk_size(line)? {
                        0 => Self::Trailers,
                        size => Self::Data(size),
                    };
                }
                Self::Trailers => {
                    let Some(line) = line(rest) else {
                        return Ok(Step::More(at));
                    };
                    at += line.len();
                    if line == b"\r\n" {
                        return Ok(Step::End(at));
                    }
                }
            }
        }
    }
}

fn data_or_more(at: usize, length: usize) -> Step {
    match length {
        0 => Step::More(at),
        _ => Step::Data(at..at + length),
    }
}

fn line(input: &[u8]) -> Option<&[u8]> {
    let end = input.iter().position(|&byte| byte == b'\n')?;
    Some(&input[..=end])
}

fn chunk_size(line: &[u8]) -> io::Result<u64> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    std::str::from_utf8(&line[..digits])
        .ok()
        .and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or_else(|| bad("bad chunk size"))
}

/// A connection with its read buffer.
pub struct Conn {
    stream: TcpStream,
    buffer: Vec<u8>,
    unread: Range<usize>,
    read_at: u64,
}

/// A piece of a body.
pub struct Piece<'a> {
    pub bytes: &'a [u8],
    /// When the read that brought it returned: what is done with it later is not in it.
    pub read_at: u64,
}

impl Conn {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; SMALLEST_BUFFER], unread: 0..0, read_at: 0 })
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The next head, or `None` when the peer closed the connection between messages.
    pub async fn read_head(&mut self) -> io::Result<Option<Head>> {
        loop {
            let unread = &self.buffer[self.unread.clone()];
            if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = Head::parse(&unread[..end])?;
                self.unread.start += end + 4;
                return Ok(Some(head));
            }
            let clean = unread.is_empty();
            match self.fill().await {
                Ok(()) => {}
                Err(error) if clean && is_closed(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// The next piece of a body as it came, or `None` at its end.
    pub async fn read_piece(&mut self, framing: &mut Framing) -> io::Result<Option<Piece<'_>>> {
        let piece = loop {
            let base = self.unread.start;
            match framing.step(&self.buffer[self.unread.clone()])? {
                Step::Data(range) => break base + range.start..base + range.end,
                Step::End(used) => {
                    self.unread.start += used;
                    return Ok(None);
                }
                Step::More(used) => self.unread.start += used,
            }
            match self.fill().await {
                Err(error) if matches!(framing, Framing::UntilClose) && is_closed(&error) => {
                    return Ok(None);
                }
                other => other?,
            }
        };
        self.unread.start = piece.end;
        Ok(Some(Piece { bytes: &self.buffer[piece], read_at: self.read_at }))
    }

    pub async fn read_body(&mut self, mut framing: Framing) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = self.read_piece(&mut framing).await? {
            body.extend_from_slice(piece.bytes);
            if body.len() > LARGEST_BODY {
                return Err(bad("body too large"));
            }
        }
        Ok(body)
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.make_room()?;
        let spare = &mut self.buffer[self.unread.end..];
        let read = self.stream.read(spare).await?;
        self.read_at = now_ns();
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread.end += read;
        Ok(())
    }

    fn make_room(&mut self) -> io::Result<()> {
        let full = self.unread.end == self.buffer.len();
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        if full && self.buffer.len() < LARGEST_BUFFER {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        if self.unread.end == self.buffer.len() {
            return Err(bad("head or chunk line too long"));
        }
        Ok(())
    }

    /// One write call, unless the socket's buffer is full; tells what the socket took.
    pub async fn write(&self, mut bytes: &[u8], taken: impl Fn(usize)) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(count) => {
                    taken(count);
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns when the peer has closed its side, or has reset the connection. Cancel safe.
    pub async fn closed(&mut self) {
        while self.fill().await.is_ok() {}
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\n\r\n";

    fn decode(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let (mut framing, mut kept, mut out) = (Framing::Chunked(Chunk::Size), Vec::new(), vec![]);
        for piece in pieces {
            kept.extend_from_slice(piece);
            loop {
                match framing.step(&kept).expect("well formed") {
                    Step::Data(range) => {
                        out.extend_from_slice(&kept[range.clone()]);
                        kept.drain(..range.end);
                    }
                    Step::More(used) => {
                        kept.drain(..used);
                        break;
                    }
                    Step::End(used) => return (out, used == kept.len()),
                }
            }
        }
        panic!("no end")
    }

    #[test]
    fn chunks_split_anywhere_decode_alike() {
        for at in 0..CHUNKED.len() {
            let (left, right) = CHUNKED.split_at(at);
            assert_eq!(decode(&[left, right]), (b"hello world".to_vec(), true));
        }
    }
}
