//! What is asked must be a request: whole, in time, of bearable size, and understood. Whatever else comes is told what is wrong.

use std::time::Duration;

use crate::support::{ApiError, Client, Proxy, Script, Upstream, chat, client, request, soon};

const ANSWER: &str = r#"{"id":"1","choices":[]}"#;

async fn upstream() -> Upstream {
    Upstream::start(Script::json("200 OK", ANSWER)).await
}

/// Whether each of `bodies` as a chat request is refused without the upstream hearing of it, with an error that holds `check`.
async fn each_is_refused(bodies: &[impl AsRef<[u8]>], check: impl Fn(&ApiError)) {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    for body in bodies {
        check(&ApiError::of(proxy.post("/v1/chat/completions", body.as_ref().to_vec()).await).await);
    }
    assert_eq!(upstream.request_count(), 0);
}

fn head(lines: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{lines}\r\n")
}

// === size and time ===

#[tokio::test]
async fn a_body_announced_too_large_is_refused_before_it_is_sent() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| config.server.max_body_bytes = 1000).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&head("content-length: 1001\r\n")).await;
    let response = client.response().await;
    ApiError::of_raw(&response).assert_refused(413, "request_too_large");
    assert_eq!(response.header("connection"), Some("close"));
    client.read_to_end().await;
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_chunked_body_is_refused_as_soon_as_it_is_too_large() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| config.server.max_body_bytes = 1000).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&head("transfer-encoding: chunked\r\n")).await;
    for _ in 0..3 {
        client.send(&format!("190\r\n{}\r\n", "x".repeat(0x190))).await;
    }
    ApiError::of_raw(&client.response().await).assert_refused(413, "request_too_large");
    client.read_to_end().await;
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_body_of_just_the_allowed_size_passes() {
    let upstream = upstream().await;
    let body = chat(false);
    let proxy = Proxy::configured(&upstream, |config| config.server.max_body_bytes = body.len()).await;
    assert_eq!(proxy.post("/v1/chat/completions", body.clone()).await.status(), 200);
    let error = ApiError::of(proxy.post("/v1/chat/completions", format!("{body} ")).await).await;
    error.assert_refused(413, "request_too_large");
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_refused() {
    let upstream = upstream().await;
    let body_timeout = Duration::from_millis(100);
    let proxy = Proxy::configured(&upstream, |config| config.server.body_timeout = body_timeout).await;
    let form = "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\n";
    for request in [
        format!("{}{{\"model\":", head("content-length: 50\r\n")),
        format!("{}5\r\n{{\"mod", head("transfer-encoding: chunked\r\n")),
        format!("{form}content-length: 50\r\n\r\n--b\r\n"),
    ] {
        let mut client = Client::connect(proxy.address).await;
        client.send(&request).await;
        let response = client.response().await;
        ApiError::of_raw(&response).assert_refused(408, "request_timeout");
        assert_eq!(response.header("connection"), Some("close"));
        client.read_to_end().await;
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_head_with_too_much_in_it_is_refused() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    let many = "x: y\r\n".repeat(99);
    let large = format!("x: {}\r\n", "y".repeat(32 * 1024));
    for lines in [many, large] {
        let mut client = Client::connect(proxy.address).await;
        client.send(&head(&format!("{lines}content-length: 2\r\n"))).await;
        client.send("{}").await;
        assert_eq!(client.response().await.status, 431);
        client.read_to_end().await;
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn http_2_has_no_larger_heads() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    let http2 = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let ask = async |count: usize, size: usize| {
        let request = http2.post(proxy.url("/v1/chat/completions")).header("content-type", "application/json");
        let value = "y".repeat(size);
        let request = (0..count).fold(request, |request, index| request.header(format!("x-{index}"), &value));
        soon("a response", request.body(chat(false)).send()).await.unwrap().status().as_u16()
    };
    assert_eq!(ask(50, 100).await, 200);
    assert_eq!(ask(2, 16 * 1024).await, 431);
    assert_eq!(ask(101, 1).await, 431);
}

// === content ===

#[tokio::test]
async fn only_json_is_taken_for_json() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    let post = async |content_type: Option<&str>| {
        let request = client().post(proxy.url("/v1/chat/completions")).body(chat(false));
        let request = content_type.into_iter().fold(request, |request, kind| request.header("content-type", kind));
        soon("a response", request.send()).await.unwrap()
    };
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")] {
        ApiError::of(post(kind).await).await.assert_refused(415, "unsupported_media_type");
    }
    assert_eq!(upstream.request_count(), 0);
    for kind in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
        assert_eq!(post(Some(kind)).await.status(), 200, "{kind}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let bodies = [&b""[..], b"{", b"[]", b"null", b"\"text\"", b"{} {}", b"{\"model\":NaN}", b"{\"model\":\"\xff\"}"];
    each_is_refused(&bodies, |error| error.assert_invalid(None)).await;
}

#[tokio::test]
async fn the_model_must_be_a_name() {
    let bodies = [
        r#"{"messages":[]}"#,
        r#"{"model":null}"#,
        r#"{"model":""}"#,
        r#"{"model":7}"#,
        r#"{"model":["m"]}"#,
        r#"{"model":{"model":"m"}}"#,
    ];
    each_is_refused(&bodies, |error| error.assert_invalid(Some("model"))).await;
}

#[tokio::test]
async fn a_field_given_twice_is_refused_where_it_decides_something() {
    let bodies = [
        r#"{"model":"a","model":"b"}"#,
        r#"{"model":"a","mod\u0065l":"b"}"#,
        r#"{"model":"a","stream":true,"stream":false}"#,
    ];
    let check = |error: &ApiError| {
        error.assert_invalid(None);
        assert!(error.message.contains("duplicate field"), "{error:?}");
    };
    each_is_refused(&bodies, check).await;
}

#[tokio::test]
async fn nesting_deeper_than_any_request_is_refused() {
    let nested = |levels| format!(r#"{{"model":"m","x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    each_is_refused(&[nested(128), nested(100_000)], |error| error.assert_invalid(None)).await;
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    assert_eq!(proxy.post("/v1/chat/completions", nested(127)).await.status(), 200);
}

#[tokio::test]
async fn everything_in_a_body_but_the_model_passes_untouched() {
    let mut upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    let body = "{ \"x\" : 1.50e+2,\t\"model\":\"upstream/M\",\r\n \"unknown\":{\"model\":\"y\",\"a\":1,\"a\":2}, \"\\u0041\":null }";
    assert_eq!(proxy.post("/v1/chat/completions", body).await.status(), 200);
    let received = upstream.request().await;
    assert_eq!(received.body, body.replace("upstream/M", "M"));
    assert_eq!(received.header("content-length"), Some((body.len() - "upstream/".len()).to_string().as_str()));
}

// === URL and method ===

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    for path in ["/nope", "/v1", "/v1/", "/v2/chat/completions", "//v1/models", "/chat.js/", "/V1/models"] {
        ApiError::of(proxy.get(path).await).await.assert_refused(404, "path_not_found");
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    for (method, path, allowed) in [
        ("PUT", "/v1/chat/completions", "POST,GET,HEAD"),
        ("PUT", "/chat/completions", "POST"),
        ("OPTIONS", "/v1/completions", "POST"),
        ("POST", "/v1/models", "GET,HEAD"),
        ("PUT", "/v1/models/m", "POST,GET,HEAD,DELETE"),
        ("POST", "/", "GET,HEAD"),
        ("POST", "/livez", "GET,HEAD"),
        ("post", "/readyz", "GET,HEAD"),
    ] {
        let method: http::Method = method.parse().unwrap();
        let response = soon("a response", client().request(method, proxy.url(path)).send()).await.unwrap();
        assert_eq!(response.headers()["allow"], allowed, "{path}");
        ApiError::of(response).await.assert_refused(405, "method_not_allowed");
    }
    assert_eq!(upstream.request_count(), 0);
}

// === expectations ===

#[tokio::test]
async fn a_client_that_asks_first_is_refused_or_told_to_go_on() {
    let mut upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| config.keys = vec![crate::support::key("k", "right")]).await;
    let body = chat(false);
    let ask = |key: &str| {
        head(&format!("authorization: Bearer {key}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n", body.len()))
    };
    let mut refused = Client::connect(proxy.address).await;
    refused.send(&ask("wrong")).await;
    ApiError::of_raw(&refused.response().await).assert_refused(401, "invalid_api_key");

    let mut welcome = Client::connect(proxy.address).await;
    welcome.send(&ask("right")).await;
    assert_eq!(welcome.response().await.status, 100);
    welcome.send(&body).await;
    assert_eq!(welcome.response().await.status, 200);
    assert_eq!(upstream.request().await.header("expect"), None);
    assert_eq!(upstream.request_count(), 1);
}

// === one connection, many requests ===

#[tokio::test]
async fn a_refused_request_does_not_cost_the_connection() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(&request("/v1/chat/completions", "{\"model\":7}")).await;
    assert_eq!(client.response().await.status, 400);
    client.send(&request("/v1/chat/completions", &chat(false))).await;
    assert_eq!(client.response().await.status, 200);
}
