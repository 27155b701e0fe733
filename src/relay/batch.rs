//! What goes out in one piece.

use bytes::{Bytes, BytesMut};

/// Enough to fill a few packets. What comes in a rush comes in pieces that are larger, and so is not copied.
const FULL: usize = 8 * 1024;

/// Pieces joined into one. The usual single piece is not copied.
#[derive(Default)]
pub(super) struct Batch {
    first: Bytes,
    joined: BytesMut,
}

impl Batch {
    pub(super) fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&self.first);
        }
        self.joined.extend_from_slice(&piece);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.first.len().max(self.joined.len()) >= FULL
    }

    pub(super) fn take(&mut self) -> Bytes {
        let Self { first, joined } = std::mem::take(self);
        if joined.is_empty() { first } else { joined.freeze() }
    }
}
