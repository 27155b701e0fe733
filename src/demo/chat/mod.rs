//! `POST /v1/chat/completions`, worded as OpenAI words it.

mod wire;

use axum::response::Response;
use serde::Serialize;

use super::{
    error::{ApiError, to_json},
    reply::{self, Reply, Stamp, Wording},
    request::Ask,
    script::{Billing, Finish, Step, Usage},
};
use wire::{Call, CallDelta, Choice, ChunkChoice, Delta, Envelope, Fragment, Function, Message};

/// Answers a chat request.
pub(super) async fn completions(body: &[u8]) -> Result<Response, ApiError> {
    let ask = Ask::chat(body)?;
    let wording = Chat { stamp: Stamp::new("chatcmpl", &ask), include_usage: ask.include_usage };
    Ok(reply::reply(&ask, wording).await)
}

struct Chat {
    stamp: Stamp,
    include_usage: bool,
}

impl Chat {
    fn envelope<C: Serialize>(&self, object: &'static str, choices: &[C], usage: Option<Billing<'_>>) -> Vec<u8> {
        let Stamp { id, created, model } = &self.stamp;
        to_json(&Envelope { id, object, created: *created, model, system_fingerprint: "fp_demo", choices, usage })
    }

    fn chunk(&self, delta: Delta<'_>, finish_reason: Option<Finish>) -> Vec<u8> {
        let choice = ChunkChoice { index: 0, delta, logprobs: None, finish_reason };
        let usage = self.include_usage.then_some(Billing::Later);
        self.envelope("chat.completion.chunk", &[choice], usage)
    }
}

impl Wording for Chat {
    fn opening(&self, first: &Step) -> Option<Vec<u8>> {
        let content = matches!(first, Step::Text(_)).then_some("");
        Some(self.chunk(Delta::Opening { role: "assistant", content, refusal: None }, None))
    }

    fn step(&self, step: &Step) -> Option<Vec<u8>> {
        let delta = match step {
            Step::Text(content) => Delta::Text { content },
            Step::Reasoning(reasoning_content) => Delta::Reasoning { content: None, reasoning_content },
            Step::Call { index, id, name } => {
                let function = Function { name, arguments: "" };
                Delta::Call { tool_calls: [CallDelta::Begin { index: *index, id, r#type: "function", function }] }
            }
            Step::Arguments { index, fragment } => {
                let function = Fragment { arguments: fragment };
                Delta::Call { tool_calls: [CallDelta::Continue { index: *index, function }] }
            }
            Step::Finish(finish) => return Some(self.chunk(Delta::End {}, Some(*finish))),
            Step::Cut(_) | Step::Hang => return None,
        };
        Some(self.chunk(delta, None))
    }

    fn usage(&self, usage: &Usage) -> Option<Vec<u8>> {
        let nobody: &[ChunkChoice<'_>] = &[];
        self.include_usage.then(|| self.envelope("chat.completion.chunk", nobody, Some(Billing::Now(usage))))
    }

    fn whole(&self, reply: &Reply, usage: &Usage) -> Vec<u8> {
        let Reply { reasoning, text, calls, finish } = reply;
        let choice = Choice {
            index: 0,
            message: Message {
                role: "assistant",
                content: (!text.is_empty() || calls.is_empty()).then_some(text),
                refusal: None,
                reasoning_content: (!reasoning.is_empty()).then_some(reasoning),
                tool_calls: calls.iter().map(Call::from).collect(),
            },
            logprobs: None,
            finish_reason: *finish,
        };
        self.envelope("chat.completion", &[choice], Some(Billing::Now(usage)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::{super::request::example, *};

    /// The events of a streamed reply, without `data: ` and without the empty lines.
    async fn events(model: &str, extra: &[(&str, Value)]) -> Vec<String> {
        let mut options = json!({"stream": true});
        for (name, value) in extra {
            options[*name] = value.clone();
        }
        let response = completions(&example(model, "hello", options)).await.expect("a reply");
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole stream");
        let body = String::from_utf8(body.to_vec()).expect("UTF-8");
        let lines = body.strip_suffix("\n\n").expect("an empty line at the end").split("\n\n");
        lines.map(|line| line.strip_prefix("data: ").expect("a data line").to_owned()).collect()
    }

    fn parse(events: &[String]) -> Vec<Value> {
        let (done, chunks) = events.split_last().expect("events");
        assert_eq!(done, "[DONE]");
        chunks.iter().map(|chunk| serde_json::from_str(chunk).expect("a chunk of JSON")).collect()
    }

    fn joined(chunks: &[Value], pointer: &str) -> String {
        chunks.iter().filter_map(|chunk| chunk.pointer(pointer)?.as_str()).collect()
    }

    async fn whole(model: &str) -> Value {
        let response = completions(&example(model, "hello", json!({}))).await.expect("a reply");
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
        serde_json::from_slice(&body).expect("JSON")
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_chunks_are_written_as_openai_writes_them() {
        let events = events("demo", &[]).await;
        let start = events[0].find("\"created\"").expect("a time");
        assert!(events[0].starts_with(r#"{"id":"chatcmpl-"#));
        assert!(events[0][..start].ends_with(r#"","object":"chat.completion.chunk","#));
        let opening = concat!(
            r#","model":"demo","system_fingerprint":"fp_demo","choices":[{"index":0,"#,
            r#""delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}"#,
        );
        assert!(events[0].ends_with(opening), "{}", events[0]);
        assert!(events[1].contains(r#""delta":{"content":""#), "{}", events[1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_one_reply_from_role_to_finish() {
        let chunks = parse(&events("demo", &[]).await);
        assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["created"] == chunks[0]["created"]));
        assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
        let (finish, others) = chunks.split_last().expect("chunks");
        assert_eq!(finish["choices"][0]["delta"], json!({}));
        assert_eq!(finish["choices"][0]["finish_reason"], "stop");
        assert!(others.iter().all(|chunk| chunk["choices"][0]["finish_reason"].is_null()));
        let streamed = joined(&chunks, "/choices/0/delta/content");
        assert!(streamed.contains("hello"));
        assert!(whole("demo").await["choices"][0]["message"]["content"].is_string());
    }

    #[tokio::test(start_paused = true)]
    async fn usage_comes_last_if_it_is_asked_for_and_is_null_before() {
        let events = events("demo", &[("stream_options", json!({"include_usage": true}))]).await;
        let chunks = parse(&events);
        let (usage, others) = chunks.split_last().expect("chunks");
        assert!(others.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
        assert_eq!(usage["choices"], json!([]));
        // Not counted: the chunk with the role and the one with the finish reason.
        assert_eq!(usage["usage"]["completion_tokens"], others.len() - 2);
        assert_eq!(usage["usage"]["prompt_tokens"], 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_ends_the_stream_with_length() {
        let chunks = parse(&events("demo", &[("max_tokens", json!(3))]).await);
        assert_eq!(chunks.len(), 5);
        assert_eq!(chunks[4]["choices"][0]["finish_reason"], "length");
    }

    #[tokio::test(start_paused = true)]
    async fn thoughts_are_streamed_before_the_answer_in_a_field_of_their_own() {
        let chunks = parse(&events("demo-thinking", &[]).await);
        assert_eq!(chunks[0]["choices"][0]["delta"]["content"], Value::Null);
        assert!(joined(&chunks, "/choices/0/delta/reasoning_content").starts_with("The user"));
        assert!(joined(&chunks, "/choices/0/delta/content").contains("hello"));
        let whole = whole("demo-thinking").await;
        assert!(whole["choices"][0]["message"]["reasoning_content"].is_string());
        assert!(whole["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64() > Some(100));
    }

    #[tokio::test(start_paused = true)]
    async fn tool_calls_begin_with_a_name_and_go_on_in_fragments() {
        let chunks = parse(&events("demo-tools", &[]).await);
        let first = &chunks[1]["choices"][0]["delta"]["tool_calls"][0];
        assert_eq!(first["function"], json!({"name": "get_weather", "arguments": ""}));
        assert_eq!((&first["index"], &first["type"]), (&json!(0), &json!("function")));
        let arguments = joined(&chunks, "/choices/0/delta/tool_calls/0/function/arguments");
        assert_eq!(serde_json::from_str::<Value>(&arguments).ok(), Some(json!({"city": "Lisbon", "unit": "celsius"})));
        assert_eq!(chunks[chunks.len() - 1]["choices"][0]["finish_reason"], "tool_calls");
        let whole = whole("demo-tools").await;
        assert_eq!(whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], arguments);
        assert_eq!(whole["choices"][0]["message"]["content"], Value::Null);
    }

    #[tokio::test(start_paused = true)]
    async fn the_flaky_model_loses_its_body_in_both_forms() {
        for stream in [true, false] {
            let response =
                completions(&example("demo-flaky", "hello", json!({"stream": stream}))).await.expect("a reply");
            assert_eq!(response.status(), 200);
            assert!(to_bytes(response.into_body(), usize::MAX).await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_stalling_model_never_comes_to_an_end() {
        let request = example("demo-stall", "hello", json!({}));
        assert!(tokio::time::timeout(Duration::from_hours(1), completions(&request)).await.is_err());
    }
}
