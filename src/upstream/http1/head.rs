//! The heads of requests, written, and of responses, read.

use std::io;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use reqwest::Url;

use super::Request;

/// More is no head of a model server's.
const MAX_BYTES: usize = 64 * 1024;
const MAX_FIELDS: usize = 128;

/// What all requests to one server have in common.
#[derive(Debug)]
pub(super) struct Opening {
    /// The names of `fields`: a request's own fields of these names are left out.
    names: Vec<HeaderName>,
    /// Host, credentials and what else goes with every request, written out.
    fields: Vec<u8>,
}

impl Opening {
    pub(super) fn new(base_url: &Url, headers: &HeaderMap) -> Self {
        let mut fields = Vec::new();
        if !headers.contains_key(HOST) {
            let host = base_url.host_str().unwrap_or_default();
            let host = base_url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            write_field(&mut fields, HOST.as_str(), host.as_bytes());
        }
        // How long the body is we know, and nobody else.
        for (name, value) in headers.iter().filter(|(name, _)| !is_framing(name)) {
            write_field(&mut fields, name.as_str(), value.as_bytes());
        }
        Self { names: headers.keys().cloned().collect(), fields }
    }

    /// The whole head of `request`.
    pub(super) fn head_of(&self, request: &Request<'_>) -> Vec<u8> {
        let mut head = Vec::with_capacity(self.fields.len() + 512);
        for part in [request.method.as_str(), " ", request.base_path, request.path, " HTTP/1.1\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        head.extend_from_slice(&self.fields);
        for (name, value) in request.headers {
            if !is_framing(name) && !self.names.contains(name) {
                write_field(&mut head, name.as_str(), value.as_bytes());
            }
        }
        if !request.body.is_empty() || matches!(*request.method, Method::POST | Method::PUT | Method::PATCH) {
            write_field(&mut head, CONTENT_LENGTH.as_str(), request.body.len().to_string().as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn is_framing(name: &HeaderName) -> bool {
    name == CONTENT_LENGTH || name == TRANSFER_ENCODING
}

/// Appends one line of a head.
pub(crate) fn write_field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

/// The head of a response at the beginning of `received`, and its length; `None` if it is not whole yet.
/// Interim responses (1xx) are skipped.
pub(super) fn parse(received: &Bytes) -> io::Result<Option<(Parts, usize)>> {
    let mut start = 0;
    loop {
        match parse_one(&received.slice(start..))? {
            Some((parts, _)) if parts.status == StatusCode::SWITCHING_PROTOCOLS => {
                return Err(invalid("a change of protocols that nobody asked for"));
            }
            Some((parts, length)) if parts.status.is_informational() => start += length,
            Some((parts, length)) => return Ok(Some((parts, start + length))),
            None if received.len() > MAX_BYTES => return Err(invalid("a response head beyond all bounds")),
            None => return Ok(None),
        }
    }
}

fn parse_one(received: &Bytes) -> io::Result<Option<(Parts, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let length = match head.parse(received).map_err(|error| invalid(&format!("no HTTP/1 response ({error})")))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.version = if head.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.status = head.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| invalid("no status"))?;
    parts.headers.reserve(head.headers.len());
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| invalid("a bad header name"))?;
        let value = HeaderValue::from_maybe_shared(received.slice_ref(field.value));
        parts.headers.append(name, value.map_err(|_| invalid("a bad header value"))?);
    }
    Ok(Some((parts, length)))
}

/// Whether the server keeps the connection open behind this response
/// ([RFC 9112 §9.3](https://www.rfc-editor.org/rfc/rfc9112#section-9.3)).
pub(super) fn keeps_alive(parts: &Parts) -> bool {
    let says = |option: &str| {
        let values = parts.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(option))
    };
    // Two ways to tell the end of one body: whoever sends both cannot be trusted with where the next response begins.
    let is_clear = !(parts.headers.contains_key(TRANSFER_ENCODING) && parts.headers.contains_key(CONTENT_LENGTH));
    is_clear && !says("close") && (parts.version == Version::HTTP_11 || says("keep-alive"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> io::Result<Option<(Parts, usize)>> {
        parse(&Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_request_is_written_with_what_its_server_wants() {
        let base = Url::parse("https://api.example:8443/v1/").unwrap();
        let fixed = HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer key"))]);
        let own = HeaderMap::from_iter([
            (http::header::ACCEPT, HeaderValue::from_static("*/*")),
            (http::header::AUTHORIZATION, HeaderValue::from_static("Bearer client")),
        ]);
        let (base_path, path, headers) = ("/v1", "/chat/completions", &own);
        let post = Request { key: 0, method: &Method::POST, base_path, path, headers, body: Bytes::from("{}") };
        let head = Opening::new(&base, &fixed).head_of(&post);
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "POST /v1/chat/completions HTTP/1.1\r\nhost: api.example:8443\r\nauthorization: Bearer key\r\n\
             accept: */*\r\ncontent-length: 2\r\n\r\n"
        );
        let none = HeaderMap::new();
        let get = Request {
            key: 0,
            method: &Method::GET,
            base_path: "",
            path: "/models?a=b",
            headers: &none,
            body: Bytes::new(),
        };
        let head = Opening::new(&Url::parse("http://[::1]").unwrap(), &HeaderMap::new()).head_of(&get);
        assert_eq!(String::from_utf8(head).unwrap(), "GET /models?a=b HTTP/1.1\r\nhost: [::1]\r\n\r\n");
    }

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = "HTTP/1.1 200 OK\r\nContent-Type: a\r\nx: 1\r\nX: 2\r\n\r\n";
        for length in 0..text.len() {
            assert!(read(&text[..length]).unwrap().is_none(), "{length}");
        }
        let (parts, length) = read(text).unwrap().unwrap();
        assert_eq!((parts.status.as_u16(), length, parts.headers.len()), (200, text.len(), 3));
        assert_eq!(parts.headers["content-type"], "a");
    }

    #[test]
    fn interim_responses_are_skipped() {
        let heads = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: a\r\n\r\nHTTP/1.1 201 \r\n\r\n";
        let (parts, length) = parse(&Bytes::from([heads, "rest"].concat())).unwrap().unwrap();
        assert_eq!((parts.status.as_u16(), length), (201, heads.len()));
        assert!(read("HTTP/1.1 101 Switching\r\n\r\n").is_err());
    }

    #[test]
    fn what_is_no_head_is_an_error() {
        for text in ["SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 200 OK\r\na b: c\r\n\r\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        let long = Bytes::from(["HTTP/1.1 200 OK\r\na: ", &"b".repeat(MAX_BYTES)].concat());
        assert!(parse(&long).is_err());
    }

    #[test]
    fn a_connection_is_kept_only_if_both_sides_know_where_the_body_ends() {
        let keeps = |head| keeps_alive(&read(head).unwrap().unwrap().0);
        assert!(keeps("HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!keeps("HTTP/1.1 200 OK\r\nconnection: x, Close\r\n\r\n"));
        assert!(!keeps("HTTP/1.0 200 OK\r\n\r\n"));
        assert!(keeps("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\n"));
        assert!(!keeps("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n"));
    }
}
