//! The JSON of Chat Completions, field by field and in OpenAI's order.

use serde::Serialize;

use super::super::{
    script::{Billing, Finish},
    tools::ToolCall,
};

/// `chat.completion.chunk` and `chat.completion`: the envelope is the same.
#[derive(Serialize)]
pub(super) struct Envelope<'a, C> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) system_fingerprint: &'static str,
    pub(super) choices: &'a [C],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Billing<'a>>,
}

#[derive(Serialize)]
pub(super) struct ChunkChoice<'a> {
    pub(super) index: usize,
    pub(super) delta: Delta<'a>,
    pub(super) logprobs: Option<()>,
    pub(super) finish_reason: Option<Finish>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Delta<'a> {
    /// Content is empty if text comes first, and null if something else does.
    Opening {
        role: &'static str,
        content: Option<&'static str>,
        refusal: Option<()>,
    },
    Text {
        content: &'a str,
    },
    /// DeepSeek's form.
    Reasoning {
        content: Option<()>,
        reasoning_content: &'a str,
    },
    Call {
        tool_calls: [CallDelta<'a>; 1],
    },
    End {},
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum CallDelta<'a> {
    Begin { index: usize, id: &'a str, r#type: &'static str, function: Function<'a> },
    Continue { index: usize, function: Fragment<'a> },
}

#[derive(Serialize)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}

#[derive(Serialize)]
pub(super) struct Fragment<'a> {
    pub(super) arguments: &'a str,
}

#[derive(Serialize)]
pub(super) struct Choice<'a> {
    pub(super) index: usize,
    pub(super) message: Message<'a>,
    pub(super) logprobs: Option<()>,
    pub(super) finish_reason: Finish,
}

#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub(super) role: &'static str,
    pub(super) content: Option<&'a str>,
    pub(super) refusal: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) r#type: &'static str,
    pub(super) function: Function<'a>,
}

impl<'a> From<&'a ToolCall> for Call<'a> {
    fn from(call: &'a ToolCall) -> Self {
        let ToolCall { id, name, arguments } = call;
        Self { id, r#type: "function", function: Function { name, arguments } }
    }
}
