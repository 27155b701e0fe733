//! Undoing the chunked coding.

use std::hint::black_box;

use bytes::Bytes;
use sluicegate::upstream::http1::chunked::Chunked;

use super::{Case, frames};

pub(super) const CASES: &[Case] = &[
    Case { name: "chunked/a token", set_up: || decode(&[frames::token()]) },
    Case { name: "chunked/16 KiB of tokens, a chunk each", set_up: || decode(&frames::tokens()) },
];

/// Decodes `pieces`, a chunk each and read together.
fn decode(pieces: &[Bytes]) -> Box<dyn FnMut()> {
    let read = frames::in_chunks(pieces);
    let mut chunked = Chunked::default();
    let mut buffer = read.clone();
    Box::new(move || {
        // As if it had been read there.
        buffer.copy_from_slice(&read);
        let _ = black_box(chunked.decode(black_box(&mut buffer)));
    })
}
