//! Any bytes, cut anywhere, under any limit: the invariants of the property tests, without end.
//!
//! It takes in the pure layer that it needs, not the whole crate with its dependencies, and so builds quickly.

#![no_main]

#[allow(dead_code, reason = "the crate uses more of it")]
#[path = "../../src/framing/mod.rs"]
mod framing;
#[path = "../../src/framing/tests/invariants.rs"]
mod invariants;
#[path = "../../src/framing/tests/reference.rs"]
mod reference;

use framing::{FrameTooLarge, Framing, Splitter, sse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, u16, &[u8])| {
    let (sizes, limit, stream) = input;
    let pieces = invariants::cut(stream, sizes.into_iter().map(usize::from));
    invariants::check(&pieces, usize::from(limit).max(1));
});
