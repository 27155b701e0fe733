//! What the proxy must know of a request; everything else passes unread.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;

use memchr::memchr2;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::patch;
use crate::error::Error;

/// Deeper than any request is; many parsers behind us recurse.
const MAX_DEPTH: usize = 128;

/// The fields of a request body that decide what the proxy does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The model asked for; `None` if the body has no such field.
    pub model: Option<String>,
    /// Where the JSON string of `model` stands in the body.
    pub model_span: Range<usize>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// How many parts of a streamed answer must announce their end before it is complete, at least one.
    pub expected_ends: u32,
    /// Whether the answer is to be made in the background and fetched later: OpenAI Responses has a word for that.
    pub background: bool,
}

/// The body cannot be understood. The message says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// A sentence for the client.
    pub message: String,
    /// The field that is wrong, if it is a field.
    pub param: Option<&'static str>,
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::InvalidRequest { message: malformed.message, param: malformed.param }
    }
}

impl Request {
    /// Reads a `body` that says in `model` which model is asked for and in `stream` whether to stream, where it is
    /// `streams_by_default`, and whose answer announces its end once.
    pub(super) fn read(body: &[u8], streams_by_default: bool) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow)]
            model: Option<&'a RawValue>,
            #[serde(borrow)]
            stream: Option<&'a RawValue>,
        }
        let wire: Wire<'_> = read(body)?;
        let request = Self::new(body, wire.model, wire.stream, 1)?;
        Ok(Self { stream: request.stream || (streams_by_default && wire.stream.is_none()), ..request })
    }

    /// The request that `body` is, by the values of its fields `model` and `stream`.
    pub(super) fn new(
        body: &[u8],
        model: Option<&RawValue>,
        stream: Option<&RawValue>,
        expected_ends: u32,
    ) -> Result<Self, Malformed> {
        Ok(Self {
            model: model.map(parse_model).transpose()?,
            model_span: model.map_or(0..0, |model| patch::span(body, model)),
            stream: stream.map(parse_stream).transpose()?.unwrap_or(false),
            expected_ends,
            background: false,
        })
    }
}

/// Reads the fields of `body` that a dialect names in `T`.
///
/// # Errors
///
/// [`Malformed`] if the body is no JSON object or is nested deeper than 128 levels, or if one of the fields appears twice:
/// whoever reads it next might take the other one.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    let malformed = |what: &dyn Display| Malformed {
        message: format!("We could not parse the JSON body of your request: {what}. Send one JSON object."),
        param: None,
    };
    let fields = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    if depth(body) > MAX_DEPTH {
        return Err(malformed(&format_args!("it is nested deeper than {MAX_DEPTH} levels")));
    }
    Ok(fields)
}

fn parse_model(value: &RawValue) -> Result<String, Malformed> {
    match serde_json::from_str::<Cow<'_, str>>(value.get()) {
        Ok(model) if !model.is_empty() => Ok(model.into_owned()),
        _ => Err(Malformed { message: "`model` must be a non-empty string.".to_owned(), param: Some("model") }),
    }
}

fn parse_stream(value: &RawValue) -> Result<bool, Malformed> {
    match value.get() {
        "true" => Ok(true),
        "false" | "null" => Ok(false),
        _ => Err(Malformed { message: "`stream` must be true or false.".to_owned(), param: Some("stream") }),
    }
}

/// How deep the arrays and objects of `json`, which is valid, are nested. serde_json skips what nobody reads without counting.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth -= 1,
            b'"' => at = end_of_string(json, at),
            _ => {}
        }
    }
    deepest
}

/// Where the string ends whose first character is at `at`. Nearly all of a request is in its strings.
fn end_of_string(json: &[u8], mut at: usize) -> usize {
    while let Some(found) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        // Whatever is escaped ends nothing.
        at += 1;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, OpenAiChat};
    use super::*;

    fn parse(body: &[u8]) -> Result<Request, Malformed> {
        OpenAiChat.parse_request(body)
    }

    #[test]
    fn the_model_is_found_where_it_stands() {
        let body = br#"{"messages":[{"model":"not this"}], "model" : "caf\u00e9","stream":true,"n":3}"#;
        let request = parse(body).unwrap();
        assert_eq!(request.model.as_deref(), Some("café"));
        assert_eq!(&body[request.model_span.clone()], br#""caf\u00e9""#);
        assert!(request.stream);
        assert_eq!(request.expected_ends, 3);
    }

    #[test]
    fn what_is_absent_has_a_default() {
        let request = parse(b"{}").unwrap();
        assert_eq!((request.model, request.stream, request.expected_ends), (None, false, 1));
    }

    #[test]
    fn bad_bodies_are_refused_with_the_field_that_is_wrong() {
        let param = |body: &[u8]| parse(body).unwrap_err().param;
        assert_eq!(param(b"{\"model\": 7}"), Some("model"));
        assert_eq!(param(b"{\"model\": \"\"}"), Some("model"));
        assert_eq!(param(b"{\"stream\": \"yes\"}"), Some("stream"));
        for body in [&b"[]"[..], b"{", b"{} x", b"", b"{\"model\":\"a\",\"model\":\"b\"}", b"{\"model\":\"\xff\"}"] {
            assert_eq!(param(body), None, "{body:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested =
            |levels| format!("{{\"a\":\"]}}\\\"\",\"messages\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert!(parse(nested(MAX_DEPTH).as_bytes()).unwrap_err().message.contains("128 levels"));
        assert!(parse(nested(100_000).as_bytes()).is_err());
    }
}
