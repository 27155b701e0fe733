//! Where nobody can go on, the honest error stays, and nobody is asked.

use serde_json::{Value, json};
use sluicegate::dialect::Continuation;

use super::{SWITCHED, TOKENS, ask, begun, proxy, rest, way};
use crate::support::{Reply, Script, Tongue, Upstream, told};

const CHAT: Tongue = Tongue::Chat;

/// A chunk of a chat completion with `delta`.
fn chunk(delta: &Value) -> String {
    let choices = json!([{ "index": 0, "delta": delta, "finish_reason": null }]);
    format!("data: {}\n\n", json!({ "id": "c", "created": 1, "model": "m", "choices": choices }))
}

fn tool_call(arguments: &str) -> String {
    let function = json!({ "name": "f", "arguments": arguments });
    chunk(&json!({ "tool_calls": [{ "index": 0, "id": "call_1", "type": "function", "function": function }] }))
}

/// What a client is told by a proxy before `first` and an upstream that can go on, and how often that was asked.
async fn reply_and_switches(tongue: Tongue, first: Script, request: &Value) -> (Reply, usize) {
    let (first, second) = (Upstream::start(first).await, Upstream::start(rest(tongue, &["more"])).await);
    let proxy = proxy(&[(&first, tongue, None), (&second, tongue, Some(way(tongue)))], |_| {}).await;
    let reply = Reply::of(proxy.post(tongue.path(true), request.to_string()).await).await;
    (reply, second.request_count())
}

/// Holds that a stream that begins with `sent` and breaks off ends in an error, and nobody is asked to go on.
async fn assert_refused(tongue: Tongue, sent: &[String], request: &Value) {
    let script = sent.iter().fold(tongue.head().send(tongue.begin()), |script, frame| script.send(frame.clone()));
    let (reply, switches) = reply_and_switches(tongue, script.close(), request).await;
    assert_eq!(switches, 0, "{sent:?} and {request}");
    assert!(reply.body.ends_with('\n') && !tongue.is_whole(&reply.body), "{}", reply.body);
    let message = tongue.error_message(&reply.body).unwrap_or_else(|| panic!("no error: {}", reply.body));
    assert!(message.contains("\"first\""), "{message}");
}

fn with(tongue: Tongue, field: &str, value: Value) -> Value {
    let mut request = tongue.request(true);
    request[field] = value;
    request
}

#[tokio::test]
async fn inside_of_calls_thoughts_and_refusals_nobody_goes_on() {
    let text = CHAT.text("Once upon");
    for sent in [
        vec![text.clone(), tool_call("{\"a\":")],
        vec![text.clone(), tool_call("{}")],
        vec![tool_call("{}"), text.clone()],
        vec![chunk(&json!({ "reasoning_content": "Hm" }))],
        vec![text.clone(), chunk(&json!({ "reasoning": "Hm" }))],
        vec![chunk(&json!({ "refusal": "I" }))],
        vec![
            text.clone(),
            chunk(
                &json!({ "annotations": [{ "type": "url_citation", "url_citation": { "url": "https://a.example" } }] }),
            ),
        ],
        vec![CHAT.text("\n\n")],
    ] {
        assert_refused(CHAT, &sent, &CHAT.request(true)).await;
    }
}

#[tokio::test]
async fn behind_thoughts_that_are_finished_another_goes_on() {
    let sent = [chunk(&json!({ "reasoning_content": "Hm" })), CHAT.text("Once upon ")].concat();
    let script = CHAT.head().send(CHAT.begin()).wait(50).send(sent).close();
    let (reply, switches) = reply_and_switches(CHAT, script, &CHAT.request(true)).await;
    let told = told::read("openai-chat", reply.body.replace(SWITCHED, "").as_bytes());
    assert_eq!((switches, told.reasoning.as_str(), told.text.as_str()), (1, "Hm", "Once upon more"), "{}", reply.body);
    assert!(told.ended);
}

#[tokio::test]
async fn where_the_rest_would_be_another_answer_nobody_goes_on() {
    let text = [CHAT.text("Once upon")];
    for (field, value) in [
        ("response_format", json!({ "type": "json_object" })),
        ("guided_json", json!({ "type": "object" })),
        ("grammar", json!("root ::= [a-z]+")),
        ("logprobs", json!(true)),
        ("n", json!(2)),
        ("stop", json!(["on the"])),
    ] {
        assert_refused(CHAT, &text, &with(CHAT, field, value)).await;
    }
    assert_refused(Tongue::Anthropic, &[Tongue::Anthropic.text("Once upon")], &{
        with(Tongue::Anthropic, "stop_sequences", json!(["upon a time"]))
    })
    .await;
    let thinking = json!({ "type": "enabled", "budget_tokens": 1024 });
    let thinks = with(Tongue::Anthropic, "thinking", thinking);
    assert_refused(Tongue::Anthropic, &[Tongue::Anthropic.text("Once upon")], &thinks).await;
    assert_refused(Tongue::Ollama, &[Tongue::Ollama.text("Once upon")], &with(Tongue::Ollama, "think", json!(true)))
        .await;
}

#[tokio::test]
async fn what_could_not_be_read_is_not_gone_on_with() {
    // Half of a character, escaped: valid to whoever does not look.
    let half = CHAT.text("x").replace("\"x\"", "\"\\ud83d\"");
    assert_refused(CHAT, &[CHAT.text("Once"), half], &CHAT.request(true)).await;
    // A block without a word has a number that no part has.
    let empty = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
                 event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    let second = Tongue::Anthropic.text("Once").replace("\"index\":0", "\"index\":1");
    assert_refused(Tongue::Anthropic, &[empty.to_owned() + &second], &Tongue::Anthropic.request(true)).await;
}

#[tokio::test]
async fn an_answer_whose_model_has_stopped_is_not_gone_on_with() {
    let end = Tongue::Anthropic.end("Once");
    let without_stop = end.split("event: message_stop").next().unwrap().to_owned();
    let sent = [Tongue::Anthropic.text("Once"), without_stop];
    assert_refused(Tongue::Anthropic, &sent, &Tongue::Anthropic.request(true)).await;
}

#[tokio::test]
async fn what_the_caller_got_wrong_nobody_else_gets_right() {
    let error = "data: {\"error\":{\"message\":\"bad input\",\"code\":400}}\n\n";
    let script = begun(CHAT, &["Once upon"]).wait(100).send(error).end();
    let (reply, switches) = reply_and_switches(CHAT, script, &CHAT.request(true)).await;
    assert_eq!((&reply.error_event()["message"], switches), (&json!("bad input"), 0));
}

#[tokio::test]
async fn whoever_cannot_be_told_to_go_on_is_not_asked() {
    let cases = [
        // Nobody says how.
        (CHAT, CHAT, None),
        // Not in this dialect.
        (Tongue::Gemini, Tongue::Gemini, Some(Continuation::Prefill)),
        (Tongue::Anthropic, Tongue::Anthropic, Some(Continuation::Prefix)),
    ];
    for (client, speaks, continuation) in cases {
        let first = Upstream::start(begun(client, &TOKENS[..2]).close()).await;
        let second = Upstream::start(rest(speaks, &["more"])).await;
        let proxy = proxy(&[(&first, client, None), (&second, speaks, continuation)], |_| {}).await;
        let reply = ask(&proxy, client).await;
        assert!(client.error_message(&reply.body).unwrap().contains("\"first\""), "{}", reply.body);
        assert_eq!(second.request_count(), 0, "{client:?}");
    }
}

#[tokio::test]
async fn a_model_that_begins_anew_is_not_told() {
    for anew in [
        &["Once upon", " a time"][..],
        &["Once", " upon", " a", " midnight"],
        &["Sure", "! Here", " it is: Once upon"],
        &["Once upon a time"],
    ] {
        for client in [CHAT, Tongue::Anthropic, Tongue::Ollama, Tongue::Responses] {
            let first_speaks = if client == Tongue::Responses { CHAT } else { client };
            let first = Upstream::start(begun(first_speaks, &["Once upon a"]).close()).await;
            let second = Upstream::start(rest(CHAT, anew)).await;
            let third = Upstream::start(rest(CHAT, &["more"])).await;
            let targets =
                [(&first, first_speaks, None), (&second, CHAT, Some(way(CHAT))), (&third, CHAT, Some(way(CHAT)))];
            let proxy = proxy(&targets, |config| config.stream.max_switches = 9).await;
            let reply = ask(&proxy, client).await;
            let told = told::read(client.name(), reply.body.as_bytes());
            assert_eq!(told.text, "Once upon a", "{anew:?} to {client:?}: {}", reply.body);
            assert!(told.error.as_deref().is_some_and(|message| message.contains("anew")), "{}", reply.body);
            assert!(!told.ended && !client.is_whole(&reply.body), "{}", reply.body);
            assert_eq!((second.request_count(), third.request_count()), (1, 0));
            let line = proxy.log_line(reply.request_id()).await;
            assert_eq!((&*line["outcome"], &*line["provider"]), ("upstream_failed", "second"), "{line:?}");
        }
    }
}

#[tokio::test]
async fn a_model_that_thinks_first_does_not_go_on() {
    let first = Upstream::start(begun(CHAT, &["Once upon a"]).close()).await;
    let thinks = CHAT.head().send(CHAT.begin()).send(chunk(&json!({ "reasoning": "Hm" }))).send(CHAT.text(" time"));
    let second = Upstream::start(thinks.send(CHAT.end(" time")).end()).await;
    let proxy = proxy(&[(&first, CHAT, None), (&second, CHAT, Some(way(CHAT)))], |_| {}).await;
    let reply = ask(&proxy, CHAT).await;
    reply.error_event();
    assert!(!reply.body.contains("Hm") && !reply.body.contains("time"), "{}", reply.body);
}
