//! What framing promises, held against the standard.

mod invariants;
mod properties;
mod reference;
mod wpt;

use super::{FrameTooLarge, Framing, Splitter, sse};
