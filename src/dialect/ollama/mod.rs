//! Ollama's own interface: lines of JSON.
//!
//! Source: <https://github.com/ollama/ollama/blob/main/docs/api.md>, `api/types.go` beside it, its clients in Go, Python and
//! JavaScript, and recorded streams.

mod answer;
mod call;
pub mod catalogue;
mod continued;
mod decode_messages;
mod decode_options;
mod decode_request;
mod decoder;
mod encode_messages;
mod encode_request;
mod encoder;
mod error;
mod line;
mod load;
mod observe;
#[cfg(test)]
mod tests;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, StatusCode};
use serde_json::Value;

use super::{
    AnswerContext, Beginning, Continuation, Decoder, Dialect, Encoder, Endpoint, Learned, Malformed, Recipient,
    Request, Shape, Sink, Translate, UpstreamError, models,
};
use crate::canonical::{ChatAnswer, ChatRequest, Field, Losses, Usage};
use crate::error::Error;
use crate::framing::Framing;
use crate::framing::sse::Event;

/// The dialect of `POST /api/chat`, and of its elder, `POST /api/generate`.
///
/// A stream is complete by the line that says `"done":true`, which may say something else, too.
#[derive(Debug, Clone, Copy)]
pub struct Ollama;

impl Dialect for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }

    fn title(&self) -> &'static str {
        "Ollama"
    }

    fn endpoint(&self) -> &'static str {
        "/api/chat"
    }

    fn urls(&self) -> &'static [&'static str] {
        &["/api/chat", "/api/generate"]
    }

    /// Its clients announce their bodies as anything or nothing.
    fn endpoint_at(&self, path: &str, query: Option<&str>) -> Option<Endpoint> {
        let shape = if path == self.endpoint() { Shape::Chat } else { Shape::Completion };
        Some(Endpoint { shape, takes_any_type: true, ..Endpoint::chat(path, query) })
    }

    fn list_urls(&self) -> &'static [&'static str] {
        &["/api/tags"]
    }

    fn root(&self) -> &'static str {
        ""
    }

    fn all_urls(&self) -> &'static str {
        "/api/{*path}"
    }

    fn sample_request(&self, model: &str) -> String {
        format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}]}}"#)
    }

    fn owns(&self, path: &str) -> bool {
        path.starts_with("/api/")
    }

    fn framing(&self) -> Framing {
        Framing::JsonLines
    }

    fn parse_request(&self, body: &[u8]) -> Result<Request, Malformed> {
        // Ollama streams unless it is told not to.
        Request::read(body, true)
    }

    fn parse_answer(&self, body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
        answer::parse(body)
    }

    fn is_another_token(&self, run: &[u8], speaking: bool) -> bool {
        observe::is_another_token(run, speaking)
    }

    fn is_sign_of_life(&self, event: &Event<'_>) -> bool {
        event.data.as_deref().is_some_and(observe::is_keep_alive)
    }

    fn observe(&self, _name: Option<&[u8]>, data: &str, learned: &mut Learned) {
        observe::observe(data, learned);
    }

    /// An error is a sentence, without a word for programs.
    fn status_of(&self, _word: &str) -> Option<StatusCode> {
        None
    }

    fn error_body(&self, error: &Error) -> Bytes {
        error::body(error)
    }

    fn error_frame(&self, error: &Error) -> Bytes {
        error::frame(error)
    }

    fn keep_alive(&self) -> &'static [u8] {
        observe::KEEP_ALIVE
    }

    /// Ollama itself asks for no key; its cloud does, and so do many who stand before it.
    fn credentials(&self, key: &str) -> (HeaderName, String) {
        (AUTHORIZATION, format!("Bearer {key}"))
    }

    fn models_path(&self) -> &'static str {
        "/api/tags"
    }

    /// Ollama's own interface stands beside the one it has in common with OpenAI, whose URL is the one that is configured.
    fn base<'a>(&self, path: &'a str) -> &'a str {
        path.strip_suffix("/v1").unwrap_or(path)
    }

    fn read_models(&self, body: Value) -> Option<Vec<(String, Value)>> {
        models::read(body, "models", "name")
    }

    fn renamed_card(&self, mut card: Value, id: &str) -> Value {
        (card["name"], card["model"]) = (id.into(), id.into());
        card
    }

    fn model_card(&self, id: &str, _owner: &str) -> Value {
        catalogue::model_card(id)
    }

    fn model_list(&self, models: &[Value]) -> Value {
        catalogue::model_list(models)
    }
}

impl Translate for Ollama {
    fn decode_request(&self, shape: Shape, body: &[u8]) -> Result<ChatRequest, Malformed> {
        decode_request::decode(shape, body)
    }

    fn answer_at_once(&self, shape: Shape, model: &str, body: &[u8], now: Duration) -> Option<Bytes> {
        load::answer(shape, model, body, now)
    }

    fn param(&self, field: Field) -> &'static str {
        match field {
            Field::Messages => "messages",
            Field::Tools => "tools",
            // These four no client of the dialect can say.
            Field::ToolChoice => "tool_choice",
            Field::ParallelToolCalls => "parallel_tool_calls",
            Field::Verbosity => "verbosity",
            Field::User => "user",
            Field::MaxOutputTokens => "options.num_predict",
            Field::Temperature => "options.temperature",
            Field::TopP => "options.top_p",
            Field::TopK => "options.top_k",
            Field::Seed => "options.seed",
            Field::PresencePenalty => "options.presence_penalty",
            Field::FrequencyPenalty => "options.frequency_penalty",
            Field::Stop => "options.stop",
            Field::Logprobs => "logprobs",
            Field::Output => "format",
            Field::Reasoning => "think",
        }
    }

    fn encode_request(&self, request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes {
        encode_request::encode(request, to, losses)
    }

    fn extends(&self, way: Continuation) -> bool {
        way == Continuation::Prefill
    }

    fn extend_request(&self, body: &[u8], beginning: &Beginning<'_>) -> Result<Bytes, &'static str> {
        continued::extend(body, beginning)
    }

    fn path(&self, _model: &str, _stream: bool) -> String {
        self.endpoint().to_owned()
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decoder::OllamaDecoder::default())
    }

    fn decode_answer(&self, body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
        decoder::decode_answer(body, sink)
    }

    fn encoder(&self, context: &AnswerContext) -> Box<dyn Encoder> {
        Box::new(encoder::OllamaEncoder::new(context))
    }

    fn encode_answer(&self, answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
        encoder::encode_answer(answer, context)
    }
}
