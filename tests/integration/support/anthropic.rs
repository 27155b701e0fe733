//! The vocabulary of Anthropic Messages.

use serde_json::Value;
use sluicegate::config::Config;
use sluicegate::config::provider::Provider;
use sluicegate::dialect;

use super::{Proxy, Reply, Script, Upstream, provider};

/// How a message begins. It has been billed for 115 tokens of input, 100 of them cached.
pub const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
/// How it ends, but for its last event.
pub const FINISH: &str = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n";
/// The last event.
pub const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
/// A sign of life, ours and Anthropic's.
pub const PING: &str = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
/// What Anthropic says in the middle of a stream when it has too much to do.
pub const OVERLOADED: &str =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";

/// An event with `text`.
pub fn text(text: &str) -> String {
    let delta = serde_json::json!({
        "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text }
    });
    format!("event: content_block_delta\ndata: {delta}    \n\n")
}

/// A whole, well-behaved stream.
pub fn answer(words: &[&str]) -> Script {
    let script = words.iter().fold(Script::stream().send(START), |script, word| script.send(text(word)));
    script.send(FINISH).send(STOP).end()
}

/// A whole answer that does not stream.
pub const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"cache_creation_input_tokens":10,"cache_read_input_tokens":100,"output_tokens":9}}"#;

/// The usual request.
pub fn message(stream: bool) -> String {
    let messages = serde_json::json!([{ "role": "user", "content": "hi" }]);
    serde_json::json!({ "model": "m", "max_tokens": 9, "stream": stream, "messages": messages }).to_string()
}

/// A provider that speaks Anthropic Messages and nothing else.
pub fn speaker(name: &str, url: &str) -> Provider {
    super::speaker("anthropic", name, url)
}

/// A proxy with `upstream` as its only provider, which speaks Anthropic Messages.
pub async fn proxy_before(upstream: &Upstream) -> Proxy {
    proxy_configured(upstream, |_| {}).await
}

/// The same with a configuration of the test's own.
pub async fn proxy_configured(upstream: &Upstream, change: impl FnOnce(&mut Config)) -> Proxy {
    Proxy::configured(upstream, |config| {
        config.providers = vec![speaker("upstream", &upstream.url())];
        change(config);
    })
    .await
}

/// Posts a message and reads the response to its end.
pub async fn ask(proxy: &Proxy, stream: bool) -> Reply {
    Reply::of(proxy.post("/v1/messages", message(stream)).await).await
}

/// Type and message of the error that the response is.
#[track_caller]
pub fn error(reply: &Reply) -> (String, String) {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("no JSON: {reply:?}"));
    assert_eq!(reply.header("content-type"), "application/json");
    assert!(!reply.header("x-sluicegate-error").is_empty(), "{reply:?}");
    error_in(&body)
}

/// Type and message of the error event that a stream ends in: the last thing in it, once, and no `message_stop` anywhere.
#[track_caller]
pub fn error_event(reply: &Reply) -> (String, String) {
    assert_eq!(reply.body.matches("event: error\n").count(), 1, "not one error: {reply:?}");
    assert!(!reply.body.contains("message_stop"), "a lie: {reply:?}");
    let (_, last) = reply.body.rsplit_once("event: error\ndata: ").unwrap();
    let data = last.strip_suffix("\n\n").unwrap_or_else(|| panic!("an event that is never dispatched: {reply:?}"));
    assert!(!data.contains('\n'), "something behind the error: {reply:?}");
    error_in(&serde_json::from_str(data).unwrap())
}

#[track_caller]
fn error_in(body: &Value) -> (String, String) {
    assert_eq!(body["type"], "error", "{body}");
    let text = |name: &str| body["error"][name].as_str().unwrap_or_else(|| panic!("no {name}: {body}")).to_owned();
    (text("type"), text("message"))
}
