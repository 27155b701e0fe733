//! Cutting a stream into frames.

use std::hint::black_box;

use bytes::Bytes;
use sluicegate::framing::{Framing, Splitter};

use super::{Case, frames};

/// Larger than any frame here.
pub(super) const LIMIT: usize = 16 * 1024 * 1024;

pub(super) const CASES: &[Case] = &[
    Case { name: "splitter/a token", set_up: || split(vec![frames::token()]) },
    Case { name: "splitter/16 KiB of tokens", set_up: || split(vec![frames::tokens().concat().into()]) },
    Case { name: "splitter/a token in 3 pieces", set_up: || split(in_three(&frames::token())) },
];

fn in_three(token: &Bytes) -> Vec<Bytes> {
    vec![token.slice(..100), token.slice(100..200), token.slice(200..)]
}

fn split(chunks: Vec<Bytes>) -> Box<dyn FnMut()> {
    let mut splitter = Splitter::new(Framing::EventStream, LIMIT);
    Box::new(move || {
        for chunk in &chunks {
            let _ = black_box(splitter.push(black_box(chunk.clone())));
        }
    })
}
