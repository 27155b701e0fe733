//! What is counted: the steps of a token's and a request's way.

mod chunked;
mod clock;
mod connection;
mod frames;
mod log_line;
mod observer;
mod proxy;
mod relay;
mod request;
mod splitter;
mod stream;
mod transcoder;

#[path = "../../pairs/frames.rs"]
mod pair_frames;

/// One step by itself.
pub(crate) struct Case {
    /// `part/what happens`.
    pub(crate) name: &'static str,
    /// Prepares the step and returns it: each call is one unit.
    pub(crate) set_up: fn() -> Box<dyn FnMut()>,
}

/// All cases, in the order of a stream's life.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        request::CASES,
        chunked::CASES,
        splitter::CASES,
        observer::CASES,
        transcoder::CASES,
        relay::CASES,
        connection::CASES,
        proxy::CASES,
        log_line::CASES,
    ]
    .into_iter()
    .flatten()
}
