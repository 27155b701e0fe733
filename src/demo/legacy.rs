//! `POST /v1/completions`: the endpoint from before there were messages.

use axum::response::Response;
use serde::Serialize;

use super::{
    error::{ApiError, to_json},
    reply::{self, Reply, Stamp, Wording},
    request::Ask,
    script::{Billing, Finish, Step, Usage},
};

/// Answers a completion request. Thoughts and tool calls have no place in this format and are left out.
pub(super) async fn completions(body: &[u8]) -> Result<Response, ApiError> {
    let ask = Ask::legacy(body)?;
    let wording = Legacy { stamp: Stamp::new("cmpl", &ask), include_usage: ask.include_usage };
    Ok(reply::reply(&ask, wording).await)
}

struct Legacy {
    stamp: Stamp,
    include_usage: bool,
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Billing<'a>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    text: &'a str,
    index: usize,
    logprobs: Option<()>,
    finish_reason: Option<Finish>,
}

impl Legacy {
    fn completion(&self, choices: &[Choice<'_>], usage: Option<Billing<'_>>) -> Vec<u8> {
        let Stamp { id, created, model } = &self.stamp;
        to_json(&Completion { id, object: "text_completion", created: *created, model, choices, usage })
    }

    fn chunk(&self, text: &str, finish_reason: Option<Finish>) -> Vec<u8> {
        let choice = Choice { text, index: 0, logprobs: None, finish_reason };
        self.completion(&[choice], self.include_usage.then_some(Billing::Later))
    }
}

impl Wording for Legacy {
    fn opening(&self, _first: &Step) -> Option<Vec<u8>> {
        None
    }

    fn step(&self, step: &Step) -> Option<Vec<u8>> {
        match step {
            Step::Text(text) => Some(self.chunk(text, None)),
            Step::Finish(finish) => Some(self.chunk("", Some(*finish))),
            _ => None,
        }
    }

    fn usage(&self, usage: &Usage) -> Option<Vec<u8>> {
        self.include_usage.then(|| self.completion(&[], Some(Billing::Now(usage))))
    }

    fn whole(&self, reply: &Reply, usage: &Usage) -> Vec<u8> {
        let choice = Choice { text: &reply.text, index: 0, logprobs: None, finish_reason: Some(reply.finish) };
        self.completion(&[choice], Some(Billing::Now(usage)))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;

    async fn answer(request: Value) -> String {
        let response = completions(request.to_string().as_bytes()).await.expect("a reply");
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
        String::from_utf8(body.to_vec()).expect("UTF-8")
    }

    #[tokio::test(start_paused = true)]
    async fn a_completion_is_text_in_one_piece() {
        let json: Value =
            serde_json::from_str(&answer(json!({"model": "demo-tools", "prompt": "hello"})).await).expect("JSON");
        assert_eq!(json["object"], "text_completion");
        assert!(json["choices"][0]["text"].as_str().is_some_and(|text| text.contains("hello")));
        assert_eq!(json["choices"][0]["finish_reason"], "stop");
    }

    #[tokio::test(start_paused = true)]
    async fn a_streamed_completion_has_text_chunks_and_usage_on_request() {
        let request = json!({
            "model": "demo", "prompt": ["hello"], "max_tokens": 2,
            "stream": true, "stream_options": {"include_usage": true},
        });
        let answer = answer(request).await;
        let events: Vec<&str> = answer.split_terminator("\n\n").collect();
        assert_eq!(events.len(), 5);
        assert!(events[0].contains(r#""finish_reason":null}],"usage":null}"#));
        assert!(events[2].contains(r#""text":"","index":0,"logprobs":null,"finish_reason":"length""#));
        assert!(
            events[3].contains(r#""choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3"#)
        );
        assert_eq!(events[4], "data: [DONE]");
    }
}
