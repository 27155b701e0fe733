//! The heads of requests.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request as Head, Uri};
use reqwest::Url;

use crate::upstream::http1::Request;

/// What tells about a connection, which HTTP/2 says in other ways and forbids to say in these
/// ([RFC 9113 §8.2.2](https://www.rfc-editor.org/rfc/rfc9113#section-8.2.2)), and the length of the body, which is ours to say.
const OF_THE_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What all requests to one server have in common.
#[derive(Debug)]
pub(super) struct Opening {
    scheme: Scheme,
    authority: Authority,
    headers: HeaderMap,
}

impl Opening {
    /// Of requests that carry `headers`. A host among them stands for that of `base_url`.
    pub(super) fn new(base_url: &Url, headers: &HeaderMap) -> Self {
        let scheme = if base_url.scheme() == "https" { Scheme::HTTPS } else { Scheme::HTTP };
        let own = headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let authority =
            own.unwrap_or_else(|| base_url.authority().parse().expect("a URL's authority is one of HTTP's"));
        let passing = headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(name));
        Self { scheme, authority, headers: passing.map(|(name, value)| (name.clone(), value.clone())).collect() }
    }

    /// The head of `request`.
    pub(super) fn head_of(&self, request: &Request<'_>) -> Head<()> {
        let path = PathAndQuery::try_from([request.base_path, request.path].concat())
            .expect("a checked base URL's path and one that was a valid URI's make one");
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(path);
        let mut head = Head::new(());
        *head.method_mut() = request.method.clone();
        *head.uri_mut() = uri.build().expect("all its parts are there");
        let headers = head.headers_mut();
        headers.reserve(request.headers.len() + self.headers.len() + 1);
        for (name, value) in request.headers {
            if !OF_THE_CONNECTION.contains(name) && !self.headers.contains_key(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        if !request.body.is_empty() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(request.body.len()));
        }
        head
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Method;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_request_is_told_with_what_its_server_wants_and_nothing_of_a_connection() {
        let base = Url::parse("https://api.example:8443/v1/").unwrap();
        let fixed = headers(&[("authorization", "Bearer key"), ("connection", "close")]);
        let own = headers(&[("accept", "*/*"), ("authorization", "Bearer client"), ("te", "gzip"), ("host", "here")]);
        let (base_path, path, body) = ("/v1", "/chat/completions?a=b", Bytes::from("{}"));
        let request = Request { key: 0, method: &Method::POST, base_path, path, headers: &own, body };
        let head = Opening::new(&base, &fixed).head_of(&request);
        assert_eq!(head.uri(), "https://api.example:8443/v1/chat/completions?a=b");
        let expected = [("accept", "*/*"), ("authorization", "Bearer key"), ("content-length", "2")];
        assert_eq!(*head.headers(), headers(&expected));
    }

    #[test]
    fn a_configured_host_is_the_authority() {
        let base = Url::parse("http://[::1]:80").unwrap();
        let request = Request {
            key: 0,
            method: &Method::GET,
            base_path: "",
            path: "/models",
            headers: &HeaderMap::new(),
            body: Bytes::new(),
        };
        let uri = |fixed: &[_]| Opening::new(&base, &headers(fixed)).head_of(&request).uri().to_string();
        assert_eq!(uri(&[]), "http://[::1]/models");
        assert_eq!(uri(&[("host", "models.example")]), "http://models.example/models");
    }
}
