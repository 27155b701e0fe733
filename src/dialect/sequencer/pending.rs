//! A part that is still arriving, or that waits for its turn.

use crate::canonical::{Part, Text, ToolCall, ToolKind};
use crate::dialect::translate::Delta;

pub(super) struct Pending {
    pub(super) part: Part,
    /// Of a call: what its pieces are known by.
    pub(super) key: Option<u32>,
    /// Nothing more of it can come.
    pub(super) ended: bool,
}

impl Pending {
    /// A call of which no arguments are known yet.
    pub(super) fn call(key: u32, call: ToolCall) -> Self {
        Self { part: Part::ToolCall(call), key: Some(key), ended: false }
    }

    /// Thoughts that are not told.
    pub(super) fn silent_thoughts() -> Self {
        Self { part: Part::Reasoning { text: String::new(), seal: None }, key: None, ended: false }
    }

    /// The empty part that `piece` is the first of.
    pub(super) fn beginning_with(piece: &Delta<'_>) -> Self {
        let part = match piece {
            Delta::Text { .. } | Delta::Annotation(_) => Part::Text(Text::default()),
            Delta::Refusal(_) => Part::Refusal(String::new()),
            Delta::Reasoning(_) | Delta::Seal(_) | Delta::Arguments(_) => return Self::silent_thoughts(),
        };
        Self { part, key: None, ended: false }
    }

    /// The same part with nothing said in it yet.
    pub(super) fn emptied(&self) -> Self {
        let part = match &self.part {
            Part::ToolCall(call) => {
                let (id, name) = (call.id.clone(), call.name.clone());
                Part::ToolCall(ToolCall { id, name, kind: call.kind, ..ToolCall::default() })
            }
            Part::Reasoning { .. } => Part::Reasoning { text: String::new(), seal: None },
            Part::Refusal(_) => Part::Refusal(String::new()),
            _ => Part::Text(Text::default()),
        };
        Self { part, ..*self }
    }

    /// Whether `piece` goes on with it, rather than being something new.
    pub(super) fn takes(&self, piece: &Delta<'_>) -> bool {
        let is_of_its_kind = match (&self.part, piece) {
            (Part::Text(_), Delta::Text { .. } | Delta::Annotation(_)) | (Part::Refusal(_), Delta::Refusal(_)) => true,
            // A mark ends the thoughts it is on.
            (Part::Reasoning { seal, .. }, Delta::Reasoning(_)) => seal.is_none(),
            (Part::Text(_) | Part::Reasoning { .. } | Part::ToolCall(_), Delta::Seal(_)) => true,
            _ => false,
        };
        is_of_its_kind && !self.ended
    }

    pub(super) fn append(&mut self, piece: Delta<'_>) {
        match (&mut self.part, piece) {
            (Part::Text(own), Delta::Text { text, logprobs }) => {
                own.text.push_str(text);
                own.logprobs.extend_from_slice(logprobs);
            }
            (Part::Text(own), Delta::Annotation(annotation)) => own.annotations.push(annotation.clone()),
            (Part::Refusal(own), Delta::Refusal(text)) => own.push_str(text),
            (Part::Reasoning { text: own, .. }, Delta::Reasoning(text)) => own.push_str(text),
            (Part::ToolCall(own), Delta::Arguments(fragment)) => own.arguments.push_str(fragment),
            (
                Part::Text(Text { seal, .. }) | Part::Reasoning { seal, .. } | Part::ToolCall(ToolCall { seal, .. }),
                Delta::Seal(mark),
            ) => *seal = Some(mark.clone()),
            _ => {}
        }
    }

    /// All that is said in it, as pieces.
    pub(super) fn pieces(&self) -> Vec<Delta<'_>> {
        let (mut pieces, seal) = match &self.part {
            Part::Text(Text { text, annotations, logprobs, seal }) => {
                let said = (!text.is_empty() || !logprobs.is_empty()).then_some(Delta::Text { text, logprobs });
                (said.into_iter().chain(annotations.iter().map(Delta::Annotation)).collect(), seal)
            }
            Part::Reasoning { text, seal } => (said(text, Delta::Reasoning), seal),
            Part::Refusal(text) => (said(text, Delta::Refusal), &None),
            Part::ToolCall(call) => (said(&call.arguments, Delta::Arguments), &call.seal),
            _ => (Vec::new(), &None),
        };
        pieces.extend(seal.as_ref().map(Delta::Seal));
        pieces
    }

    /// Whether nothing more of it can come. A text is finished by whatever follows it; a call may go on behind the beginning
    /// of the next, unless its arguments are a whole JSON object. A text that a tool takes is never known to be whole.
    pub(super) fn is_whole(&self) -> bool {
        match &self.part {
            Part::ToolCall(call) if !self.ended => {
                // Most of the time the last character tells without a parse.
                call.kind == ToolKind::Function
                    && call.arguments.trim_end().ends_with('}')
                    && call.json_arguments().is_some()
            }
            _ => true,
        }
    }
}

fn said<'a>(text: &'a str, piece: fn(&'a str) -> Delta<'a>) -> Vec<Delta<'a>> {
    if text.is_empty() { Vec::new() } else { vec![piece(text)] }
}
