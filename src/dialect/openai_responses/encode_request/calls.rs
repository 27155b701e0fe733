//! The names of calls, and which call a result is of.

use crate::canonical::{OpenCalls, ToolCall, ToolResult, ids};

/// As long may the name of a call be.
const MAX_LENGTH: usize = 64;

/// The calls that have been made and not answered.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: OpenCalls,
    made: usize,
}

impl Calls {
    /// The name of `call`. One without a name gets one after its place in the conversation.
    pub(super) fn make(&mut self, call: &ToolCall) -> String {
        let id = if call.id.is_empty() { ids::call_id("", self.made) } else { fit(&call.id) };
        self.made += 1;
        self.open.push(call, &*id);
        id
    }

    /// The name of the call that `result` is of.
    pub(super) fn answer(&mut self, result: &ToolResult) -> String {
        match self.open.answer_or_first(result) {
            Some(call) => call.native,
            None if result.call_id.is_empty() => ids::call_id("", self.made),
            None => fit(&result.call_id),
        }
    }
}

fn fit(id: &str) -> String {
    ids::fit(id, "call_", 24, |id| id.len() <= MAX_LENGTH)
}
