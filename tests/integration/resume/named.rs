//! `?events=named`: a stream in a few events, the same for every dialect.

use serde_json::{Value, json};

use super::{TONGUES, begin, body, delete, name, proxy};
use crate::support::{Client, Proxy, Reply, Script, Tongue, Upstream, client, request, soon, with_header};

/// The id, the name and the data of each event in `body`.
fn named(body: &str) -> Vec<(String, String, Value)> {
    let body = body.replace(": keep-alive\n", "");
    let field = |frame: &str, name: &str| {
        let line = frame.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name} in {frame:?}"))
    };
    let event = |frame: &str| {
        let data = serde_json::from_str(&field(frame, "data")).unwrap();
        (field(frame, "id"), field(frame, "event"), data)
    };
    body.split_terminator("\n\n").map(event).collect()
}

/// Reads a whole stream, and returns its name.
async fn whole(proxy: &Proxy, tongue: Tongue) -> String {
    let mut reader = begin(proxy, tongue, None).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    name(&reader)
}

/// What is told to who comes back with `last_event_id`.
async fn fetch(proxy: &Proxy, stream: &str, last_event_id: Option<&str>) -> Reply {
    let get = client().get(proxy.url(&format!("/v1/streams/{stream}?events=named")));
    let get = last_event_id.map_or(get.try_clone().unwrap(), |id| get.header("last-event-id", id));
    Reply::of(soon("an answer", get.send()).await.unwrap()).await
}

#[tokio::test]
async fn every_dialect_is_told_in_the_same_events() {
    for tongue in TONGUES {
        let upstream = Upstream::start(tongue.stream(&["eins", "zwei"])).await;
        let proxy = proxy(&upstream, tongue, |_| {}).await;
        let stream = whole(&proxy, tongue).await;
        let told = fetch(&proxy, &stream, None).await;
        assert_eq!(told.body.matches("retry: 1000\n").count(), 1, "{tongue:?}");
        let events: Vec<_> = named(&told.body).into_iter().map(|(_, name, data)| (name, data)).collect();
        let usage = json!({
            "input_tokens": 7, "output_tokens": 9, "cached_input_tokens": 0, "reasoning_output_tokens": 0
        });
        let expected = [
            ("token", json!({"text": "eins"})),
            ("token", json!({"text": "zwei"})),
            ("usage", usage),
            ("done", json!({"finish_reason": "stop"})),
        ];
        assert_eq!(events, expected.map(|(name, data)| (name.to_owned(), data)), "{tongue:?}");
    }
}

#[tokio::test]
async fn whoever_comes_back_behind_any_named_event_is_told_the_rest_and_nothing_twice() {
    for tongue in TONGUES {
        let upstream = Upstream::start(tongue.stream(&["eins", "zwei", "drei"])).await;
        let proxy = proxy(&upstream, tongue, |_| {}).await;
        let stream = whole(&proxy, tongue).await;
        let all = named(&fetch(&proxy, &stream, None).await.body);
        for (index, (id, ..)) in all.iter().enumerate() {
            let rest = fetch(&proxy, &stream, Some(id)).await;
            if index + 1 == all.len() {
                assert_eq!(rest.status, 204, "{tongue:?}");
            } else {
                assert_eq!(named(&rest.body), all[index + 1..], "{tongue:?} behind {id}");
            }
        }
        let beyond = fetch(&proxy, &stream, Some(&format!("{stream}:99"))).await;
        assert_eq!(beyond.status, 404);
    }
}

#[tokio::test]
async fn thoughts_and_calls_of_tools_have_events_of_their_own() {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]}))
    };
    let call = |function: Value, id: Value| json!({"tool_calls": [{"index": 0, "id": id, "type": "function", "function": function}]});
    let script = Script::stream()
        .send(chunk(json!({"role": "assistant", "reasoning_content": "hm"}), Value::Null))
        .send(chunk(call(json!({"name": "gauge", "arguments": ""}), json!("call_1")), Value::Null))
        .send(chunk(call(json!({"arguments": "{\"a\":"}), Value::Null), Value::Null))
        .send(chunk(call(json!({"arguments": "1}"}), Value::Null), Value::Null))
        .send(chunk(json!({}), json!("tool_calls")))
        .send("data: [DONE]\n\n")
        .end();
    let upstream = Upstream::start(script).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let stream = whole(&proxy, Tongue::Chat).await;
    let events: Vec<_> =
        named(&fetch(&proxy, &stream, None).await.body).into_iter().map(|(_, name, data)| (name, data)).collect();
    let expected = [
        ("reasoning", json!({"text": "hm"})),
        ("tool_call", json!({"index": 0, "id": "call_1", "name": "gauge", "kind": "function"})),
        ("tool_call", json!({"index": 0, "arguments": "{\"a\":"})),
        ("tool_call", json!({"index": 0, "arguments": "1}"})),
        ("done", json!({"finish_reason": "tool_calls"})),
    ];
    assert_eq!(events, expected.map(|(name, data)| (name.to_owned(), data)));
}

#[tokio::test]
async fn the_elder_completions_are_told_in_the_same_events() {
    let chunk = |text: &str, finish: Value| {
        let choice = json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [choice]}))
    };
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16});
    let script = Script::stream()
        .send(chunk("eins", Value::Null))
        .send(chunk("zwei", Value::Null))
        .send(chunk("", json!("length")))
        .send(format!("data: {}\n\n", json!({"id": "cmpl-1", "choices": [], "usage": usage})))
        .send("data: [DONE]\n\n")
        .end();
    let upstream = Upstream::start(script).await;
    let proxy = proxy(&upstream, Tongue::Chat, |_| {}).await;
    let mut reader = Client::connect(proxy.address).await;
    let post = request("/v1/completions", r#"{"model":"m","prompt":"hi","stream":true}"#);
    reader.send(&with_header(&post, "x-sluicegate-resumable: true")).await;
    reader.read_until("\r\n0\r\n\r\n").await;
    let events: Vec<_> = named(&fetch(&proxy, &name(&reader), None).await.body)
        .into_iter()
        .map(|(_, name, data)| (name, data))
        .collect();
    assert_eq!(events[0], ("token".to_owned(), json!({"text": "eins"})));
    assert_eq!(events[1], ("token".to_owned(), json!({"text": "zwei"})));
    assert_eq!((&*events[2].0, &events[2].1["output_tokens"]), ("usage", &json!(9)));
    assert_eq!(events[3..], [("done".to_owned(), json!({"finish_reason": "length"}))]);
}

#[tokio::test]
async fn a_stream_that_fails_or_is_stopped_ends_in_an_error_and_is_never_done() {
    for tongue in TONGUES {
        let begun = tongue.head().send(tongue.begin()).send(tongue.text("eins")).wait(100);
        let upstream = Upstream::start(begun.send(tongue.error_event("out of breath")).end()).await;
        let failing = proxy(&upstream, tongue, |_| {}).await;
        let stream = whole(&failing, tongue).await;
        let events = named(&fetch(&failing, &stream, None).await.body);
        let (id, name, data) = events.last().unwrap();
        assert_eq!((&**name, &data["message"]), ("error", &json!("out of breath")), "{tongue:?}");
        assert_eq!(fetch(&failing, &stream, Some(id)).await.status, 204, "{tongue:?}");
        let upstream = Upstream::start(super::endless(tongue)).await;
        let proxy = proxy(&upstream, tongue, |_| {}).await;
        let mut reader = begin(&proxy, tongue, None).await;
        reader.read_until("eins").await;
        let following = proxy.get(&format!("/v1/streams/{}?events=named", super::name(&reader))).await;
        assert_eq!(delete(&proxy, &super::name(&reader)).await, 204);
        let told = Reply::of(following).await;
        let names: Vec<_> = named(&told.body).into_iter().map(|(_, name, _)| name).collect();
        assert_eq!(names, ["token", "error"], "{tongue:?}: {}", body(&reader));
    }
}

#[tokio::test]
async fn a_posted_stream_can_be_asked_for_in_named_events() {
    let upstream = Upstream::start(Tongue::Anthropic.stream(&["eins"])).await;
    let proxy = proxy(&upstream, Tongue::Anthropic, |_| {}).await;
    let path = "/v1/streams?dialect=anthropic&events=named";
    let reply = Reply::of(proxy.post(path, Tongue::Anthropic.request(true).to_string()).await).await;
    let created: Value = serde_json::from_str(&reply.body).unwrap();
    let told = Reply::of(proxy.get(created["url"].as_str().unwrap()).await).await;
    let names: Vec<_> = named(&told.body).into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["token", "usage", "done"]);
    assert_eq!(proxy.get(&format!("/v1/streams/{}?events=none", created["id"].as_str().unwrap())).await.status(), 400);
}
