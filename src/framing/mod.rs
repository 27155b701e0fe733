//! Bytes on the wire, cut where the wire format says a unit ends.
//!
//! Nothing here knows what a frame means, and nothing here does I/O: bytes in, bytes out. [`splitter`] finds the places
//! where a stream may be cut without hurting anyone, [`sse`] reads one frame.

pub mod splitter;
pub mod sse;
#[cfg(test)]
mod tests;

pub use splitter::{FrameTooLarge, Splitter};
