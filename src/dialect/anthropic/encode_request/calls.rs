//! Which result answers which call, and what both are called.

use std::collections::HashSet;

use crate::canonical::{OpenCalls, ToolCall, ToolResult, ids};
use crate::dialect::anthropic::encode::tool_id;

/// The calls of the model's last turn.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: OpenCalls,
    /// Names that are in use: in one conversation each may be given once.
    given: HashSet<String>,
}

impl Calls {
    /// A call; returns what it is to be called.
    pub(super) fn begin(&mut self, call: &ToolCall) -> String {
        let count = self.given.len();
        let mut native = if call.id.is_empty() { ids::call_id("", count) } else { tool_id(&call.id) };
        if self.given.contains(&native) {
            native = ids::call_id(&native, count);
        }
        self.given.insert(native.clone());
        self.open.push(call, &*native);
        native
    }

    /// What the call is called that `result` answers; `None` if there is none that waits for it.
    pub(super) fn answer(&mut self, result: &ToolResult) -> Option<String> {
        self.open.answer(result).map(|call| call.native)
    }

    /// The calls that have not been answered, and will not be.
    pub(super) fn give_up(&mut self) -> impl Iterator<Item = String> {
        self.open.give_up().map(|call| call.native)
    }
}
