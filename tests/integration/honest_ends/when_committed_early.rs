//! A response whose head went out before the first frame came has no status left to tell a failure with.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::support::{KEEP_ALIVE, Proxy, Reply, Script, Upstream};

/// What a client gets that is given a head before `script` does anything.
async fn early_reply_to(script: Script) -> Reply {
    let cue = Arc::new(Notify::new());
    let upstream = Upstream::start(Script::default().cue(&cue).append(script)).await;
    let proxy = Proxy::configured(&upstream, |config| {
        config.stream.commit_after = Duration::from_millis(100);
        super::once(config);
    })
    .await;
    let head = proxy.chat(true).await;
    cue.notify_one();
    Reply::of(head).await
}

#[tokio::test]
async fn a_late_failure_is_told_inside_the_stream() {
    let rate_limit =
        "{\n  \"error\": {\"message\": \"slow down\", \"type\": \"tokens\", \"code\": \"rate_limit_exceeded\"}\n}";
    for (script, message, code) in [
        (Script::json("429 Too Many Requests", rate_limit), "slow down", "rate_limit_exceeded"),
        (Script::json("500 Oops", r#"{"detail":"out of memory"}"#), "out of memory", "upstream_status"),
        (Script::json("200 OK", r#"{"error":"loading"}"#), "loading", "upstream_error"),
        (Script::stream().send("data: {\"error\":\"loading\"}\n\n").end(), "loading", "upstream_error"),
        (Script::default().close(), "The connection to upstream \"upstream\" broke.", "upstream_connection_broken"),
    ] {
        let about = format!("{script:?}");
        let reply = early_reply_to(script).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"), "{about}");
        assert!(reply.body.starts_with(KEEP_ALIVE), "{about}");
        let error = reply.error_event();
        assert_eq!((&error["message"], &error["code"]), (&message.into(), &code.into()), "{about}");
    }
}

#[tokio::test]
async fn a_late_answer_is_an_answer() {
    let reply = early_reply_to(Script::answer(&["late"])).await;
    assert!(reply.body.starts_with(KEEP_ALIVE));
    assert!(reply.body.contains("late") && reply.body.ends_with("data: [DONE]\n\n"));
}
