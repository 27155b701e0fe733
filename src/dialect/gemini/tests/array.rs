//! Streams as arrays.

use serde_json::Value;

use super::super::ArrayWriter;
use super::{Gemini, fixture, objects};
use crate::dialect::Dialect;
use crate::error::Error;

#[test]
fn a_stream_becomes_an_array_of_its_chunks_however_it_arrives() {
    let stream = fixture("thinking-long.sse");
    let frames: Vec<&str> = stream.split_inclusive("\r\n\r\n").collect();
    for run in [1, 3, frames.len()] {
        let mut writer = ArrayWriter::new();
        let mut array = Vec::new();
        for frames in frames.chunks(run) {
            array.extend(writer.push(frames.concat().as_bytes()));
            array.extend_from_slice(ArrayWriter::KEEP_ALIVE);
        }
        array.extend(writer.end());
        assert_eq!(serde_json::from_slice::<Vec<Value>>(&array).unwrap(), objects(stream.as_bytes()));
    }
}

#[test]
fn it_begins_with_the_first_chunk_and_goes_on_with_the_next() {
    let mut writer = ArrayWriter::new();
    assert_eq!(writer.push(b"\xef\xbb\xbfdata: {\"a\":1}\r\n\r\n"), b"[{\"a\":1}");
    assert_eq!(writer.push(b": comment\n\n"), b"");
    assert_eq!(writer.push(b"data: {\"b\":2}\n\ndata: [DONE]\n\n"), b",\r\n{\"b\":2}");
    assert_eq!(writer.end(), b"\r\n]\r\n");
    assert_eq!(ArrayWriter::new().end(), b"[]\r\n");
}

#[test]
fn a_failure_is_its_last_element() {
    let mut writer = ArrayWriter::new();
    let mut array = writer.push(b"data: {\"a\":1}\r\n\r\n");
    array.extend(writer.push(&Gemini.error_frame(&Error::UpstreamTruncated { provider: "p".into() })));
    array.extend(writer.end());
    let elements: Vec<Value> = serde_json::from_slice(&array).unwrap();
    assert_eq!((elements.len(), &elements[1]["error"]["code"]), (2, &Value::from(502)));
}
