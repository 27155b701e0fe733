//! OpenAI Responses.
//!
//! Source: <https://platform.openai.com/docs/api-reference/responses>, <https://www.openresponses.org/specification>, and
//! recorded streams of its speakers.

mod answer;
pub mod background;
mod decode;
mod decode_request;
mod encode;
mod encode_request;
mod error;
mod observe;
mod seal;
mod settings;
#[cfg(test)]
mod tests;
mod wire;

use bytes::Bytes;
use http::{HeaderName, StatusCode};
use serde_json::Value;

use super::{
    AnswerContext, Decoder, Dialect, Encoder, Endpoint, Learned, Malformed, OpenAiChat, Recipient, Request, Shape,
    Sink, Translate, UpstreamError,
};
use crate::canonical::{ChatAnswer, ChatRequest, Field, Losses, Usage};
use crate::error::Error;

/// The dialect of `POST /v1/responses`.
///
/// A stream is complete by `response.completed` or `response.incomplete`. OpenAI ends it there; others say `[DONE]`, too.
#[derive(Debug, Clone, Copy)]
pub struct OpenAiResponses;

impl Dialect for OpenAiResponses {
    fn name(&self) -> &'static str {
        "openai-responses"
    }

    fn title(&self) -> &'static str {
        "OpenAI Responses"
    }

    fn endpoint(&self) -> &'static str {
        "/v1/responses"
    }

    fn urls(&self) -> &'static [&'static str] {
        &["/v1/responses"]
    }

    fn endpoint_at(&self, _path: &str, query: Option<&str>) -> Option<Endpoint> {
        Some(Endpoint::chat("/responses", query))
    }

    fn sample_request(&self, model: &str) -> String {
        format!(r#"{{"model":"{model}","stream":true,"input":"Hello"}}"#)
    }

    fn owns(&self, path: &str) -> bool {
        path.strip_prefix(self.endpoint()).is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }

    fn parse_request(&self, body: &[u8]) -> Result<Request, Malformed> {
        Ok(Request { background: background::is_asked_for(body), ..Request::read(body, false)? })
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
        OpenAiChat.error_body(error)
    }

    fn error_frame(&self, error: &Error) -> Bytes {
        error::frame(error)
    }

    fn keep_alive(&self) -> &'static [u8] {
        OpenAiChat.keep_alive()
    }

    fn gather(&self, events: &mut dyn Iterator<Item = Value>) -> Option<Value> {
        answer::gather(events)
    }

    fn credentials(&self, key: &str) -> (HeaderName, String) {
        OpenAiChat.credentials(key)
    }

    fn models_path(&self) -> &'static str {
        OpenAiChat.models_path()
    }

    fn model_card(&self, id: &str, owner: &str) -> Value {
        OpenAiChat.model_card(id, owner)
    }

    fn model_list(&self, models: &[Value]) -> Value {
        OpenAiChat.model_list(models)
    }
}

impl Translate for OpenAiResponses {
    fn decode_request(&self, _shape: Shape, body: &[u8]) -> Result<ChatRequest, Malformed> {
        decode_request::decode(body)
    }

    fn param(&self, field: Field) -> &'static str {
        match field {
            Field::Messages => "input",
            Field::Tools => "tools",
            Field::ToolChoice => "tool_choice",
            Field::ParallelToolCalls => "parallel_tool_calls",
            Field::MaxOutputTokens => "max_output_tokens",
            Field::Temperature => "temperature",
            Field::TopP => "top_p",
            Field::TopK => "top_k",
            Field::Seed => "seed",
            Field::PresencePenalty => "presence_penalty",
            Field::FrequencyPenalty => "frequency_penalty",
            Field::Stop => "stop",
            Field::Logprobs => "top_logprobs",
            Field::Output => "text.format",
            Field::Reasoning => "reasoning",
            Field::Verbosity => "text.verbosity",
            Field::User => "safety_identifier",
        }
    }

    fn encode_request(&self, request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes {
        encode_request::encode(request, to, losses)
    }

    fn path(&self, _model: &str, _stream: bool) -> String {
        "/responses".to_owned()
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decode::StreamDecoder::default())
    }

    fn decode_answer(&self, body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
        answer::decode(body, sink)
    }

    /// Each event has the ids of items and the number of the event before it, and the last one tells all of it again.
    fn takes_over(&self) -> bool {
        false
    }

    fn encoder(&self, context: &AnswerContext) -> Box<dyn Encoder> {
        Box::new(encode::StreamEncoder::new(context))
    }

    fn encode_answer(&self, answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
        encode::answer(answer, context)
    }
}
