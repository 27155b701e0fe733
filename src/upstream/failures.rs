//! Why nobody has answered, in the one error that the client is told.

use std::time::Duration;

use http::header::RETRY_AFTER;

use super::retry::{Verdict, whole_seconds};
use crate::error::Error;

/// Why targets have not answered. The last that was asked counts; one that had no place counts only if none was asked, and one
/// that cannot be asked in its words only if there is nothing else.
#[derive(Debug, Default)]
pub(super) struct Failures {
    asked: Option<Error>,
    over_capacity: Option<Error>,
    unsayable: Option<Error>,
    /// How many were asked.
    count: u32,
    /// Of these, how many were asked for too much.
    limited: u32,
    /// When the first of these wants to be asked again.
    shortest_rest: Option<Duration>,
}

impl Failures {
    /// A target was asked and failed so.
    pub(super) fn add(&mut self, error: Error, verdict: Verdict, rest: Option<Duration>) {
        self.count += 1;
        if verdict == Verdict::Limited {
            self.limited += 1;
            self.shortest_rest = self.shortest_rest.into_iter().chain(rest).min();
        }
        self.asked = Some(error);
    }

    /// There was no place at a target.
    pub(super) fn add_over_capacity(&mut self, error: Error) {
        self.over_capacity = Some(error);
    }

    /// A target cannot be asked in the words it understands.
    pub(super) fn add_unsayable(&mut self, error: Error) {
        self.unsayable.get_or_insert(error);
    }

    /// What the client is told. If every target has had enough for now, it is told when the first has not any more.
    pub(super) fn into_error(self) -> Error {
        let mut error = self
            .asked
            .or(self.over_capacity)
            .or(self.unsayable)
            .expect("a route has at least one target, and it was chosen");
        if self.count > 1
            && self.limited == self.count
            && let Some(rest) = self.shortest_rest
        {
            match &mut error {
                Error::UpstreamStatus { headers, .. } => {
                    headers.insert(RETRY_AFTER, whole_seconds(rest).into());
                }
                Error::UpstreamReported { retry_after, .. } => *retry_after = Some(rest),
                _ => {}
            }
        }
        error
    }
}
