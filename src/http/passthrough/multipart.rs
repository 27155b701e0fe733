//! Finds and renames the model in a form that is still being uploaded.
//!
//! Audio and image endpoints take `multipart/form-data`: the model is one small field, the rest may be a large file that
//! should not be held. So only the beginning of the body is looked at; what has been read goes out before what has not.

use std::ops::Range;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use memchr::memmem;

use crate::error::Error;

/// How much of a body is searched for its model.
const MAX_PREFIX: usize = 64 * 1024;

/// A body whose beginning has been read.
#[derive(Debug)]
pub(super) struct Peeked {
    prefix: Bytes,
    model: Option<Range<usize>>,
    rest: Body,
}

/// Reads the beginning of a form until its `model` field has come; any other body is left alone.
pub(super) async fn find_model(headers: &HeaderMap, mut body: Body) -> Result<(Option<String>, Peeked), Error> {
    let mut prefix = BytesMut::new();
    let mut model = None;
    if let Some(delimiter) = delimiter(headers) {
        while model.is_none() && prefix.len() < MAX_PREFIX {
            let Some(frame) = body.frame().await else { break };
            let frame = frame.map_err(|error| Error::InvalidRequest {
                message: format!("The request body broke off: {error}."),
                param: None,
            })?;
            prefix.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
            model = model_span(&prefix, &delimiter);
        }
    }
    let prefix = prefix.freeze();
    let name = model.clone().map(|span| String::from_utf8_lossy(&prefix[span]).into_owned());
    Ok((name, Peeked { prefix, model, rest: body }))
}

impl Peeked {
    /// The body with its model renamed, and by how many bytes that changes its length.
    pub(super) fn rename_model(self, name: &str) -> (isize, reqwest::Body) {
        let Some(span) = self.model else {
            return (0, stream(self.prefix, self.rest));
        };
        let added = name.len() as isize - span.len() as isize;
        let prefix = [&self.prefix[..span.start], name.as_bytes(), &self.prefix[span.end..]].concat();
        (added, stream(prefix.into(), self.rest))
    }
}

fn stream(prefix: Bytes, mut rest: Body) -> reqwest::Body {
    reqwest::Body::wrap_stream(async_stream::stream! {
        if !prefix.is_empty() {
            yield Ok(prefix);
        }
        while let Some(frame) = rest.frame().await {
            yield frame.map(|frame| frame.into_data().unwrap_or_default());
        }
    })
}

/// What stands before each part of a form; `None` if the body is none.
fn delimiter(headers: &HeaderMap) -> Option<Vec<u8>> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (essence, parameters) = kind.split_once(';')?;
    let (_, boundary) = parameters.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let is_form = essence.trim().eq_ignore_ascii_case("multipart/form-data") && !boundary.is_empty();
    is_form.then(|| [b"--", boundary.as_bytes()].concat())
}

/// Where the value of the field named `model` stands, if all of it is there.
fn model_span(form: &[u8], delimiter: &[u8]) -> Option<Range<usize>> {
    memmem::find_iter(form, delimiter).find_map(|at| {
        let head = at + delimiter.len();
        let start = head + memmem::find(&form[head..], b"\r\n\r\n")? + 4;
        let length = memmem::find(&form[start..], b"\r\n")?;
        (length > 0 && names_model(&form[head..start])).then(|| start..start + length)
    })
}

/// Whether the head of a part says that it is the model. A file may be called so, too.
fn names_model(head: &[u8]) -> bool {
    memmem::find_iter(head, b"name=\"model\"").any(|at| at > 0 && matches!(head[at - 1], b' ' | b';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] =
        b"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\nContent-Disposition: \
        form-data; name=\"file\"; filename=\"a\"\r\n\r\nbytes\r\n--b--\r\n";

    #[test]
    fn the_model_of_a_form_is_found_once_it_is_whole() {
        let span = model_span(FORM, b"--b").unwrap();
        assert_eq!(&FORM[span.clone()], b"whisper-1");
        assert_eq!(model_span(&FORM[..span.end], b"--b"), None);
    }

    #[test]
    fn what_only_looks_like_the_model_is_not_taken_for_it() {
        let file = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\n\r\nGET\r\nContent-Disposition: \
            form-data; name=\"model\"\r\n\r\nnot-this\r\n";
        let form = [&file[..], FORM].concat();
        assert_eq!(model_span(file, b"--b"), None);
        assert_eq!(&form[model_span(&form, b"--b").unwrap()], b"whisper-1");
    }

    #[test]
    fn a_form_is_known_by_its_boundary() {
        let delimiter = |kind| delimiter(&HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(kind))]));
        assert_eq!(delimiter("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"; x=y").unwrap(), b"--a b");
        assert_eq!(delimiter("multipart/form-data"), None);
        assert_eq!(delimiter("multipart/mixed; boundary=b"), None);
        assert_eq!(delimiter("application/octet-stream"), None);
    }

    #[tokio::test]
    async fn a_renamed_model_changes_nothing_else() {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static("multipart/form-data; boundary=b"))]);
        let (model, peeked) = find_model(&headers, Body::from(FORM)).await.unwrap();
        assert_eq!(model.as_deref(), Some("whisper-1"));
        let (added, body) = peeked.rename_model("large");
        let sent = body.collect().await.unwrap().to_bytes();
        assert_eq!(added, sent.len() as isize - FORM.len() as isize);
        assert_eq!(sent, String::from_utf8_lossy(FORM).replace("whisper-1", "large"));
    }
}
