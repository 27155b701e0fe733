//! What an answer of two upstreams took: one answer to the client, two generations to whoever pays.

use serde_json::{Value, json};

use super::{SWITCHED, begun, proxy, rest, way};
use crate::support::{Reply, Tongue, Upstream, told};

/// What the client is told it took, and what the log says, as input and output each.
async fn counts(tongue: Tongue, first: Vec<String>, request: &Value) -> ((u64, u64), (String, String)) {
    let script = first.into_iter().fold(tongue.head(), |script, frame| script.send(frame));
    let (first, second) = (Upstream::start(script.close()).await, Upstream::start(rest(tongue, &[" more"])).await);
    let proxy = proxy(&[(&first, tongue, None), (&second, tongue, Some(way(tongue)))], |_| {}).await;
    let reply = Reply::of(proxy.post(tongue.path(true), request.to_string()).await).await;
    let told = told::read(tongue.name(), reply.body.replace(SWITCHED, "").as_bytes());
    assert!(told.ended, "{}", reply.body);
    let usage = told.usage.unwrap();
    let line = proxy.log_line(reply.request_id()).await;
    ((usage.input, usage.output), (line["input_tokens"].clone(), line["output_tokens"].clone()))
}

fn logged(input: u64, output: u64) -> (String, String) {
    (input.to_string(), output.to_string())
}

// Whoever goes on reads 7 tokens and writes 9.

#[tokio::test]
async fn what_was_counted_before_is_added_to_what_comes() {
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 });
    let choice = json!({ "index": 0, "delta": { "content": "Once" }, "finish_reason": null });
    let chunk = json!({ "id": "c", "created": 1, "model": "m", "choices": [choice], "usage": usage });
    let mut request = Tongue::Chat.request(true);
    request["stream_options"] = json!({ "include_usage": true, "continuous_usage_stats": true });
    let first = vec![Tongue::Chat.begin(), format!("data: {chunk}\n\n")];
    assert_eq!(counts(Tongue::Chat, first, &request).await, ((3, 4 + 9), logged(3 + 7, 4 + 9)));
}

#[tokio::test]
async fn what_was_not_counted_before_is_what_the_next_read_more() {
    let begin = Tongue::Anthropic.begin().replace("\"input_tokens\":7", "\"input_tokens\":5");
    let first = vec![begin, Tongue::Anthropic.text("Once")];
    let request = Tongue::Anthropic.request(true);
    assert_eq!(counts(Tongue::Anthropic, first, &request).await, ((5, 7 - 5 + 9), logged(5 + 7, 1 + 9)));
}

#[tokio::test]
async fn where_nothing_was_counted_before_the_beginning_is_input() {
    let mut request = Tongue::Chat.request(true);
    request["stream_options"] = json!({ "include_usage": true });
    let first = vec![Tongue::Chat.begin(), Tongue::Chat.text("Once")];
    assert_eq!(counts(Tongue::Chat, first, &request).await, ((7, 9), logged(7, 9)));
}

#[tokio::test]
async fn a_client_that_did_not_ask_for_usage_is_told_none() {
    let first = Upstream::start(begun(Tongue::Chat, &["Once"]).close()).await;
    let second = Upstream::start(rest(Tongue::Chat, &[" more"])).await;
    let proxy = proxy(&[(&first, Tongue::Chat, None), (&second, Tongue::Chat, Some(way(Tongue::Chat)))], |_| {}).await;
    let reply = super::ask(&proxy, Tongue::Chat).await;
    assert!(!reply.body.contains("usage") && Tongue::Chat.is_whole(&reply.body), "{}", reply.body);
}
