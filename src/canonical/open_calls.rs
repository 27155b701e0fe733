//! Which call a result answers.

use super::message::{ToolCall, ToolResult};

/// The calls that no result has come for, in their order.
#[derive(Debug, Default)]
pub struct OpenCalls {
    list: Vec<OpenCall>,
}

/// A call that waits for its result.
#[derive(Debug)]
pub struct OpenCall {
    /// What results refer to; empty if the client does not say.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// What the call is called where it goes to.
    pub native: String,
}

impl OpenCalls {
    /// One more, which is called `native` where it goes to.
    pub fn push(&mut self, call: &ToolCall, native: impl Into<String>) {
        self.list.push(OpenCall { id: call.id.clone(), name: call.name.clone(), native: native.into() });
    }

    /// Takes the call that `result` answers. One that does not say which is for the first call of its tool, and one that does
    /// not say of which tool it is, for the first of all.
    pub fn answer(&mut self, result: &ToolResult) -> Option<OpenCall> {
        let is_answered = |call: &OpenCall| match (&*result.call_id, &result.name) {
            ("", Some(name)) => *name == call.name,
            ("", None) => true,
            (id, _) => id == call.id,
        };
        let at = self.list.iter().position(is_answered)?;
        Some(self.list.remove(at))
    }

    /// The same, or else the first of all for a result that does not say which call it answers.
    pub fn answer_or_first(&mut self, result: &ToolResult) -> Option<OpenCall> {
        let found = self.answer(result);
        found.or_else(|| if result.call_id.is_empty() { self.answer(&ToolResult::default()) } else { None })
    }

    /// Whether all have been answered.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes all of them: no results will come.
    pub fn give_up(&mut self) -> impl Iterator<Item = OpenCall> {
        self.list.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_finds_its_call_by_id_or_else_by_tool_or_else_by_order() {
        let mut open = OpenCalls::default();
        for (id, name) in [("1", "a"), ("2", "b"), ("3", "a"), ("4", "b")] {
            let call = ToolCall { id: id.into(), name: name.into(), ..ToolCall::default() };
            open.push(&call, format!("call_{id}"));
        }
        let mut answer = |id: &str, name: Option<&str>| {
            let result = ToolResult { call_id: id.into(), name: name.map(Into::into), ..ToolResult::default() };
            open.answer(&result).map(|call| call.native)
        };
        assert_eq!(answer("3", Some("b")).as_deref(), Some("call_3"));
        assert_eq!(answer("3", Some("a")), None);
        assert_eq!(answer("", Some("b")).as_deref(), Some("call_2"));
        assert_eq!(answer("", Some("c")), None);
        assert_eq!(answer("", None).as_deref(), Some("call_1"));
        let of_no_tool = ToolResult { name: Some("c".into()), ..ToolResult::default() };
        assert!(open.answer_or_first(&ToolResult { call_id: "3".into(), ..of_no_tool.clone() }).is_none());
        assert_eq!(open.answer_or_first(&of_no_tool).unwrap().id, "4");
        assert!(open.answer_or_first(&of_no_tool).is_none() && open.give_up().next().is_none());
        assert!(open.is_empty());
    }
}
