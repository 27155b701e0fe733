//! The names of calls, and which call a result is of.

use crate::canonical::{ToolCall, ToolResult, ids};

/// As long may the name of a call be.
const MAX_LENGTH: usize = 64;

/// The calls that have been made and not answered.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: Vec<Call>,
    made: usize,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
}

impl Calls {
    /// The name of `call`. One without a name gets one after its place in the conversation.
    pub(super) fn make(&mut self, call: &ToolCall) -> String {
        let id = if call.id.is_empty() { ids::call_id("", self.made) } else { fit(&call.id) };
        self.made += 1;
        self.open.push(Call { id: id.clone(), name: call.name.clone() });
        id
    }

    /// The name of the call that `result` is of. Where a client does not say, it is the first one of that tool, or else the
    /// first, that has no result.
    pub(super) fn answer(&mut self, result: &ToolResult) -> String {
        let said = (!result.call_id.is_empty()).then(|| fit(&result.call_id));
        let of_tool = |call: &Call| result.name.as_ref().is_none_or(|name| *name == call.name);
        let at = match &said {
            Some(id) => self.open.iter().position(|call| call.id == *id),
            None => self.open.iter().position(of_tool).or((!self.open.is_empty()).then_some(0)),
        };
        let call = at.map(|at| self.open.remove(at));
        said.or(call.map(|call| call.id)).unwrap_or_else(|| ids::call_id("", self.made))
    }
}

fn fit(id: &str) -> String {
    ids::fit(id, "call_", 24, |id| id.len() <= MAX_LENGTH)
}
