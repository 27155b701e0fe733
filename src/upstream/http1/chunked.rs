//! The chunked transfer coding, undone ([RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)).
//!
//! Strict where leniency would let two readers see two different bodies: a line ends in CRLF, a size is hexadecimal and
//! fits. Extensions and trailers are read over, up to a length.

use std::io;
use std::ops::Range;

/// What a size line's extension may hold, and what all trailers may hold together.
const MAX_IGNORED: u32 = 16 * 1024;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first digit of a size.
    Start,
    /// More of the size, or what ends it.
    Size,
    /// What follows the size up to the CR.
    Extension,
    /// The LF of a size line.
    SizeEnd,
    /// This many bytes of data.
    Data,
    /// The CR behind data.
    DataCr,
    /// The LF behind data.
    DataLf,
    /// The start of a line behind the last chunk: a trailer, or the end.
    Trailer,
    /// The rest of a trailer, up to its CR.
    TrailerLine,
    /// The LF of a trailer.
    TrailerEnd,
    /// The last LF.
    EndLf,
    /// Nothing.
    Done,
}

/// A decoder that may be fed pieces cut anywhere, and keeps none of them.
#[derive(Debug)]
pub struct Chunked {
    state: State,
    /// Of the present chunk's data, still to come.
    left: u64,
    ignored: u32,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { state: State::Start, left: 0, ignored: 0 }
    }
}

impl Chunked {
    /// Whether the last chunk and its trailers have been read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Puts the data in `input` together, within it. Returns where it is, and how many bytes of `input` belong to the body: all
    /// of them, unless it ends within. What is in `input` otherwise is of no use any more.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the coding is broken. The data before that is good; nothing can be read behind it.
    pub fn decode(&mut self, input: &mut [u8]) -> (Range<usize>, io::Result<usize>) {
        // Most reads bring one chunk, whose data may stay where it is.
        let (mut data, mut at) = (0..0, 0);
        while at < input.len() && !self.is_done() {
            if self.state == State::Data {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len() - at);
                if data.is_empty() {
                    data = at..at;
                } else {
                    input.copy_within(at..at + length, data.end);
                }
                data.end += length;
                at += length;
                self.left -= length as u64;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
            } else {
                match self.step(input[at]) {
                    Ok(state) => self.state = state,
                    Err(error) => return (data, Err(error)),
                }
                at += 1;
            }
        }
        (data, Ok(at))
    }

    fn step(&mut self, byte: u8) -> io::Result<State> {
        match (self.state, byte) {
            (State::Start | State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let size = self.left.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)));
                self.left = size.ok_or_else(|| broken("a chunk size beyond all bounds"))?;
                Ok(State::Size)
            }
            (State::Size | State::Extension, b'\r') => Ok(State::SizeEnd),
            (State::Size, b';' | b' ' | b'\t') => Ok(State::Extension),
            (State::Extension, byte) if byte != b'\n' => self.ignore(State::Extension),
            (State::SizeEnd, b'\n') if self.left == 0 => Ok(State::Trailer),
            (State::SizeEnd, b'\n') => Ok(State::Data),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                self.ignored = 0;
                Ok(State::Start)
            }
            (State::Trailer, b'\r') => Ok(State::EndLf),
            (State::TrailerLine, b'\r') => Ok(State::TrailerEnd),
            (State::Trailer | State::TrailerLine, byte) if byte != b'\n' => self.ignore(State::TrailerLine),
            (State::TrailerEnd, b'\n') => Ok(State::Trailer),
            (State::EndLf, b'\n') => Ok(State::Done),
            (State::Start | State::Size, _) => Err(broken("a chunk size that is no number")),
            _ => Err(broken("a chunk that does not end where its size says")),
        }
    }

    fn ignore(&mut self, next: State) -> io::Result<State> {
        self.ignored += 1;
        if self.ignored > MAX_IGNORED {
            return Err(broken("chunk extensions or trailers beyond all bounds"));
        }
        Ok(next)
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes `pieces` in turn; returns the data, how many bytes were the body's, and whether it is done.
    fn decode(pieces: &[&[u8]]) -> io::Result<(Vec<u8>, usize, bool)> {
        let (mut decoder, mut data, mut taken) = (Chunked::default(), Vec::new(), 0);
        for piece in pieces {
            let mut piece = piece.to_vec();
            let (range, result) = decoder.decode(&mut piece);
            data.extend_from_slice(&piece[range]);
            taken += result?;
        }
        Ok((data, taken, decoder.is_done()))
    }

    #[test]
    fn chunks_become_their_data() {
        let coded = b"5\r\nhello\r\n1;a=\"b\"\r\n \r\n005 \r\nworld\r\n0\r\n\r\n";
        let (data, taken, done) = decode(&[coded, b"HTTP"]).unwrap();
        assert_eq!((&data[..], taken, done), (&b"hello world"[..], coded.len(), true));
    }

    #[test]
    fn trailers_are_read_over() {
        let (data, _, done) = decode(&[b"1\r\na\r\n0\r\nx-a: b\r\nc: d\r\n\r\n"]).unwrap();
        assert_eq!((&data[..], done), (&b"a"[..], true));
    }

    #[test]
    fn what_is_not_chunked_is_an_error() {
        let cases: [&[u8]; 13] = [
            b"\r\n",
            b"g\r\n",
            b"-1\r\n",
            b"0x1\r\n",
            b" 1\r\n",
            b"1\na\r\n",
            b"1;a\na\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n0\r\n",
            b"1\r\na\r\r",
            b"0\r\n\n",
            b"0\r\na\n\r\n",
            b"10000000000000000\r\n",
        ];
        for input in cases {
            assert!(decode(&[input]).is_err(), "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn what_is_read_over_has_a_limit() {
        let long = vec![b'a'; 20_000];
        assert!(decode(&[b"1;", &long]).is_err());
        assert!(decode(&[b"0\r\n", &long]).is_err());
    }

    proptest! {
        #[test]
        fn the_data_is_the_same_however_it_is_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut coded = Vec::new();
            for chunk in &chunks {
                coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                coded.extend_from_slice(chunk);
                coded.extend_from_slice(b"\r\n");
            }
            coded.extend_from_slice(b"0\r\n\r\n");
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(coded.len())).chain([0, coded.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &coded[ends[0]..ends[1]]).collect();
            let (data, taken, done) = decode(&pieces).unwrap();
            prop_assert_eq!(data, chunks.concat());
            prop_assert_eq!((taken, done), (coded.len(), true));
        }

        #[test]
        fn no_input_makes_it_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&[&input]);
        }
    }
}
