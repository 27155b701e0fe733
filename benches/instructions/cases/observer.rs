//! Reading along.

use std::hint::black_box;

use bytes::Bytes;
use sluicegate::dialect::{Observer, OpenAiChat};

use super::{Case, frames};

pub(super) const CASES: &[Case] = &[
    Case { name: "observer/the beginning, up to content", set_up: begin },
    Case { name: "observer/a token", set_up: || go_on(frames::token()) },
    Case { name: "observer/the end: finish, usage, [DONE]", set_up: || go_on(frames::end()) },
];

/// Reads a stream from its beginning, again and again.
fn begin() -> Box<dyn FnMut()> {
    let (role, token) = (frames::role(), frames::token());
    Box::new(move || {
        let mut observer = Observer::new(&OpenAiChat, 1);
        observer.observe(black_box(&role));
        observer.observe(black_box(&token));
        black_box(&observer);
    })
}

/// Reads `run` in a stream that has had content.
fn go_on(run: Bytes) -> Box<dyn FnMut()> {
    let mut observer = Observer::new(&OpenAiChat, 1);
    observer.observe(&frames::token());
    Box::new(move || {
        black_box(observer.observe(black_box(&run)));
    })
}
