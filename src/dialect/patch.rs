//! Changes one value of a JSON text and keeps every other byte.
//!
//! Parsing and writing a request anew would lose what it does not model: number spelling, key order, duplicate keys,
//! fields that a provider introduced yesterday.

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

/// The bytes of `value` within the JSON text it was parsed from.
pub fn span(text: &[u8], value: &RawValue) -> std::ops::Range<usize> {
    let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
    start..start + value.get().len()
}

/// `text` with each of `edits` in place of the bytes at its span. No two spans overlap.
pub fn apply(text: &[u8], mut edits: Vec<(std::ops::Range<usize>, Vec<u8>)>) -> Bytes {
    edits.sort_by_key(|(span, _)| span.start);
    let (mut patched, mut at) = (BytesMut::with_capacity(text.len()), 0);
    for (span, value) in edits {
        patched.extend_from_slice(&text[at..span.start]);
        patched.extend_from_slice(&value);
        at = span.end;
    }
    patched.extend_from_slice(&text[at..]);
    patched.freeze()
}

/// Replaces the bytes at `span` in `text` with the JSON string `value`.
///
/// Returns `text` itself, uncopied, if nothing changes.
pub fn replace_string(text: &Bytes, span: std::ops::Range<usize>, value: &str) -> Bytes {
    let value = serde_json::to_vec(value).expect("a string is JSON");
    if text[span.clone()] == *value {
        return text.clone();
    }
    let mut patched = BytesMut::with_capacity(text.len() - span.len() + value.len());
    patched.extend_from_slice(&text[..span.start]);
    patched.extend_from_slice(&value);
    patched.extend_from_slice(&text[span.end..]);
    patched.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace_model(text: &'static str, model: &str) -> Bytes {
        #[derive(serde::Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            model: &'a RawValue,
        }
        let body: Body<'_> = serde_json::from_str(text).unwrap();
        replace_string(&Bytes::from_static(text.as_bytes()), span(text.as_bytes(), body.model), model)
    }

    #[test]
    fn every_byte_beside_the_value_survives() {
        let patched =
            replace_model("{ \"x\": 1.50e2,\t\"model\" : \"a/b\\u00e9\" , \"y\":{\"model\":\"z\"}}", "new \"name\"");
        assert_eq!(patched, "{ \"x\": 1.50e2,\t\"model\" : \"new \\\"name\\\"\" , \"y\":{\"model\":\"z\"}}");
    }

    #[test]
    fn several_edits_leave_what_is_between_them() {
        let edits = vec![(5..5, b"!".to_vec()), (0..1, b"X".to_vec()), (2..4, Vec::new())];
        assert_eq!(apply(b"abcde", edits), "Xbe!");
        assert_eq!(apply(b"abc", Vec::new()), "abc");
    }

    #[test]
    fn an_unchanged_value_copies_nothing() {
        let text = Bytes::from_static(b"{\"model\":\"same\"}");
        let patched = replace_string(&text, 9..15, "same");
        assert_eq!(patched.as_ptr(), text.as_ptr());
    }
}
