//! OpenAI Chat Completions, and the error shape that all of OpenAI's endpoints share.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>, and recorded streams of its many speakers.

mod answer;
mod calls;
mod continued;
mod decode;
mod decode_request;
mod details;
mod encode;
mod encode_answer;
mod encode_request;
mod error;
mod finish;
mod gather;
mod message;
mod notes;
mod observe;
mod request;
#[cfg(test)]
mod tests;
mod wire;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, StatusCode};
use serde_json::{Value, json};

use super::{
    AnswerContext, Beginning, Continuation, Decoder, Dialect, Encoder, Endpoint, Learned, Malformed, RateLimits,
    Recipient, Request, Shape, Sink, Translate, UpstreamError,
};
use crate::canonical::{ChatAnswer, ChatRequest, Field, Losses, Usage};
use crate::error::Error;
use crate::framing::sse;

/// The dialect of `POST /v1/chat/completions`, and of its elder, `POST /v1/completions`.
///
/// A stream is complete by `[DONE]`, which ends it, or by a finish reason for each of its choices.
#[derive(Debug, Clone, Copy)]
pub struct OpenAiChat;

impl Dialect for OpenAiChat {
    fn name(&self) -> &'static str {
        "openai-chat"
    }

    fn title(&self) -> &'static str {
        "OpenAI Chat Completions"
    }

    fn endpoint(&self) -> &'static str {
        "/v1/chat/completions"
    }

    fn urls(&self) -> &'static [&'static str] {
        &["/v1/chat/completions", "/chat/completions", "/v1/completions"]
    }

    fn endpoint_at(&self, path: &str, query: Option<&str>) -> Option<Endpoint> {
        let (is_own, is_legacy) = (self.urls().contains(&path), path == "/v1/completions");
        let path = if is_legacy { "/completions" } else { "/chat/completions" };
        is_own.then(|| Endpoint { is_translated: !is_legacy, ..Endpoint::chat(path, query) })
    }

    fn list_urls(&self) -> &'static [&'static str] {
        &["/v1/models"]
    }

    fn sample_request(&self, model: &str) -> String {
        format!(r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}"#)
    }

    fn owns(&self, path: &str) -> bool {
        self.urls().contains(&path)
    }

    fn parse_request(&self, body: &[u8]) -> Result<Request, Malformed> {
        request::parse(body)
    }

    fn parse_answer(&self, body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
        answer::parse(body)
    }

    fn is_another_token(&self, run: &[u8], speaking: bool) -> bool {
        observe::is_another_token(run, speaking)
    }

    fn observe(&self, name: Option<&[u8]>, data: &str, learned: &mut Learned) {
        observe::observe(name, data, learned);
    }

    fn status_of(&self, word: &str) -> Option<StatusCode> {
        error::status_of(word)
    }

    fn error_body(&self, error: &Error) -> Bytes {
        error::body(error)
    }

    fn error_frame(&self, error: &Error) -> Bytes {
        error::frame(error)
    }

    fn keep_alive(&self) -> &'static [u8] {
        sse::KEEP_ALIVE
    }

    fn gather(&self, events: &mut dyn Iterator<Item = Value>) -> Option<Value> {
        gather::gather(events)
    }

    fn credentials(&self, key: &str) -> (HeaderName, String) {
        (AUTHORIZATION, format!("Bearer {key}"))
    }

    fn rate_limits(&self) -> Option<RateLimits> {
        Some(RateLimits::OpenAi)
    }

    fn models_path(&self) -> &'static str {
        "/models"
    }

    fn model_card(&self, id: &str, owner: &str) -> Value {
        json!({ "id": id, "object": "model", "created": 0, "owned_by": owner })
    }

    fn model_list(&self, models: &[Value]) -> Value {
        json!({ "object": "list", "data": models })
    }
}

impl Translate for OpenAiChat {
    fn decode_request(&self, _: Shape, body: &[u8]) -> Result<ChatRequest, Malformed> {
        decode_request::decode(body)
    }

    fn param(&self, field: Field) -> &'static str {
        match field {
            Field::Messages => "messages",
            Field::Tools => "tools",
            Field::ToolChoice => "tool_choice",
            Field::ParallelToolCalls => "parallel_tool_calls",
            Field::MaxOutputTokens => "max_completion_tokens",
            Field::Temperature => "temperature",
            Field::TopP => "top_p",
            Field::TopK => "top_k",
            Field::Seed => "seed",
            Field::PresencePenalty => "presence_penalty",
            Field::FrequencyPenalty => "frequency_penalty",
            Field::Stop => "stop",
            Field::Logprobs => "logprobs",
            Field::Output => "response_format",
            Field::Reasoning => "reasoning_effort",
            Field::Verbosity => "verbosity",
            Field::User => "user",
        }
    }

    fn encode_request(&self, request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes {
        encode_request::encode(request, to, losses)
    }

    fn extends(&self, _way: Continuation) -> bool {
        true
    }

    fn extend_request(&self, body: &[u8], beginning: &Beginning<'_>) -> Result<Bytes, &'static str> {
        continued::extend(body, beginning)
    }

    fn path(&self, _: &str, _: bool) -> String {
        "/chat/completions".to_owned()
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decode::ChatDecoder::default())
    }

    fn decode_answer(&self, body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
        decode::answer(body, sink)
    }

    fn encoder(&self, context: &AnswerContext) -> Box<dyn Encoder> {
        Box::new(encode::ChatEncoder::new(context))
    }

    fn encode_answer(&self, answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
        encode_answer::encode(answer, context)
    }
}
