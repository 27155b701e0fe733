//! A call of a tool, as it is written: its arguments are an object, not the text of one.

use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::canonical::{ToolCall, ToolKind};

#[derive(Debug, Serialize)]
pub(super) struct Call<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    index: usize,
    name: &'a str,
    arguments: Box<RawValue>,
}

impl<'a> Call<'a> {
    /// `call`, the one at `index` of its answer. `None` if its arguments are no object, as when the model was cut off in the
    /// middle of them.
    pub(super) fn new(index: usize, call: &'a ToolCall) -> Option<Self> {
        let arguments = match call.kind {
            ToolKind::Function => raw(call.json_arguments()?)?,
            ToolKind::Custom => as_input(&call.arguments)?,
        };
        Some(Self { id: &call.id, function: Function { index, name: &call.name, arguments } })
    }

    /// `call` with whatever text its arguments are as `input`.
    pub(super) fn with_input(index: usize, call: &'a ToolCall) -> Option<Self> {
        let arguments = as_input(&call.arguments)?;
        Some(Self { id: &call.id, function: Function { index, name: &call.name, arguments } })
    }
}

fn as_input(text: &str) -> Option<Box<RawValue>> {
    raw(&json!({ "input": text }).to_string())
}

/// `object` on one line: models like to spread their arguments over several. A line break in a JSON text is space; those
/// within its strings are escaped.
fn raw(object: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(object.replace(['\n', '\r'], "")).ok()
}
