//! Anthropic Messages.
//!
//! Source: <https://docs.claude.com/en/api/messages>, and recorded streams.

mod answer;
mod blocks;
mod continued;
mod decode;
mod decode_request;
mod encode;
mod encode_request;
mod encode_stream;
mod error;
mod gather;
mod observe;
#[cfg(test)]
mod tests;
mod wire;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{
    AnswerContext, Beginning, Continuation, Decoder, Dialect, Encoder, Endpoint, Learned, Malformed, RateLimits,
    Recipient, Request, Shape, Sink, Translate, UpstreamError,
};
use crate::canonical::{ChatAnswer, ChatRequest, Field, Losses, Usage};
use crate::error::Error;
use crate::framing::sse::Event;

/// The name in the configuration, and in seals.
const NAME: &str = "anthropic";

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The dialect of `POST /v1/messages`.
///
/// A stream is complete by `message_stop` and by nothing else. A `stop_reason` comes before it, but more may follow: usage,
/// another `message_delta`. Nobody who speaks the dialect is known to leave `message_stop` out.
#[derive(Debug, Clone, Copy)]
pub struct Anthropic;

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Anthropic Messages"
    }

    fn endpoint(&self) -> &'static str {
        "/v1/messages"
    }

    fn urls(&self) -> &'static [&'static str] {
        &["/v1/messages", "/v1/messages/count_tokens"]
    }

    /// Its SDKs ask for what is beta with a query.
    fn endpoint_at(&self, path: &str, query: Option<&str>) -> Option<Endpoint> {
        if path == self.endpoint() {
            return Some(Endpoint::chat("/messages", query));
        }
        let count = Endpoint::chat("/messages/count_tokens", query);
        self.urls().contains(&path).then_some(Endpoint { stream: Some(false), is_translated: false, ..count })
    }

    fn sample_request(&self, model: &str) -> String {
        format!(
            r#"{{"model":"{model}","max_tokens":256,"stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}"#
        )
    }

    fn owns(&self, path: &str) -> bool {
        path.strip_prefix(self.endpoint()).is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }

    fn marks(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(VERSION)
    }

    fn parse_request(&self, body: &[u8]) -> Result<Request, Malformed> {
        Request::read(body, false)
    }

    fn parse_answer(&self, body: &[u8]) -> Result<Result<Option<Usage>, UpstreamError>, serde_json::Error> {
        answer::parse(body)
    }

    fn is_another_token(&self, run: &[u8], speaking: bool) -> bool {
        observe::is_another_token(run, speaking)
    }

    fn is_sign_of_life(&self, event: &Event<'_>) -> bool {
        event.event == Some(b"ping")
    }

    fn observe(&self, name: Option<&[u8]>, data: &str, learned: &mut Learned) {
        observe::observe(name, data, learned);
    }

    fn status_of(&self, word: &str) -> Option<StatusCode> {
        error::status_of(word)
    }

    fn overloaded(&self) -> StatusCode {
        StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
    }

    fn error_body(&self, error: &Error) -> Bytes {
        error::body(error)
    }

    fn error_frame(&self, error: &Error) -> Bytes {
        error::frame(error)
    }

    /// Anthropic's own sign of life, [which may come anywhere](https://docs.claude.com/en/docs/build-with-claude/streaming#ping-events).
    /// Its SDKs drop it before anything looks for `message_start`, so it may come before that too.
    fn keep_alive(&self) -> &'static [u8] {
        b"event: ping\ndata: {\"type\": \"ping\"}\n\n"
    }

    fn gather(&self, events: &mut dyn Iterator<Item = Value>) -> Option<Value> {
        gather::gather(events)
    }

    fn credentials(&self, key: &str) -> (HeaderName, String) {
        (API_KEY, key.to_owned())
    }

    /// <https://docs.claude.com/en/api/versioning>
    fn version(&self) -> Option<(HeaderName, HeaderValue)> {
        Some((VERSION, HeaderValue::from_static("2023-06-01")))
    }

    fn rate_limits(&self) -> Option<RateLimits> {
        Some(RateLimits::Anthropic)
    }

    /// <https://docs.claude.com/en/api/models-list>: 20 a page unless asked for more.
    fn models_path(&self) -> &'static str {
        "/models?limit=1000"
    }

    fn model_card(&self, id: &str, _owner: &str) -> Value {
        // A release date that is unknown is the epoch.
        json!({ "type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z" })
    }

    fn model_list(&self, models: &[Value]) -> Value {
        let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
        json!({ "data": models, "has_more": false, "first_id": id(models.first()), "last_id": id(models.last()) })
    }
}

impl Translate for Anthropic {
    fn decode_request(&self, _shape: Shape, body: &[u8]) -> Result<ChatRequest, Malformed> {
        decode_request::decode(body)
    }

    fn param(&self, field: Field) -> &'static str {
        match field {
            Field::Messages => "messages",
            Field::Tools => "tools",
            Field::ToolChoice => "tool_choice",
            Field::ParallelToolCalls => "tool_choice.disable_parallel_tool_use",
            Field::MaxOutputTokens => "max_tokens",
            Field::Temperature => "temperature",
            Field::TopP => "top_p",
            Field::TopK => "top_k",
            Field::Stop => "stop_sequences",
            Field::Output => "output_config.format",
            Field::Reasoning => "thinking",
            Field::User => "metadata.user_id",
            // Anthropic has none of these: no request that has been read says them.
            Field::Seed => "seed",
            Field::PresencePenalty => "presence_penalty",
            Field::FrequencyPenalty => "frequency_penalty",
            Field::Logprobs => "logprobs",
            Field::Verbosity => "verbosity",
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
        "/messages".to_owned()
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::<decode::MessageDecoder>::default()
    }

    fn decode_answer(&self, body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
        decode::answer(body, sink)
    }

    fn encoder(&self, context: &AnswerContext) -> Box<dyn Encoder> {
        Box::new(encode_stream::MessageEncoder::new(context))
    }

    fn encode_answer(&self, answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
        encode::answer(answer, context)
    }
}
