//! Every other OpenAI endpoint goes to the provider that owns the model, and what comes back is passed on as it comes.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{ApiError, Client, Proxy, Received, Script, Upstream, client, provider, soon};

const OK: &str = r#"{"ok":true}"#;

async fn upstream() -> Upstream {
    Upstream::start(Script::json("200 OK", OK)).await
}

/// A proxy before two upstreams, `a` and `b`, neither of them the default.
async fn two(a: &Upstream, b: &Upstream) -> Proxy {
    Proxy::configured(a, |config| config.providers = vec![provider("a", &a.url()), provider("b", &b.url())]).await
}

/// A proxy whose upstream is what the test does with the listener.
async fn before_a_listener() -> (TcpListener, Proxy) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let mut config = sluicegate::config::Config::for_testing();
    config.providers.push(provider("upstream", &url));
    (listener, Proxy::start(config).await)
}

async fn send(request: reqwest::RequestBuilder) -> reqwest::Response {
    soon("a response head", request.send()).await.unwrap()
}

fn request_line(received: &Received) -> &str {
    received.head.lines().next().unwrap()
}

// === JSON ===

#[tokio::test]
async fn json_goes_to_the_owner_of_its_model_under_the_model_s_own_name() {
    let (a, mut b) = (upstream().await, upstream().await);
    let proxy = two(&a, &b).await;
    let response = proxy.post("/v1/embeddings", r#"{"input" : 1.0, "model":"b/e", "x":{}}"#).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), OK);
    let received = b.request().await;
    assert_eq!(request_line(&received), "POST /v1/embeddings HTTP/1.1");
    assert_eq!(received.body, r#"{"input" : 1.0, "model":"e", "x":{}}"#);
    assert_eq!(a.request_count(), 0);
}

#[tokio::test]
async fn a_request_that_names_no_model_goes_to_the_default_provider() {
    let (a, mut b) = (upstream().await, upstream().await);
    let proxy = Proxy::configured(&a, |config| {
        config.providers = vec![provider("a", &a.url()), provider("b", &b.url())];
        config.providers[1].default = true;
    })
    .await;
    assert_eq!(proxy.post("/v1/batches", r#"{"input_file_id":"f"}"#).await.status(), 200);
    assert_eq!(b.request().await.body, r#"{"input_file_id":"f"}"#);
    assert_eq!(a.request_count(), 0);
}

#[tokio::test]
async fn without_a_default_provider_a_request_must_name_its_model() {
    let (a, b) = (upstream().await, upstream().await);
    let proxy = two(&a, &b).await;
    let error = ApiError::of(proxy.post("/v1/batches", r#"{"input_file_id":"f"}"#).await).await;
    error.assert_invalid(Some("model"));
    assert!(error.message.contains("default"), "{error:?}");
    ApiError::of(proxy.get("/v1/files").await).await.assert_invalid(Some("model"));
    assert_eq!(proxy.get("/v1/files?limit=1&model=b/x").await.status(), 200);
    assert_eq!((a.request_count(), b.request_count()), (0, 1));
}

#[tokio::test]
async fn json_is_held_to_the_same_limits_as_a_chat() {
    let upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| config.server.max_body_bytes = 100).await;
    ApiError::of(proxy.post("/v1/embeddings", "{").await).await.assert_invalid(None);
    ApiError::of(proxy.post("/v1/embeddings", r#"{"model":7}"#).await).await.assert_invalid(Some("model"));
    let large = format!(r#"{{"model":"{}"}}"#, "m".repeat(100));
    ApiError::of(proxy.post("/v1/embeddings", large).await).await.assert_refused(413, "request_too_large");
    assert_eq!(upstream.request_count(), 0);
}

/// OpenAI's SDKs send `content-type: application/json` also where there is nothing to send.
#[tokio::test]
async fn json_may_be_announced_where_nothing_is_sent() {
    let mut upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    for (method, path) in [("DELETE", "/v1/files/f1"), ("POST", "/v1/batches/b1/cancel"), ("GET", "/v1/files")] {
        let method: http::Method = method.parse().unwrap();
        let request = client().request(method, proxy.url(path)).header("content-type", "application/json");
        assert_eq!(send(request).await.status(), 200, "{path}");
        assert!(upstream.request().await.body.is_empty());
    }
}

// === other methods and URLs ===

#[tokio::test]
async fn methods_paths_and_queries_pass_as_they_are() {
    let mut upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    for (method, path) in [
        ("GET", "/v1/files/file-1/content?a=b%20c&d"),
        ("DELETE", "/v1/responses/resp_1"),
        ("DELETE", "/v1/models/ft:m:1"),
        ("GET", "/v1/chat/completions?limit=2"),
        ("POST", "/v1/a%2Fb/c;d=e"),
        ("GET", "/v1/files?after=%2e%2e/%2e%2e/admin"),
    ] {
        let mut client = Client::connect(proxy.address).await;
        client.send(&format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        assert_eq!(client.response().await.status, 200);
        assert_eq!(request_line(&upstream.request().await), format!("{method} {path} HTTP/1.1"));
    }
    let received = upstream.received();
    let framed =
        |received: &&Received| received.header("transfer-encoding").or(received.header("content-length")).is_some();
    assert_eq!(received.iter().filter(framed).count(), 1, "only the POST has a body to speak of: {received:?}");
}

#[tokio::test]
async fn no_path_leaves_the_base_url() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    for path in [
        "/v1/../admin",
        "/v1/files/../../admin",
        "/v1/%2e%2e/admin",
        "/v1/%2E./admin",
        "/v1/a%2f..%2F..%2fadmin",
        "/v1/..%5cadmin",
        "/v1/.%2e%5C..\\admin",
        "/v1/./files",
        "/v1/files/%2e",
        "/v1/models/../../admin",
    ] {
        let mut client = Client::connect(proxy.address).await;
        client.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        assert_eq!(client.response().await.status, 404, "{path}");
    }
    assert!(upstream.received().iter().all(|received| request_line(received) == "GET /v1/models HTTP/1.1"));
}

// === forms ===

/// A form with `fields` as its parts, each of them a name, a file name and a value.
fn form(fields: &[(&str, Option<&str>, &str)]) -> String {
    let part = |(name, file, value): &(&str, Option<&str>, &str)| {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
    };
    format!("{}--b--\r\n", fields.iter().map(part).collect::<String>())
}

fn post_form(proxy: &Proxy, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    client()
        .post(proxy.url("/v1/audio/transcriptions"))
        .header("content-type", "multipart/form-data; boundary=b")
        .body(body)
}

#[tokio::test]
async fn the_model_of_a_form_is_renamed_and_nothing_else() {
    let (a, mut b) = (upstream().await, upstream().await);
    let proxy = two(&a, &b).await;
    let audio = "\u{0}b/whisper\r\n".repeat(50_000);
    let sent = form(&[("language", None, "de"), ("model", None, "b/whisper"), ("file", Some("a.wav"), &audio)]);
    assert_eq!(send(post_form(&proxy, sent.clone())).await.status(), 200);
    let received = b.request().await;
    assert_eq!(received.body, sent.replacen("b/whisper", "whisper", 1));
    assert_eq!(received.header("content-length"), Some(received.body.len().to_string().as_str()));
    assert_eq!(received.header("content-type"), Some("multipart/form-data; boundary=b"));
    assert_eq!(a.request_count(), 0);
}

#[tokio::test]
async fn a_file_that_is_called_model_is_no_model() {
    let mut upstream = upstream().await;
    let proxy = Proxy::configured(&upstream, |config| {
        config.models.push(toml::from_str("name = \"data\"\ntargets = [\"upstream/m\"]").unwrap());
    })
    .await;
    let sent = form(&[("purpose", None, "fine-tune"), ("file", Some("model"), "data\r\nmore data")]);
    assert_eq!(send(post_form(&proxy, sent.clone())).await.status(), 200);
    assert_eq!(upstream.request().await.body, sent);
}

#[tokio::test]
async fn a_form_without_a_length_is_passed_on_without_one() {
    let mut upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    let sent = form(&[("model", None, "upstream/m")]);
    let pieces: Vec<_> = sent.bytes().map(|byte| Ok::<_, std::io::Error>(Bytes::from(vec![byte]))).collect();
    let body = reqwest::Body::wrap_stream(async_stream::stream! { for piece in pieces { yield piece; } });
    assert_eq!(send(post_form(&proxy, body)).await.status(), 200);
    let received = upstream.request().await;
    assert_eq!(received.header("transfer-encoding"), Some("chunked"));
    assert_eq!(received.header("content-length"), None);
}

#[tokio::test]
async fn a_form_that_hides_its_model_behind_a_large_file_goes_to_the_default_provider() {
    let (mut a, b) = (upstream().await, upstream().await);
    let sent = form(&[("file", Some("a.wav"), &"x".repeat(200_000)), ("model", None, "b/whisper")]);
    let proxy = two(&a, &b).await;
    ApiError::of(send(post_form(&proxy, sent.clone())).await).await.assert_invalid(Some("model"));
    assert_eq!((a.request_count(), b.request_count()), (0, 0));

    let proxy = Proxy::before(&a).await;
    assert_eq!(send(post_form(&proxy, sent.clone())).await.status(), 200);
    assert_eq!(a.request().await.body, sent);
}

/// An upstream that tells of the beginning of a request long before its end has come.
#[tokio::test]
async fn a_large_upload_streams() {
    const LARGE: u64 = 64 * 1024 * 1024;
    let (listener, proxy) = before_a_listener().await;

    let mut client = Client::connect(proxy.address).await;
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\ncontent-length: {LARGE}\r\n\r\n"
    );
    client.send(&head).await;
    client.send(&"a".repeat(1000)).await;
    let (mut socket, _) = soon("a connection to the upstream", listener.accept()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(&[b'a'; 1000]) {
        assert!(soon("the first bytes", socket.read_buf(&mut seen)).await.unwrap() > 0);
    }
    assert!(String::from_utf8_lossy(&seen).contains(&format!("content-length: {LARGE}")));

    let rest = async {
        let piece = vec![b'b'; 1024 * 1024];
        for _ in 0..LARGE / piece.len() as u64 {
            client.send(&piece[..]).await;
        }
    };
    let mut left = LARGE - 1000;
    let drain = async {
        let mut buffer = vec![0; 1024 * 1024];
        while left > 0 {
            left -= socket.read(&mut buffer).await.unwrap() as u64;
        }
        socket.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    };
    soon("the whole upload", async { tokio::join!(rest, drain) }).await;
    let response = client.response().await;
    assert_eq!((response.status, response.body.as_str()), (201, "ok"));
}

#[tokio::test]
async fn an_upload_that_is_abandoned_is_abandoned_at_the_upstream() {
    let (listener, proxy) = before_a_listener().await;

    let mut client = Client::connect(proxy.address).await;
    client.send("POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n some").await;
    let (mut socket, _) = soon("a connection to the upstream", listener.accept()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b" some") {
        assert!(soon("the first bytes", socket.read_buf(&mut seen)).await.unwrap() > 0);
    }
    drop(client);
    while !matches!(soon("the end of the upload", socket.read_buf(&mut seen)).await, Ok(0) | Err(_)) {}
}

// === answers ===

#[tokio::test]
async fn a_binary_answer_is_passed_on_byte_for_byte() {
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let head =
        format!("HTTP/1.1 206 Partial Content\r\ncontent-type: audio/mpeg\r\ncontent-length: {}\r\n\r\n", bytes.len());
    let upstream = Upstream::start(Script::raw([head.as_bytes(), &bytes[..]].concat())).await;
    let proxy = Proxy::before(&upstream).await;
    let response = proxy.post("/v1/audio/speech", r#"{"model":"tts","input":"hi"}"#).await;
    assert_eq!(response.status(), 206);
    assert_eq!(response.headers()["content-type"], "audio/mpeg");
    assert_eq!(response.headers()["content-length"], bytes.len().to_string().as_str());
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert!(response.bytes().await.unwrap() == bytes);
    let line = proxy.log_line(&id).await;
    assert_eq!(
        (line["outcome"].as_str(), line["bytes"].as_str(), line["model"].as_str()),
        ("completed", "300000", "tts")
    );
}

#[tokio::test]
async fn a_binary_answer_that_breaks_off_is_seen_to_break_off() {
    for script in [
        Script::head("200 OK", "content-type: audio/mpeg\r\n").send("some").close(),
        Script::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome").close(),
        Script::head("200 OK", "content-type: audio/mpeg\r\n").send("some").hang(),
    ] {
        let upstream = Upstream::start(script).await;
        let idle_timeout = Duration::from_millis(200);
        let proxy = Proxy::configured(&upstream, |config| config.stream.idle_timeout = idle_timeout).await;
        let response = proxy.post("/v1/audio/speech", r#"{"model":"tts"}"#).await;
        assert_eq!(response.status(), 200);
        assert!(soon("the end of the body", response.bytes()).await.is_err());
    }
}

#[tokio::test]
async fn an_event_stream_is_relayed_with_signs_of_life() {
    let event = "data: {\"type\":\"speech.audio.delta\",\"audio\":\"aGk=\"}\n\n";
    let end = "data: {\"type\":\"speech.audio.done\"}\n\n";
    let upstream = Upstream::start(Script::stream().send(event).wait(300).send(end).end()).await;
    let keep_alive = Some(Duration::from_millis(50));
    let proxy = Proxy::configured(&upstream, |config| config.stream.keep_alive = keep_alive).await;
    let response = proxy.post("/v1/audio/speech", r#"{"model":"m","stream_format":"sse"}"#).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache, no-transform");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let text = soon("the stream", response.text()).await.unwrap();
    assert!(text.contains(": keep-alive\n"), "{text:?}");
    assert_eq!(text.replace(": keep-alive\n", ""), format!("{event}{end}"));
}

#[tokio::test]
async fn an_error_keeps_its_status_its_words_and_its_patience() {
    let body =
        json!({"error": {"message": "Slow down.", "type": "requests", "param": null, "code": "rate_limit_exceeded"}});
    let headers = "content-type: application/json\r\nretry-after: 7\r\n";
    let upstream = Upstream::start(Script::response("429 Too Many Requests", headers, &body.to_string())).await;
    let proxy = Proxy::before(&upstream).await;
    let post = proxy.post("/v1/embeddings", r#"{"model":"m"}"#).await;
    let upload = send(post_form(&proxy, form(&[("model", None, "m")]))).await;
    for response in [post, upload, proxy.get("/v1/files").await] {
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["x-sluicegate-error"], "upstream_status");
        assert_eq!(serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap(), body);
    }
}

#[tokio::test]
async fn no_path_leads_to_another_host_than_the_provider_s() {
    let (upstream, other) =
        (Upstream::start(Script::json("200 OK", "{}")).await, Upstream::start(Script::json("200 OK", "{}")).await);
    let proxy = Proxy::configured(&upstream, |config| {
        // Nothing stands before the paths of this one.
        config.providers = vec![provider("upstream", &format!("http://{}", upstream.address))];
    })
    .await;
    for path in [format!("/v1//{}/files", other.address), format!("/v1/%2F{}/files", other.address)] {
        // Sent in a coding that is not JSON, a body takes the way of uploads.
        let post = client().post(proxy.url(&path)).header("content-type", "text/plain").body("some words");
        let _ = soon("a response", post.send()).await.unwrap();
        let _ = proxy.post(&path, "{}").await;
    }
    assert_eq!(other.request_count(), 0);
    assert!(upstream.request_count() > 0);
}

#[tokio::test]
async fn nothing_in_a_model_s_url_breaks_out_of_the_path() {
    let upstream = Upstream::start(Script::json("200 OK", "{}")).await;
    let proxy = Proxy::before(&upstream).await;
    for named in
        ["m:x%0D%0Ax-forged:%20yes%0D%0Ay:z", "m%0D%0Ax-forged:%20yes:generateContent", "m:a%2F..%2F..%2Fadmin"]
    {
        let _ = proxy.post(&format!("/v1beta/models/{named}"), "{}").await;
    }
    for received in upstream.received() {
        assert_eq!(received.header("x-forged"), None, "{}", received.head);
        assert!(!received.head.contains("/../"), "{}", received.head);
    }
}
