//! Who was asked and what came of it, for the client and for the log.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::routing::Target;
use crate::error::Error;

/// The attempts of one request, in their order. Nothing, where the first one succeeded.
#[derive(Debug, Clone, Default)]
pub struct Trail(Vec<Step>);

#[derive(Debug, Clone)]
struct Step {
    provider: Arc<str>,
    model: Arc<str>,
    outcome: Outcome,
    time: Duration,
}

/// What came of an attempt, in a word.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// A status other than a success, or the one that an error stood for.
    Status(u16),
    /// A kind of error, or what else there is to say.
    Word(&'static str),
}

impl From<&Error> for Outcome {
    fn from(error: &Error) -> Self {
        match error {
            Error::UpstreamStatus { .. } | Error::UpstreamReported { .. } => Self::Status(error.status().as_u16()),
            _ => Self::Word(error.kind()),
        }
    }
}

impl Trail {
    pub(super) fn add(&mut self, target: &Target, outcome: Outcome, time: Duration) {
        let (provider, model) = (Arc::clone(&target.upstream.name), Arc::clone(&target.model));
        self.0.push(Step { provider, model, outcome, time });
    }

    /// Adds the attempt that succeeded, if it was not the first.
    pub(super) fn add_success(&mut self, target: &Target, time: Duration) {
        if !self.is_empty() {
            self.add(target, Outcome::Word("ok"), time);
        }
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `provider/model;outcome;milliseconds`, separated by commas, in characters that any header field can hold.
impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Step { provider, model, outcome, time }) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write_name(f, provider)?;
            f.write_char('/')?;
            write_name(f, model)?;
            match outcome {
                Outcome::Status(status) => write!(f, ";{status}")?,
                Outcome::Word(word) => write!(f, ";{word}")?,
            }
            write!(f, ";{}", time.as_millis())?;
        }
        Ok(())
    }
}

/// Writes a name that a client may have chosen.
fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    const MOST: usize = 128;
    let fit = |character: char| character.is_ascii_graphic() && !matches!(character, ',' | ';');
    name.chars().take(MOST).try_for_each(|character| f.write_char(if fit(character) { character } else { '?' }))
}
