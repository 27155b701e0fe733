//! Whoever is refused on Anthropic's URLs is told so in Anthropic's shape.

use std::time::Duration;

use http::Method;

use crate::support::anthropic::{ANSWER, error, message, proxy_before, proxy_configured};
use crate::support::{ApiError, Client, Proxy, Reply, Script, Upstream, client, key, soon};

/// Sends a request with `headers` and reads the response.
async fn send(proxy: &Proxy, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let request = client().request(method, proxy.url(path)).body(body.to_owned());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Reply::of(soon("a response head", request.send()).await.unwrap()).await
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn every_refusal_has_its_status_and_its_type() {
    let upstream = Upstream::start(Script::json("200 OK", ANSWER)).await;
    let proxy = proxy_configured(&upstream, |config| config.server.max_body_bytes = 1000).await;
    let (post, body) = (Method::POST, message(true));
    let large = body.replace("hi", &"x".repeat(2000));
    for (reply, status, kind) in [
        (send(&proxy, post.clone(), "/v1/messages", &[JSON], "{").await, 400, "invalid_request_error"),
        (send(&proxy, post.clone(), "/v1/messages", &[JSON], "{}").await, 400, "invalid_request_error"),
        (send(&proxy, post.clone(), "/v1/messages", &[], &body).await, 415, "invalid_request_error"),
        (send(&proxy, post.clone(), "/v1/messages", &[JSON], &large).await, 413, "request_too_large"),
        (send(&proxy, Method::GET, "/v1/messages", &[], "").await, 405, "invalid_request_error"),
        (send(&proxy, post.clone(), "/v1/messages/a%2f..%2fb", &[JSON], &body).await, 404, "not_found_error"),
        (
            send(&proxy, post.clone(), "/v1/messages", &[JSON, ("host", "evil.example")], &body).await,
            403,
            "permission_error",
        ),
        (
            send(&proxy, post, "/v1/messages", &[JSON, ("origin", "http://evil.example")], &body).await,
            403,
            "permission_error",
        ),
    ] {
        assert_eq!((reply.status, error(&reply).0.as_str()), (status, kind), "{reply:?}");
        assert_eq!(reply.header("content-length"), reply.body.len().to_string());
        if status == 405 {
            assert_eq!(reply.header("allow"), "POST");
        }
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_told_in_shape_too() {
    let upstream = Upstream::start(Script::json("200 OK", ANSWER)).await;
    let proxy = proxy_configured(&upstream, |config| config.server.body_timeout = Duration::from_millis(100)).await;
    let mut client = Client::connect(proxy.address).await;
    client.send("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!(response.status, 408);
    assert!(response.body.starts_with(r#"{"type":"error","error":{"type":"invalid_request_error""#), "{response:?}");
}

#[tokio::test]
async fn a_key_lets_in_as_either_kind_of_client_sends_it() {
    let upstream = Upstream::start(Script::json("200 OK", ANSWER)).await;
    let proxy = proxy_configured(&upstream, |config| config.keys = vec![key("alice", "right")]).await;
    let ask = async |headers: &[(&str, &str)]| {
        send(&proxy, Method::POST, "/v1/messages", &[&[JSON], headers].concat(), &message(false)).await
    };
    for credentials in [
        &[("x-api-key", "right")][..],
        &[("authorization", "Bearer right")],
        // SDKs that find both in their environment send both.
        &[("x-api-key", "other"), ("authorization", "Bearer right")],
        &[("x-api-key", "right"), ("authorization", "Bearer other")],
    ] {
        let reply = ask(credentials).await;
        assert_eq!(reply.status, 200, "{credentials:?}");
        assert_eq!(proxy.log_line(reply.request_id()).await["caller"], "alice");
    }
    for (credentials, code) in [
        (&[][..], "missing_api_key"),
        (&[("x-api-key", "right"), ("x-api-key", "right")], "missing_api_key"),
        (&[("x-api-key", "wrong")], "invalid_api_key"),
        (&[("x-api-key", "")], "invalid_api_key"),
        (&[("x-api-key", "wrong"), ("authorization", "Bearer wrong")], "invalid_api_key"),
    ] {
        let reply = ask(credentials).await;
        assert_eq!((reply.status, error(&reply).0.as_str()), (401, "authentication_error"), "{credentials:?}");
        assert_eq!(reply.header("x-sluicegate-error"), code, "{credentials:?}");
    }
    assert_eq!(upstream.request_count(), 4);
}

#[tokio::test]
async fn who_speaks_anthropic_elsewhere_is_answered_in_it_and_nobody_else() {
    let upstream = Upstream::start(Script::json("200 OK", ANSWER)).await;
    let proxy = proxy_before(&upstream).await;
    let version = ("anthropic-version", "2023-06-01");
    let unknown = send(&proxy, Method::GET, "/v1/models/none", &[version], "").await;
    assert_eq!(error(&unknown).0, "not_found_error");
    // A URL of OpenAI's is OpenAI's whatever the header says.
    let chat = client().post(proxy.url("/v1/chat/completions")).header(version.0, version.1).body("{}");
    ApiError::of(chat.send().await.unwrap()).await.assert_refused(415, "unsupported_media_type");
    ApiError::of(proxy.get("/v1/models/none").await).await.assert_refused(404, "model_not_found");
}
