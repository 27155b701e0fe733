//! One piece of an answer, as it arrives.

use std::borrow::Cow;

use super::message::{Annotation, Logprob, ToolKind};
use super::usage::Usage;

/// What an upstream's event tells, in no dialect's words.
///
/// A decoder tells what it reads, in the order it reads it; pieces of one kind that follow each other belong together.
/// Whoever encodes is given more order than that; see `dialect::Encoder`.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatEvent<'a> {
    /// The answer begins.
    Start {
        /// The upstream's name for it.
        id: Option<Cow<'a, str>>,
        /// The model that answers, as the upstream calls it.
        model: Option<Cow<'a, str>>,
        /// When it began, in seconds since 1970.
        created: Option<u64>,
    },
    /// More text. Empty text is nothing, but for the probabilities that come with it.
    Text {
        /// The text.
        text: Cow<'a, str>,
        /// How likely its tokens were.
        logprobs: Vec<Logprob>,
    },
    /// More of what is said in place of an answer.
    Refusal(Cow<'a, str>),
    /// More thoughts, or more of their summary.
    Reasoning(Cow<'a, str>),
    /// What the provider wants to see again with what was said last: the thoughts, the call or the text that no
    /// [`Boundary`](Self::Boundary) has ended. Behind a boundary it stands for thoughts that are not told.
    Seal(Cow<'a, str>),
    /// The model calls a tool.
    ToolCall {
        /// Tells the calls of one answer apart.
        key: u32,
        /// What the result will refer to, if the upstream says; empty is none.
        id: Option<Cow<'a, str>>,
        /// The tool's name, whole.
        name: Cow<'a, str>,
        /// What it takes.
        kind: ToolKind,
    },
    /// More of the text of a call's arguments.
    Arguments {
        /// The call.
        key: u32,
        /// The piece.
        fragment: Cow<'a, str>,
    },
    /// Where the text said last has a fact from.
    Annotation(Annotation),
    /// What was said last is finished: more of its kind is something new. Never needed between two kinds.
    Boundary,
    /// Tokens used so far. What comes later replaces what came before.
    Usage(Usage),
    /// Why the model stops. More may follow.
    Finish(Finish<'a>),
    /// Something the vocabulary has no word for, by its kind: a call of a tool that the provider runs itself, a picture.
    Unmapped(Cow<'a, str>),
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish<'a> {
    /// The reason.
    pub reason: FinishReason,
    /// The upstream's own word for it.
    pub native: Option<Cow<'a, str>>,
    /// The text that ended it, if one of the client's did.
    pub stop_sequence: Option<Cow<'a, str>>,
    /// Why it refused, in words.
    pub explanation: Option<Cow<'a, str>>,
}

impl Finish<'_> {
    /// A reason, with the upstream's own `word` for it.
    pub fn new(reason: FinishReason, word: &str) -> Finish<'_> {
        Finish { reason, native: Some(Cow::Borrowed(word)), stop_sequence: None, explanation: None }
    }

    /// The same, on its own.
    pub fn into_owned(self) -> Finish<'static> {
        let own = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Finish {
            reason: self.reason,
            native: own(self.native),
            stop_sequence: own(self.stop_sequence),
            explanation: own(self.explanation),
        }
    }
}

/// Why a model stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// It has said all.
    Stop,
    /// It said a text that the client wanted it to stop at.
    StopSequence,
    /// It has used the tokens it may.
    Length,
    /// It has used the tokens it can.
    ContextFull,
    /// It waits for the results of its calls.
    ToolCalls,
    /// It will not answer, or its provider will not let it.
    Refusal,
    /// Its provider wants to be asked to go on.
    Pause,
    /// It tried to call a tool and got it wrong.
    MalformedToolCall,
    /// For a reason that has no word here.
    Other,
}
