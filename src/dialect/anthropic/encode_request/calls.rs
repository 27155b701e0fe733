//! Which result answers which call, and what both are called.

use std::collections::HashSet;

use crate::canonical::{ToolCall, ToolResult, ids};
use crate::dialect::anthropic::encode::tool_id;

/// The calls of the model's last turn.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: Vec<Call>,
    /// Names that are in use: in one conversation each may be given once.
    given: HashSet<String>,
}

#[derive(Debug)]
struct Call {
    /// As the client calls it; empty if it does not.
    id: String,
    name: String,
    native: String,
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
        self.open.push(Call { id: call.id.clone(), name: call.name.clone(), native: native.clone() });
        native
    }

    /// What the call is called that `result` answers; `None` if there is none that waits for it. One that does not say which
    /// it answers is for the first of its tool's calls.
    pub(super) fn answer(&mut self, result: &ToolResult) -> Option<String> {
        let is_answered = |call: &Call| match &*result.call_id {
            "" => result.name.as_ref().is_none_or(|name| *name == call.name),
            id => id == call.id,
        };
        let at = self.open.iter().position(is_answered)?;
        Some(self.open.remove(at).native)
    }

    /// The calls that have not been answered, and will not be.
    pub(super) fn give_up(&mut self) -> impl Iterator<Item = String> {
        self.open.drain(..).map(|call| call.native)
    }
}
