//! Until the first event has come, a failure is an HTTP error in Anthropic's shape.

use crate::support::anthropic::{OVERLOADED, PING, ask, error, proxy_before, proxy_configured, speaker};
use crate::support::{Reply, Script, Upstream, fixture, nowhere};

async fn reply_to(script: Script, stream: bool) -> Reply {
    let upstream = Upstream::start(script).await;
    ask(&proxy_before(&upstream).await, stream).await
}

#[tokio::test]
async fn an_error_of_the_upstream_passes_as_it_is_with_all_that_it_says_of_itself() {
    let recorded = fixture("anthropic/error-400-context-length.json");
    let overloaded =
        r#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}"#;
    for (status, body) in [("400 Bad Request", recorded.as_str()), ("529 Overloaded", overloaded)] {
        let headers = "content-type: application/json\r\nrequest-id: req_1\r\nretry-after: 17\r\nx-should-retry: true\r\n\
                       anthropic-ratelimit-requests-remaining: 0\r\nset-cookie: a=b\r\n";
        for stream in [true, false] {
            let reply = reply_to(Script::response(status, headers, body), stream).await;
            assert_eq!((reply.status.to_string().as_str(), reply.body.as_str()), (&status[..3], body));
            let told = ["request-id", "retry-after", "x-should-retry", "anthropic-ratelimit-requests-remaining"];
            assert_eq!(told.map(|name| reply.header(name)), ["req_1", "17", "true", "0"]);
            assert_eq!(reply.header("set-cookie"), "");
        }
    }
}

#[tokio::test]
async fn an_error_in_any_other_shape_is_told_in_anthropics_with_its_status() {
    for (status, body, kind) in [
        (400, r#"{"error":{"message":"words","type":"x","code":"y"}}"#, "invalid_request_error"),
        (401, r#"{"detail":"words"}"#, "authentication_error"),
        (403, r#"{"message":"words"}"#, "permission_error"),
        (404, r#"{"detail":"words"}"#, "not_found_error"),
        (413, "words", "request_too_large"),
        (422, r#"{"detail":"words"}"#, "invalid_request_error"),
        (429, r#"{"error":"words"}"#, "rate_limit_error"),
        (500, "words", "api_error"),
        (503, r#"{"object":"error","message":"words"}"#, "api_error"),
        (504, "words", "timeout_error"),
        (529, "words", "overloaded_error"),
    ] {
        for stream in [true, false] {
            let script = Script::response(&format!("{status} Whatever"), "content-type: text/plain\r\n", body);
            let reply = reply_to(script, stream).await;
            let (told, message) = error(&reply);
            assert_eq!((reply.status, told.as_str()), (status, kind), "{body}");
            assert!(message.contains("words"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_first_event_that_is_an_error_is_an_http_error_with_the_status_of_its_type() {
    for (event, status, kind) in [
        (OVERLOADED.to_owned(), 529, "overloaded_error"),
        // A ping is no beginning of an answer.
        ([PING, PING, OVERLOADED].concat(), 529, "overloaded_error"),
        (OVERLOADED.replace("event: error\n", ""), 529, "overloaded_error"),
        (OVERLOADED.replace("overloaded_error", "rate_limit_error"), 429, "rate_limit_error"),
        (OVERLOADED.replace("overloaded_error", "api_error"), 500, "api_error"),
        (OVERLOADED.replace("overloaded_error", "unheard_of"), 502, "api_error"),
    ] {
        let reply = reply_to(Script::stream().send(event.clone()).end(), true).await;
        assert_eq!((reply.status, error(&reply).0.as_str()), (status, kind), "{event}");
        assert_eq!(error(&reply).1, "Overloaded");
    }
}

#[tokio::test]
async fn whatever_is_no_stream_and_no_answer_is_a_502() {
    for script in [
        Script::response("200 OK", "content-type: text/html\r\n", "<html>"),
        Script::stream().end(),
        Script::stream().send(PING).end(),
        Script::default().close(),
    ] {
        for stream in [true, false] {
            let about = format!("{script:?}");
            let reply = reply_to(script.clone(), stream).await;
            assert_eq!((reply.status, error(&reply).0.as_str()), (502, "api_error"), "{about}");
        }
    }
    let unread = Upstream::start(Script::silence()).await;
    let proxy = proxy_configured(&unread, |config| config.providers = vec![speaker("upstream", &nowhere())]).await;
    let reply = ask(&proxy, true).await;
    assert_eq!((reply.status, reply.header("x-sluicegate-error")), (502, "upstream_unreachable"));
}

#[tokio::test]
async fn a_success_whose_body_is_an_error_is_that_error() {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for stream in [true, false] {
        let reply = reply_to(Script::json("200 OK", body), stream).await;
        assert_eq!((reply.status, error(&reply)), (529, ("overloaded_error".to_owned(), "Overloaded".to_owned())));
    }
}
