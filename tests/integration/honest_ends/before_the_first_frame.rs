//! Until the first frame has come, a failure is an HTTP error in OpenAI's shape.

use sluicegate::config::Config;

use super::{replies_to, reply_to, with_key};
use crate::support::{DONE, Proxy, Reply, Script, Upstream, fixture, nowhere, provider, token};

/// What a client gets that asks for a stream, and one that does not.
async fn either_way(script: Script) -> [Reply; 2] {
    let upstream = Upstream::start(script).await;
    let proxy = Proxy::before(&upstream).await;
    [proxy.ask(true).await, proxy.ask(false).await]
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_a_502() {
    let mut config = Config::for_testing();
    config.providers.push(provider("gone", &nowhere()));
    let proxy = Proxy::start(config).await;
    for stream in [true, false] {
        let reply = proxy.ask(stream).await;
        assert_eq!(reply.status, 502);
        assert_eq!(reply.error()["code"], "upstream_unreachable");
        assert_eq!(reply.error()["type"], "upstream_error");
        assert_eq!(reply.header("x-sluicegate-error"), "upstream_unreachable");
    }
}

#[tokio::test]
async fn an_error_in_openais_shape_passes_untouched_with_its_status_and_its_retry_after() {
    for (status, recording) in [
        ("400 Bad Request", "error-400-context-deepseek.json"),
        ("400 Bad Request", "error-400-context-openrouter.json"),
        ("400 Bad Request", "error-400-ollama-cloud-compat.json"),
        ("401 Unauthorized", "error-401-azure.json"),
        ("429 Too Many Requests", "error-429-azure.json"),
        ("529 Overloaded", "error-429-azure.json"),
    ] {
        let body = fixture(&format!("openai-chat/{recording}"));
        let headers = "content-type: application/json; charset=utf-8\r\nretry-after: 17\r\n";
        let script = Script::response(status, headers, &body);
        for reply in either_way(script).await {
            assert_eq!(reply.status.to_string(), status[..3], "{recording}");
            assert_eq!(reply.body, body);
            assert_eq!(reply.header("retry-after"), "17");
            assert_eq!(reply.header("content-type"), "application/json");
            assert_eq!(reply.header("x-sluicegate-error"), "upstream_status");
        }
    }
}

#[tokio::test]
async fn an_error_in_any_other_shape_is_told_in_openais_with_its_status() {
    let long = "x".repeat(100 * 1024);
    let long_json = format!("{{\"error\":{{\"message\":\"{long}\"}}}}");
    for (status, kind, body, told) in [
        (404, "application/json", r#"{"detail":"Not Found"}"#, "Not Found"),
        (422, "application/json", r#"{"detail":[{"msg":"Field required"}]}"#, "Field required"),
        (400, "application/json", r#"{"code":"invalid-argument","error":"Incorrect API key"}"#, "Incorrect API key"),
        (400, "application/json", r#"[{"error":{"code":400,"message":"Unknown name"}}]"#, "Unknown name"),
        (400, "application/json", r#"{"object":"error","message":"too long","code":400}"#, "too long"),
        (502, "text/html", "<html><h1>Bad Gateway</h1></html>", "HTML page"),
        (500, "text/plain", "out of memory", "out of memory"),
        (503, "text/plain", "", "503 Service Unavailable without a message"),
        (500, "text/plain", &long, "xxxx"),
        (500, "application/json", &long_json, "xxxx"),
    ] {
        let script = Script::response(&format!("{status} Whatever"), &format!("content-type: {kind}\r\n"), body);
        for reply in either_way(script).await {
            assert_eq!(reply.status, status, "{body:.80}");
            let error = reply.error();
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(told) && message.len() < 1000, "{body:.80} became {message:.1000}");
            assert!(!message.contains("<h1>"), "nobody reads HTML: {message}");
            assert_eq!((&error["type"], &error["code"]), (&"upstream_error".into(), &"upstream_status".into()));
        }
    }
}

#[tokio::test]
async fn an_error_whose_body_breaks_off_keeps_its_status() {
    let script =
        Script::head("429 Too Many Requests", "content-type: text/plain\r\nretry-after: 3\r\n").send("slow do");
    let reply = reply_to(script.close(), true).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "3"));
    assert!(reply.error()["message"].as_str().unwrap().contains("slow do"));
}

#[tokio::test]
async fn a_provider_key_in_an_error_is_masked() {
    let key = "sk-canary-of-the-provider";
    let error = format!("{{\"error\":{{\"message\":\"Incorrect API key provided: {key}.\"}}}}");
    for (script, stream) in [
        (Script::json("401 Unauthorized", &error), true),
        (Script::json("401 Unauthorized", &error), false),
        (Script::response("401 Unauthorized", "content-type: text/plain\r\n", &format!("bad key {key}")), true),
        (Script::json("200 OK", &error), true),
        (Script::json("200 OK", &error), false),
        (Script::stream().send(format!("data: {error}\n\n")).end(), true),
        (Script::stream().send(token("a")).wait(50).send(format!("error: {error}\n\n")).end(), true),
    ] {
        let upstream = Upstream::start(script).await;
        let reply = Proxy::configured(&upstream, with_key(key)).await.ask(stream).await;
        assert_eq!(upstream.received()[0].header("authorization"), Some(format!("Bearer {key}").as_str()));
        assert!(reply.body.contains("********") && !reply.body.contains(key), "{reply:?}");
    }
}

#[tokio::test]
async fn a_success_whose_body_is_an_error_is_that_error() {
    for (body, status, message) in [
        (r#"{"error":{"message":"slow down","code":429}}"#, 429, "slow down"),
        (r#"{"error":{"message":"no such model","code":"model_not_found"}}"#, 404, "no such model"),
        (r#"{"error":"model is loading"}"#, 502, "model is loading"),
        (r#"{"object":"error","message":"too long","code":400}"#, 400, "too long"),
    ] {
        for reply in either_way(Script::json("200 OK", body)).await {
            assert_eq!(reply.status, status, "{body}");
            assert_eq!(reply.error()["message"], message);
        }
    }
}

#[tokio::test]
async fn whatever_is_no_stream_is_a_502_that_says_what_came_instead() {
    let answer = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;
    let gzip = "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n";
    let unexpected = "upstream_unexpected_response";
    let cases = [
        (Script::response("200 OK", "content-type: text/html\r\n", "<html>"), unexpected, "text/html"),
        (Script::json("200 OK", answer), unexpected, "application/json"),
        (Script::head("200 OK", gzip).send("\u{1f}garbage").end(), unexpected, "gzip"),
        (Script::stream().send("data: <html>\n\n").hang(), unexpected, "not JSON"),
        (Script::raw("HTTP/1.1 204 No Content\r\n\r\n"), "upstream_truncated", "ended"),
        (Script::stream().end(), "upstream_truncated", "ended"),
        (Script::stream().send(": comment\n\n").end(), "upstream_truncated", "ended"),
        (Script::stream().send("data: {\"choices\":[{").end(), "upstream_truncated", "ended"),
        (Script::stream().close(), "upstream_connection_broken", "broke"),
        (Script::stream().reset(), "upstream_connection_broken", "broke"),
        (Script::default().close(), "upstream_connection_broken", "broke"),
        (Script::default().reset(), "upstream_connection_broken", "broke"),
        (Script::raw("SSH-2.0-OpenSSH_9.6\r\n").hang(), "upstream_connection_broken", "broke"),
    ];
    let replies = replies_to(cases.iter().map(|(script, ..)| script.clone()), true).await;
    for ((script, code, told), reply) in cases.iter().zip(replies) {
        assert_eq!(reply.status, 502, "{script:?}");
        assert_eq!(reply.error()["code"], *code, "{script:?}");
        assert!(reply.error()["message"].as_str().unwrap().contains(told), "{script:?} became {reply:?}");
    }
}

#[tokio::test]
async fn whatever_is_no_answer_is_a_502_that_says_what_came_instead() {
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"choices\":[";
    let unexpected = "upstream_unexpected_response";
    let cases = [
        (Script::response("200 OK", "content-type: text/html\r\n", "<html>"), unexpected, "text/html"),
        (Script::response("200 OK", gzip, "\u{1f}garbage"), unexpected, "gzip"),
        (Script::answer(&["hi"]), unexpected, "text/event-stream"),
        (Script::raw("HTTP/1.1 204 No Content\r\n\r\n"), unexpected, "not JSON"),
        (Script::raw(cut).close(), "upstream_connection_broken", "broke"),
    ];
    let replies = replies_to(cases.iter().map(|(script, ..)| script.clone()), false).await;
    for ((script, code, told), reply) in cases.iter().zip(replies) {
        assert_eq!(reply.status, 502, "{script:?}");
        assert_eq!(reply.error()["code"], *code, "{script:?}");
        assert!(reply.error()["message"].as_str().unwrap().contains(told), "{script:?} became {reply:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_error_and_nobody_follows_it() {
    let elsewhere = Upstream::start(Script::answer(&["stolen"])).await;
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: {}/chat/completions\r\n", elsewhere.url());
        for reply in either_way(Script::response(status, &location, "")).await {
            assert_eq!(reply.status, 502);
            assert!(reply.error()["message"].as_str().unwrap().contains("redirects are not followed"));
            assert_eq!(reply.header("location"), "", "nor is the client sent there");
        }
    }
    assert_eq!(elsewhere.request_count(), 0);
}

#[tokio::test]
async fn a_first_event_that_is_an_error_is_an_http_error_with_the_status_it_names() {
    for (frame, status, message) in [
        (r#"data: {"error":{"message":"slow down","code":429}}"#, 429, "slow down"),
        (r#"data: {"error":{"message":"slow down","code":"429"}}"#, 429, "slow down"),
        (r#"data: {"error":{"message":"slow down","type":"rate_limit_error"}}"#, 429, "slow down"),
        (r#"data: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#, 429, "slow down"),
        (r#"data: {"error":{"message":"too long","type":"invalid_request_error"}}"#, 400, "too long"),
        (r#"data: {"error":{"message":"crashed","type":"server_error"}}"#, 502, "crashed"),
        (r#"data: {"object":"error","message":"too long","code":400}"#, 400, "too long"),
        ("event: error\ndata: {\"error\":{\"message\":\"bad tool\",\"status_code\":400}}", 400, "bad tool"),
        ("event: error\ndata: {\"message\":\"out of memory\"}", 502, "out of memory"),
        (r#"error: {"code":400,"message":"context too small"}"#, 400, "context too small"),
        (r#"{"error":{"code":503,"message":"bare"}}"#, 503, "bare"),
    ] {
        // With and without the empty line that ends it.
        let whole = Script::stream().send(format!("{frame}\n\n")).hang();
        let cut = Script::stream().send(frame.to_owned()).end();
        let scripts = if frame.starts_with('{') { vec![cut] } else { vec![whole, cut] };
        for reply in replies_to(scripts, true).await {
            assert_eq!(reply.status, status, "{frame}");
            assert_eq!(reply.error()["message"], message);
        }
    }
}

#[tokio::test]
async fn a_first_event_of_an_unknown_shape_is_the_clients_to_understand() {
    for event in ["data: {\"choices\":\"to be announced\"}\n\n", "data: {\"hello\":[]}\n\n", "data: 7\n\n"] {
        let reply = reply_to(Script::stream().send(event).send(DONE).end(), true).await;
        assert_eq!((reply.status, reply.body), (200, [event, DONE].concat()));
    }
}

#[tokio::test]
async fn a_stream_of_one_event_without_its_empty_line_is_a_stream() {
    let reply: Reply = reply_to(Script::stream().send("data: [DONE]").end(), true).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "data: [DONE]\n\n"));
}
