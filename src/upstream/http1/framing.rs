//! How long a response's body is ([RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)).

use std::io;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

use super::chunked::Chunked;

/// What tells the end of a body.
#[derive(Debug)]
pub(super) enum Framing {
    /// This many bytes are still to come.
    Length(u64),
    /// Its own coding.
    Chunked(Chunked),
    /// The end of the connection.
    UntilClose,
}

impl Framing {
    /// The framing of a response. `is_head` says that the request was for the head alone.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, is_head: bool) -> io::Result<Self> {
        if is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Self::Length(0));
        }
        let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
        match (codings.next(), codings.next()) {
            (None, _) => {}
            (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
                return Ok(Self::Chunked(Chunked::default()));
            }
            (Some(coding), _) => {
                return Err(invalid(format!("transfer-encoding {coding:?}, which is not chunked alone")));
            }
        }
        let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
        let Some(length) = lengths.next() else { return Ok(Self::UntilClose) };
        if lengths.any(|other| other != length) {
            return Err(invalid("two different content lengths".to_owned()));
        }
        let digits = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let length = digits.and_then(|digits| digits.parse().ok());
        length.map(Self::Length).ok_or_else(|| invalid("a content length that is no number".to_owned()))
    }

    /// Whether the body has been read to its end.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_done(),
            Self::UntilClose => false,
        }
    }

    /// The data in `input`, and how many of its bytes belong to the body, or what is wrong behind that data. What is left in `input`
    /// is of no use any more.
    pub(super) fn decode(&mut self, input: &mut [u8]) -> (Bytes, io::Result<usize>) {
        match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= taken as u64;
                (Bytes::copy_from_slice(&input[..taken]), Ok(taken))
            }
            Self::Chunked(chunked) => {
                let (data, taken) = chunked.decode(input);
                (Bytes::copy_from_slice(&input[data]), taken)
            }
            Self::UntilClose => (Bytes::copy_from_slice(input), Ok(input.len())),
        }
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn framing(status: u16, fields: &[(&'static str, &'static str)]) -> Result<String, String> {
        let fields =
            fields.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        fields.for_each(|(name, value)| {
            headers.append(name, value);
        });
        let framing = Framing::of(StatusCode::from_u16(status).unwrap(), &headers, false);
        framing.map(|framing| format!("{framing:?}")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_body_ends_where_the_standard_says() {
        assert_eq!(framing(200, &[]).unwrap(), "UntilClose");
        assert_eq!(framing(200, &[("content-length", "7")]).unwrap(), "Length(7)");
        assert_eq!(framing(200, &[("content-length", "7"), ("content-length", "7")]).unwrap(), "Length(7)");
        assert_eq!(framing(204, &[("content-length", "7")]).unwrap(), "Length(0)");
        for coded in
            [&[("transfer-encoding", "Chunked")][..], &[("content-length", "7"), ("transfer-encoding", "chunked")]]
        {
            assert!(framing(200, coded).unwrap().starts_with("Chunked"));
        }
        for unclear in [
            &[("content-length", "7"), ("content-length", "8")][..],
            &[("content-length", "+7")],
            &[("content-length", "")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "identity")],
        ] {
            assert!(framing(200, unclear).is_err(), "{unclear:?}");
        }
    }

    #[test]
    fn what_follows_the_body_is_not_taken() {
        let mut framing = Framing::Length(3);
        for (input, data, taken) in [(b"ab", "ab", 2), (b"cd", "c", 1)] {
            let (decoded, result) = framing.decode(&mut input.clone());
            assert_eq!((decoded, result.unwrap()), (Bytes::from(data), taken));
        }
        assert!(framing.is_done());
    }
}
