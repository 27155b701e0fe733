//! A stream that is cut, stalls or reports an error ends in an error that the client understands, and never looks whole.

use std::time::Duration;

use super::{ask, proxy, proxy_configured};
use crate::support::{Script, TONGUES, Tongue, Upstream, pairs};

fn begun(tongue: Tongue) -> Script {
    // What comes at once with the first frame is seen before the response begins.
    tongue.head().send(tongue.begin()).send(tongue.text("eins")).wait(100)
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_in_an_error_and_never_looks_whole() {
    for (client, upstream_speaks) in pairs() {
        for script in [begun(upstream_speaks).end(), begun(upstream_speaks).close(), begun(upstream_speaks).hang()] {
            let about = format!("{client:?} at {upstream_speaks:?}, {:?}", script.0.last());
            let upstream = Upstream::start(script).await;
            let idle = Duration::from_millis(200);
            let proxy = proxy_configured(&upstream, upstream_speaks, |config| config.stream.idle_timeout = idle).await;
            let reply = ask(&proxy, client, true).await;
            assert!(reply.body.contains("eins"), "{about}: {}", reply.body);
            assert!(!client.is_whole(&reply.body), "{about}: {}", reply.body);
            let message = client.error_message(&reply.body).unwrap_or_else(|| panic!("{about}: {}", reply.body));
            assert!(message.contains("upstream"), "{about}: {message}");
        }
    }
}

#[tokio::test]
async fn an_error_inside_a_stream_arrives_in_the_client_s_dialect() {
    for (client, upstream_speaks) in pairs() {
        let about = format!("{client:?} at {upstream_speaks:?}");
        let upstream =
            Upstream::start(begun(upstream_speaks).send(upstream_speaks.error_event("out of breath")).end()).await;
        let proxy = proxy(&upstream, upstream_speaks).await;
        let reply = ask(&proxy, client, true).await;
        assert!(reply.body.contains("eins") && !client.is_whole(&reply.body), "{about}: {}", reply.body);
        assert_eq!(client.error_message(&reply.body).as_deref(), Some("out of breath"), "{about}: {}", reply.body);
        assert_eq!(proxy.log_line(reply.request_id()).await["outcome"], "upstream_failed", "{about}");
    }
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_in_the_client_s_dialect() {
    for (client, upstream_speaks) in pairs() {
        let about = format!("{client:?} at {upstream_speaks:?}");
        let rest = upstream_speaks.end("eins");
        let upstream = Upstream::start(begun(upstream_speaks).wait(250).send(rest).end()).await;
        let keep_alive = Some(Duration::from_millis(50));
        let proxy = proxy_configured(&upstream, upstream_speaks, |config| config.stream.keep_alive = keep_alive).await;
        let reply = ask(&proxy, client, true).await;
        let sign = match client {
            Tongue::Anthropic => "event: ping\n",
            Tongue::Gemini => r#""parts":[{"text":""}]"#,
            Tongue::Ollama => r#""content":"""#,
            _ => ": keep-alive\n",
        };
        assert!(reply.body.matches(sign).count() >= 2, "{about}: {}", reply.body);
        assert!(client.is_whole(&reply.body), "{about}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_translated_answer_without_end_is_ended() {
    let endless = begun(Tongue::Chat).repeat(Tongue::Chat.text(&"x".repeat(1000)), 1000);
    let upstream = Upstream::start(endless.hang()).await;
    let proxy = proxy_configured(&upstream, Tongue::Chat, |config| config.stream.max_response_bytes = 50_000).await;
    let reply = ask(&proxy, Tongue::Anthropic, true).await;
    assert!(!Tongue::Anthropic.is_whole(&reply.body));
    assert!(Tongue::Anthropic.error_message(&reply.body).unwrap().contains("stream.max_response_bytes"));
    assert!(reply.body.len() < 200_000);
}

#[tokio::test]
async fn a_call_that_the_model_got_wrong_is_no_empty_answer() {
    let malformed =
        r#"{"candidates":[{"index":0,"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"call:f{"}]}"#;
    let stream = || Tongue::Gemini.head().send(Tongue::Gemini.begin()).wait(50);
    let stream = stream().send(format!("data: {malformed}\r\n\r\n")).end();
    for client in TONGUES.into_iter().filter(|client| *client != Tongue::Gemini) {
        for (script, streams) in [(stream.clone(), true), (Script::json("200 OK", malformed), false)] {
            let upstream = Upstream::start(script).await;
            let proxy = proxy(&upstream, Tongue::Gemini).await;
            let reply = ask(&proxy, client, streams).await;
            assert!(!client.is_whole(&reply.body), "{client:?}: {reply:?}");
            let message = client.error_message(&reply.body).unwrap_or_else(|| panic!("{client:?}: {reply:?}"));
            assert!(message.contains("tried to call a tool") && message.contains("call:f{"), "{client:?}: {message}");
        }
    }
}
