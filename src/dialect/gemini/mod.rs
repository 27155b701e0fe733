//! Google Gemini: `generateContent` and `streamGenerateContent`.
//!
//! Source: <https://ai.google.dev/api/generate-content>, and recorded streams of the Gemini API and of Vertex AI.

mod answer;
mod array;
mod decode;
mod decode_request;
mod encode;
mod encode_request;
mod error;
mod finish;
mod gather;
mod grounding;
mod logprobs;
mod observe;
mod partial;
mod request;
mod schema;
#[cfg(test)]
mod tests;
mod url;
mod wire;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Value, json};

use super::{
    AnswerContext, Decoder, Dialect, Encoder, Endpoint, Learned, Malformed, Recipient, Request, Shape, Sink, Translate,
    UpstreamError, models,
};
use crate::canonical::{ChatAnswer, ChatRequest, Field, Losses, Usage};
use crate::error::Error;

pub use array::ArrayWriter;

const NAME: &str = "gemini";
/// What is asked of models at `/v1`, too, where Google's SDKs go by default now. Names of models may have a colon of their own.
const ACTIONS: [&str; 4] = [":generateContent", ":streamGenerateContent", ":countTokens", ":embedContent"];
const API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// The dialect of `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
///
/// The model, and whether to stream, is in the URL. A stream has no last event: it is complete by a finish reason for each
/// of its candidates, or by the refusal of its prompt, and ends with its body.
#[derive(Debug, Clone, Copy)]
pub struct Gemini;

impl Dialect for Gemini {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Google Gemini"
    }

    fn endpoint(&self) -> &'static str {
        "/v1beta/models/{model}:streamGenerateContent"
    }

    fn urls(&self) -> &'static [&'static str] {
        &["/v1beta/models/{*id}", "/v1/models/{*id}"]
    }

    fn endpoint_at(&self, path: &str, query: Option<&str>) -> Option<Endpoint> {
        url::endpoint_at(path, query)
    }

    fn list_urls(&self) -> &'static [&'static str] {
        &["/v1beta/models"]
    }

    fn root(&self) -> &'static str {
        "/v1beta"
    }

    fn all_urls(&self) -> &'static str {
        "/v1beta/{*path}"
    }

    fn sample_request(&self, _model: &str) -> String {
        r#"{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}"#.to_owned()
    }

    fn owns(&self, path: &str) -> bool {
        let is_asked_of_a_model = || ACTIONS.iter().any(|action| path.ends_with(action));
        path.starts_with("/v1beta/") || (path.starts_with("/v1/models/") && is_asked_of_a_model())
    }

    /// Google's SDKs list models at `/v1`, too.
    fn marks(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(API_KEY)
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

    /// A chunk that says nothing, as Gemini sends them itself. Google's SDKs fail on a comment: Python's and Go's take it for
    /// a broken chunk, JavaScript's drops the event behind it.
    fn keep_alive(&self) -> &'static [u8] {
        b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"index\":0}]}\r\n\r\n"
    }

    /// Google's SDKs take every line for data. An `EventSource` does not.
    fn takes_event_ids(&self) -> bool {
        false
    }

    fn gather(&self, events: &mut dyn Iterator<Item = Value>) -> Option<Value> {
        gather::gather(events)
    }

    fn credentials(&self, key: &str) -> (HeaderName, String) {
        (API_KEY, key.to_owned())
    }

    /// <https://ai.google.dev/api/models#method:-models.list>: 50 a page unless asked for more.
    fn models_path(&self) -> &'static str {
        "/models?pageSize=1000"
    }

    fn read_models(&self, body: Value) -> Option<Vec<(String, Value)>> {
        let models = models::read(body, "models", "name")?;
        let id = |name: &str| name.strip_prefix("models/").unwrap_or(name).to_owned();
        Some(models.into_iter().map(|(name, card)| (id(&name), card)).collect())
    }

    fn renamed_card(&self, mut card: Value, id: &str) -> Value {
        card["name"] = format!("models/{id}").into();
        card
    }

    fn model_card(&self, id: &str, _owner: &str) -> Value {
        json!({
            "name": format!("models/{id}"),
            "version": "",
            "displayName": id,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
        })
    }

    fn model_list(&self, models: &[Value]) -> Value {
        json!({ "models": models })
    }
}

impl Translate for Gemini {
    fn decode_request(&self, _shape: Shape, body: &[u8]) -> Result<ChatRequest, Malformed> {
        decode_request::decode(body)
    }

    fn param(&self, field: Field) -> &'static str {
        match field {
            Field::Messages => "contents",
            Field::Tools => "tools",
            Field::ToolChoice | Field::ParallelToolCalls => "toolConfig.functionCallingConfig",
            Field::MaxOutputTokens => "generationConfig.maxOutputTokens",
            Field::Temperature => "generationConfig.temperature",
            Field::TopP => "generationConfig.topP",
            Field::TopK => "generationConfig.topK",
            Field::Seed => "generationConfig.seed",
            Field::PresencePenalty => "generationConfig.presencePenalty",
            Field::FrequencyPenalty => "generationConfig.frequencyPenalty",
            Field::Stop => "generationConfig.stopSequences",
            Field::Logprobs => "generationConfig.responseLogprobs",
            Field::Output => "generationConfig.responseMimeType",
            Field::Reasoning => "generationConfig.thinkingConfig",
            Field::Verbosity => "generationConfig",
            Field::User => "labels",
        }
    }

    fn encode_request(&self, request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes {
        encode_request::encode(request, to, losses)
    }

    fn path(&self, model: &str, stream: bool) -> String {
        url::path(model, stream)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decode::Reader::default())
    }

    fn decode_answer(&self, body: &[u8], sink: Sink<'_>) -> Result<(), serde_json::Error> {
        decode::decode_answer(body, sink)
    }

    /// Always writes events; for [`Shape::Array`] an [`ArrayWriter`] makes elements of them.
    fn encoder(&self, context: &AnswerContext) -> Box<dyn Encoder> {
        Box::new(encode::Writer::new(context))
    }

    fn encode_answer(&self, answer: &ChatAnswer, context: &AnswerContext) -> Bytes {
        encode::encode_answer(answer, context)
    }
}
