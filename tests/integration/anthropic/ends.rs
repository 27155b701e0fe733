//! Once an answer has begun, only `message_stop` makes it whole. Anything else ends in an error event.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::support::anthropic::{
    FINISH, OVERLOADED, PING, START, STOP, ask, error_event, message, proxy_before, proxy_configured, text,
};
use crate::support::{Reply, Script, Upstream};

fn begun() -> Script {
    Script::stream().send([START, &text("one")].concat()).wait(30)
}

/// What a client gets of an upstream that follows `script`, and the outcome and error in the log.
async fn reply_to(script: Script) -> (Reply, [Option<String>; 2]) {
    let upstream = Upstream::start(script).await;
    let proxy = proxy_before(&upstream).await;
    let reply = ask(&proxy, true).await;
    let mut line = proxy.log_line(reply.request_id()).await;
    let logged = ["outcome", "error"].map(|name| line.remove(name));
    (reply, logged)
}

fn upstream_failed(error: &str) -> [Option<String>; 2] {
    [Some("upstream_failed".to_owned()), Some(error.to_owned())]
}

#[tokio::test]
async fn a_stream_that_is_cut_or_broken_ends_in_one_error_event() {
    let half = text("two")[..30].to_owned();
    let truncated = "upstream_truncated";
    let broken = "upstream_connection_broken";
    for (script, error) in [
        (begun().end(), truncated),
        (begun().send(half.clone()).end(), truncated),
        (begun().close(), broken),
        (begun().reset(), broken),
        (begun().send(half).close(), broken),
        // A stop reason is no end: more may follow it.
        (begun().send(FINISH).end(), truncated),
        (begun().send(FINISH).close(), broken),
        (begun().send([FINISH, PING].concat()).end(), truncated),
        // Half of the last event is none.
        (begun().send([FINISH, &STOP[..STOP.len() - 4]].concat()).end(), truncated),
        // Of what others end their streams with, nothing counts.
        (begun().send("data: [DONE]\n\n").end(), truncated),
    ] {
        let about = format!("{script:?}");
        let upstream = Upstream::start(script).await;
        let proxy = proxy_before(&upstream).await;
        let reply = ask(&proxy, true).await;
        assert!(reply.body.starts_with(&[START, &text("one")].concat()), "{about}");
        assert_eq!(error_event(&reply).0, "api_error", "{about}");
        let mut line = proxy.log_line(reply.request_id()).await;
        assert_eq!(["outcome", "error"].map(|name| line.remove(name)), upstream_failed(error), "{about}");
    }
}

#[tokio::test]
async fn a_message_stop_makes_an_answer_whole_however_the_connection_ends() {
    let rest = [FINISH, STOP].concat();
    for script in [
        begun().send(rest.clone()).end(),
        begun().send(rest.clone()).close(),
        begun().send(rest.clone()).reset(),
        begun().send(rest.clone()).hang(),
        begun().send(rest.trim_end().to_owned()).end(),
    ] {
        let about = format!("{script:?}");
        let (reply, logged) = reply_to(script).await;
        assert_eq!(reply.body, [START, &text("one"), &rest].concat(), "{about}");
        assert_eq!(logged, [Some("completed".to_owned()), None], "{about}");
    }
}

#[tokio::test]
async fn an_error_event_of_the_upstream_passes_as_it_is_and_no_second_one_follows() {
    for (script, behind) in [
        (begun().send(OVERLOADED).end(), ""),
        (begun().send(OVERLOADED).close(), ""),
        // Whatever follows it does not make it undone.
        (begun().send([OVERLOADED, FINISH, STOP].concat()).end(), &[FINISH, STOP].concat()),
    ] {
        let about = format!("{script:?}");
        let (reply, logged) = reply_to(script).await;
        assert_eq!(reply.body, [START, &text("one"), OVERLOADED, behind].concat(), "{about}");
        assert_eq!(logged, upstream_failed("upstream_error"), "{about}");
    }
}

#[tokio::test]
async fn an_error_where_clients_do_not_look_is_put_where_they_do() {
    let unnamed = OVERLOADED.replace("event: error\n", "");
    let bare = "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}";
    let openai = "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"overloaded_error\"}}\n\n";
    for script in [
        begun().send([unnamed.as_str(), STOP].concat()).end(),
        begun().send(bare).end(),
        begun().send([openai, "data: [DONE]\n\n"].concat()).end(),
    ] {
        let about = format!("{script:?}");
        let (reply, logged) = reply_to(script).await;
        assert!(reply.body.starts_with(&[START, &text("one"), "event: error\n"].concat()), "{about}: {reply:?}");
        assert_eq!(error_event(&reply), ("overloaded_error".to_owned(), "Overloaded".to_owned()), "{about}");
        assert_eq!(logged, upstream_failed("upstream_error"), "{about}");
    }
}

#[tokio::test]
async fn a_stream_that_stalls_ends_in_an_error_event() {
    for (script, key) in [
        (begun().hang(), "idle_timeout"),
        (Script::stream().send(START).repeat_every(text("more"), 20, 100).hang(), "total_timeout"),
    ] {
        let mut upstream = Upstream::start(script).await;
        let proxy = proxy_configured(&upstream, |config| {
            config.stream.idle_timeout = Duration::from_millis(200);
            config.stream.total_timeout = Some(Duration::from_millis(600));
        })
        .await;
        let reply = ask(&proxy, true).await;
        let (kind, message) = error_event(&reply);
        assert_eq!(kind, "timeout_error");
        assert!(message.contains(&format!("stream.{key}")), "{message}");
        assert_eq!(proxy.log_line(reply.request_id()).await["outcome"], key);
        upstream.abandoned().await;
    }
}

#[tokio::test]
async fn a_ping_of_the_upstream_keeps_a_stream_alive() {
    let script = begun().repeat_every(PING, 60, 10).send([FINISH, STOP].concat()).end();
    let upstream = Upstream::start(script).await;
    let proxy = proxy_configured(&upstream, |config| config.stream.idle_timeout = Duration::from_millis(300)).await;
    let reply = ask(&proxy, true).await;
    assert_eq!(reply.body, [START, &text("one"), &PING.repeat(10), FINISH, STOP].concat());
}

#[tokio::test]
async fn a_failure_behind_an_early_head_is_told_inside_the_stream() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (script, told) in [
        (Script::json("529 Overloaded", overloaded), "overloaded_error"),
        (Script::json("500 Oops", r#"{"detail":"out of memory"}"#), "api_error"),
        (Script::stream().send(OVERLOADED).end(), "overloaded_error"),
        (Script::default().close(), "api_error"),
    ] {
        let about = format!("{script:?}");
        let cue = Arc::new(Notify::new());
        let upstream = Upstream::start(Script::default().cue(&cue).append(script)).await;
        let early = Duration::from_millis(100);
        let proxy = proxy_configured(&upstream, |config| {
            config.stream.commit_after = early;
            config.retry.max_attempts = NonZeroU32::MIN;
        })
        .await;
        let head = proxy.post("/v1/messages", message(true)).await;
        cue.notify_one();
        let reply = Reply::of(head).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"), "{about}");
        assert!(reply.body.starts_with(PING), "{about}: {reply:?}");
        assert_eq!(error_event(&reply).0, told, "{about}");
    }
}

#[tokio::test]
async fn a_shutdown_ends_a_stream_in_an_error_event() {
    let upstream = Upstream::start(begun().hang()).await;
    let proxy = proxy_before(&upstream).await;
    let head = proxy.post("/v1/messages", message(true)).await;
    proxy.shutdown.draining.cancel();
    proxy.shutdown.deadline.cancel();
    assert_eq!(error_event(&Reply::of(head).await).0, "api_error");
}
