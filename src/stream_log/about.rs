//! What is to be known of a stream beside its frames.

use std::sync::Arc;
use std::time::Duration;

use super::id::StreamId;
use crate::config::resume::{OnDisconnect, Resume};
use crate::dialect::Dialect;

/// What is to be known of a stream before it begins.
#[derive(Debug, Clone)]
pub struct Description {
    /// The name of the key of whoever asked for it: nobody else may see it.
    pub owner: Option<Arc<str>>,
    /// What its frames are written in.
    pub dialect: &'static dyn Dialect,
    /// The model asked for.
    pub model: String,
    /// What becomes of it when nobody reads it.
    pub on_disconnect: OnDisconnect,
    /// It is a response that is made in the background, with a name of its own for who fetches it.
    pub background: bool,
    /// What it may cost.
    pub limits: Resume,
}

/// How a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// More is to come.
    Running,
    /// It has ended by itself, well or not.
    Finished,
    /// It was ended.
    Stopped,
}

impl State {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }

    /// The state that `word` stands for.
    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Running, Self::Finished, Self::Stopped].into_iter().find(|state| state.as_str() == word)
    }
}

/// What a stream's owner may know of it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each says what it is")]
pub struct Summary {
    pub id: StreamId,
    pub state: State,
    pub model: String,
    pub dialect: &'static str,
    pub on_disconnect: OnDisconnect,
    pub age: Duration,
    pub events: u64,
    pub bytes: usize,
    pub readers: usize,
    pub scope: Scope,
}

/// Who can go on with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Only the replica that produces it, from its memory.
    Replica,
    /// Every replica.
    Shared,
}

impl Scope {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Shared => "shared",
        }
    }
}
