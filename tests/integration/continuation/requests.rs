//! What whoever goes on is asked: what the first was asked, and the text so far as the model's own last turn.

use serde_json::{Value, json};
use sluicegate::dialect::Continuation;

use super::{begun, proxy, rest};
use crate::support::{Reply, Tongue, Upstream, client, soon, told};

const SAID: &str = "He said: \"é\"\n";
/// The same within a JSON string, without white space at its end.
const SHOWN: &str = r#"He said: \"é\""#;

/// What the second upstream, which speaks `tongue`, is asked when the first breaks off behind [`SAID`]; the request was `body`.
async fn asked(tongue: Tongue, continuation: Continuation, body: &str) -> String {
    let first = Upstream::start(begun(tongue, &[SAID]).close()).await;
    let mut second = Upstream::start(rest(tongue, &["more"])).await;
    let proxy = proxy(&[(&first, tongue, None), (&second, tongue, Some(continuation))], |_| {}).await;
    let reply = Reply::of(proxy.post(tongue.path(true), body.to_owned()).await).await;
    assert!(tongue.is_whole(&reply.body), "{}", reply.body);
    let request = second.request().await;
    String::from_utf8(request.body.to_vec()).unwrap()
}

#[tokio::test]
async fn every_server_is_told_in_its_way_and_everything_else_stays_as_it_was() {
    let before = r#"{ "x": 1.50, "stream":true, "model" : "m","messages":[ {"role":"user","content":"\u00e9"}"#;
    let asks = before.replace("\"m\"", "\"of-second\"");
    let turn = |more: &str| format!(r#",{{"role":"assistant","content":"{SHOWN}"{more}}}"#);
    for (way, mark, flags) in [
        (Continuation::Prefill, "", ""),
        (Continuation::Prefix, r#","prefix":true"#, ""),
        (Continuation::ContinueFinalMessage, "", r#","add_generation_prompt":false,"continue_final_message":true"#),
    ] {
        let sent = asked(Tongue::Chat, way, &format!("{before} ] , \"y\":[] }}\n")).await;
        assert_eq!(sent, format!("{asks} {}] , \"y\":[] {flags}}}\n", turn(mark)), "{way:?}");
    }
    let sent = asked(
        Tongue::Chat,
        Continuation::ContinueFinalMessage,
        &format!("{before}],\"continue_final_message\":false,\"add_generation_prompt\":true}}"),
    )
    .await;
    let flags = "\"continue_final_message\":true,\"add_generation_prompt\":false";
    assert_eq!(sent, format!("{asks}{}],{flags}}}", turn("")));
    for tongue in [Tongue::Anthropic, Tongue::Ollama] {
        let sent = asked(tongue, Continuation::Prefill, &format!("{before}],\"max_tokens\":9}}")).await;
        assert_eq!(sent, format!("{asks}{}],\"max_tokens\":9}}", turn("")), "{tongue:?}");
    }
}

#[tokio::test]
async fn an_answer_that_the_client_has_begun_itself_goes_on() {
    let body = |content: &str| {
        format!(
            r#"{{"model":"of-second","stream":true,"max_tokens":9,"messages":[{{"role":"user","content":"hi"}},{{"role":"assistant","content":"{content}"}}]}}"#
        )
    };
    for (tongue, way) in [(Tongue::Chat, Continuation::Prefill), (Tongue::Anthropic, Continuation::Prefill)] {
        let sent = asked(tongue, way, &body("Once: ").replace("of-second", "m")).await;
        assert_eq!(sent, body(&format!("Once: {SHOWN}")), "{tongue:?}");
    }
    let unmarked = body("Once: ").replace("of-second", "m");
    let marked = body(&format!("Once: {SHOWN}")).replace("\"}]}", "\",\"prefix\":true}]}");
    assert_eq!(asked(Tongue::Chat, Continuation::Prefix, &unmarked).await, marked);
    let otherwise = unmarked.replace("\"}]}", "\",\"prefix\":false}]}");
    assert_eq!(asked(Tongue::Chat, Continuation::Prefix, &otherwise).await, marked);
}

#[tokio::test]
async fn a_limit_is_what_the_beginning_has_left_of_it_if_that_is_counted() {
    let counted = |tokens: u64| {
        let usage = json!({ "prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens });
        let choice = json!({ "index": 0, "delta": { "content": "Once" }, "finish_reason": null });
        let chunk = json!({ "id": "c", "created": 1, "model": "m", "choices": [choice], "usage": usage });
        format!("data: {chunk}\n\n")
    };
    for (counts, more, limit) in [
        (counted(4), String::new(), Some(6)),
        // More has been said than was counted.
        (counted(4), Tongue::Chat.text(" upon"), Some(10)),
        (Tongue::Chat.text("Once"), String::new(), Some(10)),
        // Nothing is left.
        (counted(10), String::new(), None),
    ] {
        for name in ["max_tokens", "max_completion_tokens"] {
            let script = Tongue::Chat.head().send(Tongue::Chat.begin()).wait(50).send(counts.clone());
            let first = Upstream::start(script.send(more.clone() + ": .\n").close()).await;
            let second = Upstream::start(rest(Tongue::Chat, &[" more"])).await;
            let how = Some(Continuation::Prefill);
            let proxy = proxy(&[(&first, Tongue::Chat, None), (&second, Tongue::Chat, how)], |_| {}).await;
            let mut body = Tongue::Chat.request(true);
            body[name] = 10.into();
            let reply = Reply::of(proxy.post("/v1/chat/completions", body.to_string()).await).await;
            let asked =
                second.received().pop().map(|received| serde_json::from_slice::<Value>(&received.body).unwrap());
            assert_eq!(asked.map(|asked| asked[name].as_u64().unwrap()), limit, "{name}: {}", reply.body);
        }
    }
}

#[tokio::test]
async fn an_echo_of_the_beginning_is_left_out_where_servers_echo() {
    let first = Upstream::start(begun(Tongue::Chat, &["Once upon a "]).close()).await;
    let second = Upstream::start(rest(Tongue::Chat, &["Once upon a", " time"])).await;
    let targets = [(&first, Tongue::Chat, None), (&second, Tongue::Chat, Some(Continuation::Prefix))];
    let proxy = proxy(&targets, |_| {}).await;
    let reply = super::ask(&proxy, Tongue::Chat).await;
    let told = told::read("openai-chat", reply.body.as_bytes());
    assert_eq!((told.text.as_str(), told.ended), ("Once upon a time", true), "{}", reply.body);
}

#[tokio::test]
async fn each_is_asked_in_its_own_dialect() {
    let first = Upstream::start(begun(Tongue::Chat, &["Once upon"]).close()).await;
    let mut second = Upstream::start(rest(Tongue::Anthropic, &[" a time"])).await;
    let targets = [(&first, Tongue::Chat, None), (&second, Tongue::Anthropic, Some(Continuation::Prefill))];
    let proxy = proxy(&targets, |_| {}).await;
    let reply = super::ask(&proxy, Tongue::Chat).await;
    assert!(Tongue::Chat.is_whole(&reply.body), "{}", reply.body);
    let request = second.request().await;
    assert!(request.head.starts_with("POST /v1/messages "), "{}", request.head);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["messages"][1], json!({ "role": "assistant", "content": "Once upon" }), "{body}");
    assert_eq!(proxy.log_line(reply.request_id()).await["translated"], "anthropic");
}

#[tokio::test]
async fn the_name_of_the_first_request_is_not_that_of_the_second() {
    let first = Upstream::start(begun(Tongue::Chat, &["Once upon"]).close()).await;
    let second = Upstream::start(rest(Tongue::Chat, &[" a time"])).await;
    let targets = [(&first, Tongue::Chat, None), (&second, Tongue::Chat, Some(Continuation::Prefill))];
    let proxy = proxy(&targets, |_| {}).await;
    let post = client().post(proxy.url("/v1/chat/completions")).header("content-type", "application/json");
    let post = post.header("idempotency-key", "one").header("openai-beta", "x");
    let reply =
        Reply::of(soon("a head", post.body(Tongue::Chat.request(true).to_string()).send()).await.unwrap()).await;
    assert!(Tongue::Chat.is_whole(&reply.body), "{}", reply.body);
    let names = |upstream: &Upstream| {
        let request = upstream.received().remove(0);
        ["idempotency-key", "openai-beta"].map(|name| request.header(name).map(str::to_owned))
    };
    assert_eq!(names(&first), [Some("one".to_owned()), Some("x".to_owned())]);
    assert_eq!(names(&second), [None, Some("x".to_owned())]);
}
