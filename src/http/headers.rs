//! Which header fields pass, in each direction.
//!
//! Requests: a list of what may pass. A client's credentials, cookies and forwarding headers are nobody else's business, and
//! its framing ends here. Responses: a list of what may not, after [RFC 9110 §7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1).

use http::header::{
    ACCEPT, ALT_SVC, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, RANGE, RETRY_AFTER, SET_COOKIE,
    STRICT_TRANSPORT_SECURITY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};

use super::rate_limit;
use crate::dialect::Dialect;
use crate::error::Error;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Names what a translated request left out.
const DROPPED: HeaderName = HeaderName::from_static("x-sluicegate-dropped");
/// Names who was asked, and what came of it.
const ATTEMPTS: HeaderName = HeaderName::from_static("x-sluicegate-attempts");
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// <https://www.w3.org/TR/trace-context/>
const TRACE: [HeaderName; 2] = [HeaderName::from_static("traceparent"), HeaderName::from_static("tracestate")];

const REQUEST: [HeaderName; 11] = [
    ACCEPT,
    CONTENT_TYPE,
    RANGE,
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-connection"),
];

/// What an origin tells browsers of itself. From here they would take it for ours.
const ORIGIN_BOUND: [HeaderName; 3] = [SET_COOKIE, STRICT_TRANSPORT_SECURITY, ALT_SVC];

/// What tells about an answer rather than about its bytes: its id, limits, versions, when to ask again.
const ABOUT: [&str; 3] = ["request-id", "retry-after", "x-should-retry"];
const ABOUT_PREFIXES: [&str; 3] = ["anthropic-", "openai-", "x-ratelimit-"];

/// Refuses a request with more than `limit` fields. hyper does so itself on HTTP/1.1 only.
pub(super) fn check_count(client: &HeaderMap, limit: usize) -> Result<(), Error> {
    if client.len() > limit { Err(Error::TooManyHeaders { limit }) } else { Ok(()) }
}

/// The fields of a client's request in `dialect` that go to the upstream, with our id of the request.
pub(super) fn for_upstream(client: &HeaderMap, dialect: &dyn Dialect, request_id: &str) -> HeaderMap {
    let nominated = nominated(client);
    let mut headers = HeaderMap::with_capacity(8);
    for name in client.keys().filter(|name| REQUEST.contains(name) && !nominated.contains(name)) {
        headers.extend(client.get_all(name).iter().map(|value| (name.clone(), value.clone())));
    }
    if let Some((name, value)) = dialect.version() {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers
}

/// The fields of a request that is put into other words, `dialect`'s: what the client said in its own concerns nobody there.
pub(super) fn for_translated(client: &HeaderMap, dialect: &dyn Dialect, request_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for name in TRACE {
        headers.extend(client.get(&name).map(|value| (name, value.clone())));
    }
    headers.extend(dialect.version());
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers
}

/// The fields of an upstream's response that tell about it.
pub(super) fn about(upstream: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in upstream {
        let text = name.as_str();
        if ABOUT.contains(&text) || ABOUT_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            headers.append(name.clone(), value.clone());
        }
    }
    move_request_id(upstream, &mut headers);
    headers
}

/// The fields of an upstream's response in the dialect `from` that tell a client about it that speaks `to`, and what the
/// request left out, if it was translated.
pub(super) fn across(upstream: &HeaderMap, from: &dyn Dialect, to: &dyn Dialect, dropped: &[String]) -> HeaderMap {
    if *from == *to {
        return about(upstream);
    }
    let mut headers = HeaderMap::new();
    for name in [RETRY_AFTER, X_SHOULD_RETRY] {
        headers.extend(upstream.get(&name).map(|value| (name, value.clone())));
    }
    // Their id of the request, whatever they call it, is not ours.
    let id = upstream.get(X_REQUEST_ID).or_else(|| upstream.get("request-id"));
    headers.extend(id.map(|id| (UPSTREAM_REQUEST_ID, id.clone())));
    rate_limit::translate(upstream, from.rate_limits(), to.rate_limits(), &mut headers);
    if !dropped.is_empty() {
        headers.extend(HeaderValue::from_str(&listed(dropped)).map(|names| (DROPPED, names)));
    }
    headers
}

/// `names`, which a client chose, as the value of a field: no more of them than a field should hold, and what no field can
/// hold in other characters.
fn listed(names: &[String]) -> String {
    const MOST: usize = 1024;
    let fit = |character: char| if character == ' ' || character.is_ascii_graphic() { character } else { '?' };
    names.join(", ").chars().take(MOST).map(fit).collect()
}

/// All the fields of an upstream's response that may pass.
pub(super) fn for_client(upstream: &HeaderMap) -> HeaderMap {
    let nominated = nominated(upstream);
    let mut headers = HeaderMap::with_capacity(upstream.len());
    for (name, value) in upstream {
        let stays = HOP_BY_HOP.contains(name)
            || ORIGIN_BOUND.contains(name)
            || name == X_REQUEST_ID
            || name.as_str().starts_with("access-control-")
            || nominated.contains(name);
        if !stays {
            headers.append(name.clone(), value.clone());
        }
    }
    move_request_id(upstream, &mut headers);
    headers
}

/// Tells who was asked, where it was not the first who answered.
pub(super) fn mark_attempts(headers: &mut HeaderMap, attempts: Option<&str>) {
    let attempts = attempts.and_then(|attempts| HeaderValue::from_str(attempts).ok());
    headers.extend(attempts.map(|attempts| (ATTEMPTS, attempts)));
}

/// The fields that `Connection` binds to the connection they came over.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// `x-request-id` is ours; the upstream's id is kept under another name.
fn move_request_id(upstream: &HeaderMap, headers: &mut HeaderMap) {
    if let Some(id) = upstream.get(X_REQUEST_ID) {
        headers.insert(UPSTREAM_REQUEST_ID, id.clone());
    }
}

/// Marks a response as a stream that nobody on the way may hold back, store or compress.
pub(super) fn mark_stream(headers: &mut HeaderMap, content_type: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
}

/// Names the request in its response.
pub(super) fn mark_request_id(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Anthropic, OpenAiChat};

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_belongs_to_the_client_does_not_leave() {
        let client = map(&[
            ("authorization", "Bearer client"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "1.2.3.4"),
            ("host", "localhost"),
            ("connection", "x-custom, Range"),
            ("range", "bytes=0-1"),
            ("content-type", "application/json"),
        ]);
        let mut sent: Vec<_> = for_upstream(&client, &OpenAiChat, "id-1").keys().map(|name| name.to_string()).collect();
        sent.sort();
        assert_eq!(sent, ["content-type", "x-request-id"]);
    }

    #[test]
    fn a_version_is_added_where_the_client_sends_none() {
        let version = |client: &HeaderMap| for_upstream(client, &Anthropic, "id-1")["anthropic-version"].clone();
        assert_eq!(version(&HeaderMap::new()), "2023-06-01");
        assert_eq!(version(&map(&[("anthropic-version", "2030-01-01")])), "2030-01-01");
    }

    #[test]
    fn what_was_dropped_is_named_whatever_it_is_called() {
        let dropped = ["seed".to_owned(), "größe\r\nx: y".to_owned(), "z".repeat(5000)];
        let named = across(&HeaderMap::new(), &Anthropic, &OpenAiChat, &dropped)["x-sluicegate-dropped"].clone();
        assert!(named.to_str().unwrap().starts_with("seed, gr??e??x: y, zzz"), "{named:?}");
        assert_eq!(named.len(), 1024);
    }

    #[test]
    fn what_belongs_to_the_upstream_connection_ends_there() {
        let upstream = map(&[
            ("connection", "keep-alive, X-Internal"),
            ("keep-alive", "timeout=5"),
            ("x-internal", "secret"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=b"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("alt-svc", "h3=\":443\""),
            ("access-control-allow-origin", "*"),
            ("x-request-id", "req_1"),
            ("content-type", "audio/mpeg"),
        ]);
        let passed = for_client(&upstream);
        assert_eq!(passed.len(), 2, "{passed:?}");
        assert_eq!(passed["x-upstream-request-id"], "req_1");
        assert_eq!(passed["content-type"], "audio/mpeg");
    }
}
