//! Header fields stop where they belong, and every request has a name that everyone knows it by.

use http::HeaderMap;
use sluicegate::config::secret::Secret;

use crate::support::{DONE, FINISH, Proxy, ROLE, Script, Upstream, chat, client, soon, token};

/// What an upstream might say of itself, of its connection and of its limits.
const UPSTREAM_HEADERS: &str = "connection: keep-alive, X-Internal\r\n\
    keep-alive: timeout=5\r\n\
    proxy-authenticate: Basic\r\n\
    x-internal: hop\r\n\
    set-cookie: session=1\r\n\
    strict-transport-security: max-age=31536000; includeSubDomains\r\n\
    alt-svc: h3=\":443\"\r\n\
    access-control-allow-origin: *\r\n\
    x-request-id: req_upstream\r\n\
    x-ratelimit-remaining-tokens: 149984\r\n\
    openai-processing-ms: 312\r\n";

/// Those of them that a client must never see.
const STAYS: [&str; 8] = [
    "keep-alive",
    "proxy-authenticate",
    "x-internal",
    "set-cookie",
    "strict-transport-security",
    "alt-svc",
    "access-control-allow-origin",
    "transfer-encoding",
];

fn assert_clean(headers: &HeaderMap) {
    for name in STAYS {
        // hyper frames the response to this client itself, and says so.
        let own = name == "transfer-encoding" && headers.get(name).is_some_and(|value| value == "chunked");
        assert!(own || !headers.contains_key(name), "{name} passed: {headers:?}");
    }
    assert_eq!(headers["x-ratelimit-remaining-tokens"], "149984");
    assert_eq!(headers["openai-processing-ms"], "312");
    assert_eq!(headers["x-upstream-request-id"], "req_upstream");
    assert_ne!(headers["x-request-id"], "req_upstream");
}

#[tokio::test]
async fn what_belongs_to_the_client_does_not_leave_and_what_is_configured_does() {
    let mut upstream = Upstream::start(Script::json("200 OK", r#"{"id":"1","choices":[]}"#)).await;
    let proxy = Proxy::configured(&upstream, |config| {
        config.providers[0].api_key = Some(Secret::new("provider-secret"));
        config.providers[0].headers.insert("X-Team".to_owned(), Secret::new("blue"));
    })
    .await;
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] {
        let request = client()
            .post(proxy.url(path))
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header("idempotency-key", "k1")
            .header("openai-organization", "org-1")
            .header("authorization", "Bearer client-secret")
            .header("cookie", "a=client-secret")
            .header("x-api-key", "client-secret")
            .header("x-forwarded-for", "client-secret")
            .header("forwarded", "for=client-secret")
            .header("via", "1.1 client-secret")
            .header("user-agent", "client-secret")
            .header("x-stainless-lang", "client-secret")
            .header("connection", "keep-alive, X-Nominated, openai-project")
            .header("x-nominated", "client-secret")
            .header("openai-project", "client-secret")
            .header("te", "trailers")
            .header("accept-encoding", "gzip, br")
            .header("host", "localhost")
            .body(chat(false));
        assert_eq!(soon("a response", request.send()).await.unwrap().status(), 200);
        let received = upstream.request().await;
        assert!(!received.head.contains("client-secret"), "{}", received.head);
        for (name, value) in [
            ("authorization", Some("Bearer provider-secret")),
            ("x-team", Some("blue")),
            ("user-agent", Some(concat!("sluicegate/", env!("CARGO_PKG_VERSION")))),
            ("accept-encoding", Some("identity")),
            ("host", Some(upstream.address.to_string().as_str())),
            ("accept", Some("application/json")),
            ("content-type", Some("application/json")),
            ("idempotency-key", Some("k1")),
            ("openai-organization", Some("org-1")),
            ("te", None),
            ("connection", None),
        ] {
            assert_eq!(received.header(name), value, "{name} on {path}");
        }
        assert_eq!(received.head.matches("authorization:").count(), 1);
    }
}

#[tokio::test]
async fn what_belongs_to_the_upstream_stays_there_and_its_limits_pass() {
    let json = format!("content-type: application/json\r\n{UPSTREAM_HEADERS}");
    let stream = format!("content-type: text/event-stream\r\n{UPSTREAM_HEADERS}");
    let answer = Script::response("200 OK", &json, r#"{"id":"1","choices":[]}"#);
    let stream = Script::head("200 OK", &stream).send(ROLE).send(token("hi")).send(FINISH).send(DONE).end();
    let upstream = Upstream::start_with(move |request| {
        let streams = request.body.windows(13).any(|window| window == b"\"stream\":true");
        if streams { stream.clone() } else { answer.clone() }
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    for (path, stream) in
        [("/v1/chat/completions", false), ("/v1/chat/completions", true), ("/v1/embeddings", false), ("/v1/x", true)]
    {
        let response = proxy.post(path, chat(stream)).await;
        assert_eq!(response.status(), 200);
        assert_clean(response.headers());
        let kind = if stream { "text/event-stream" } else { "application/json" };
        assert_eq!(response.headers()["content-type"], kind, "{path}");
    }
}

#[tokio::test]
async fn a_sane_request_id_is_kept_and_any_other_replaced() {
    let mut upstream = Upstream::start(Script::json("200 OK", r#"{"id":"1","choices":[]}"#)).await;
    let proxy = Proxy::before(&upstream).await;
    let long = "x".repeat(65);
    for (sent, kept) in
        [("Run-7.a_B", true), ("two words", false), ("a\tb", false), ("<script>", false), (&long, false), ("", false)]
    {
        let request = client()
            .post(proxy.url("/v1/chat/completions"))
            .header("content-type", "application/json")
            .header("x-request-id", sent)
            .body(chat(false));
        let response = soon("a response", request.send()).await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap();
        assert_eq!(id == sent, kept, "{sent:?} became {id:?}");
        assert!(kept || id.starts_with("req_"), "{id}");
        assert_eq!(upstream.request().await.header("x-request-id"), Some(id));
        assert_eq!(proxy.log_line(id).await["path"], "/v1/chat/completions");
    }
}
