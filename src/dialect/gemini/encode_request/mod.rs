//! Writes a request for an upstream.
//!
//! <https://ai.google.dev/api/generate-content#request-body>

mod config;
mod contents;
mod model;
mod tools;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::canonical::{ChatRequest, Field, Losses};
use crate::dialect::Recipient;

use model::Model;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Value>,
    contents: Vec<contents::Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<Value>,
}

pub(super) fn encode(request: &ChatRequest, to: &Recipient<'_>, losses: &mut Losses<'_>) -> Bytes {
    let model = Model::of(to.model);
    let (instructions, rest) = request.split_instructions();
    let tools = tools::declarations(&request.tools, losses);
    if request.parallel_tool_calls == Some(false) && tools.is_some() {
        losses.hint(Field::ParallelToolCalls, "Gemini may call several tools at once and cannot be told not to");
    }
    if request.user.is_some() {
        losses.hint(Field::User, "the Gemini API has no place for it");
    }
    let body = Request {
        system_instruction: contents::instruction(instructions, losses),
        contents: contents::write(rest, to.provider, model, losses),
        tool_config: tools.as_ref().and_then(|_| tools::config(request)),
        tools,
        generation_config: config::write(request, model, losses),
    };
    Bytes::from(serde_json::to_vec(&body).expect("strings and numbers are JSON"))
}
