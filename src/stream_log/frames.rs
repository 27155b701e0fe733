//! The frames that are kept of one stream.

use std::collections::VecDeque;

use bytes::Bytes;

/// What a frame costs beside its bytes, about: its place in the list, its reference count, the room behind it.
const OVERHEAD: usize = 128;
/// How much is read at once.
const READ: usize = 16 * 1024;

/// Numbered frames, of which the first may have been forgotten. Numbers begin with one.
#[derive(Debug, Default)]
pub(super) struct Frames {
    kept: VecDeque<Bytes>,
    forgotten: u64,
    bytes: usize,
}

impl Frames {
    pub(super) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len() + OVERHEAD;
        self.kept.push_back(frame);
    }

    /// Forgets the first frame; false if there is none but the last, which somebody may be about to read.
    pub(super) fn forget_first(&mut self) -> bool {
        if self.kept.len() < 2 {
            return false;
        }
        self.forget();
        true
    }

    pub(super) fn forget_all(&mut self) {
        while !self.kept.is_empty() {
            self.forget();
        }
        self.kept.shrink_to_fit();
    }

    /// Forgets everything, and that there was anything up to the frame with the number `last`.
    pub(super) fn skip_to(&mut self, last: u64) {
        self.forget_all();
        self.forgotten = last;
    }

    fn forget(&mut self) {
        if let Some(frame) = self.kept.pop_front() {
            self.bytes -= frame.len() + OVERHEAD;
            self.forgotten += 1;
        }
    }

    /// What it costs.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the first frame that is kept, or would be.
    pub(super) fn first(&self) -> u64 {
        self.forgotten + 1
    }

    /// The number of the last frame.
    pub(super) fn last(&self) -> u64 {
        self.forgotten + self.kept.len() as u64
    }

    /// Whether everything that follows the frame with the number `after` is kept.
    pub(super) fn has_all_after(&self, after: u64) -> bool {
        after >= self.forgotten
    }

    /// What the frames behind the one with the number `after` cost.
    pub(super) fn bytes_after(&self, after: u64) -> usize {
        self.kept.range(self.index_behind(after)..).map(|frame| frame.len() + OVERHEAD).sum()
    }

    fn index_behind(&self, after: u64) -> usize {
        usize::try_from(after.saturating_sub(self.forgotten)).unwrap_or(usize::MAX).min(self.kept.len())
    }

    /// The next frames behind the one with the number `after`, at least one if there is any.
    pub(super) fn after(&self, after: u64) -> Vec<Bytes> {
        let mut room = READ;
        let fits = |frame: &&Bytes| {
            let is_first = room == READ;
            let fits = is_first || frame.len() <= room;
            room = room.saturating_sub(frame.len().max(1));
            fits
        };
        self.kept.range(self.index_behind(after)..).take_while(fits).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(texts: &[&'static str]) -> Frames {
        let mut frames = Frames::default();
        texts.iter().for_each(|text| frames.push(Bytes::from_static(text.as_bytes())));
        frames
    }

    #[test]
    fn frames_are_read_from_any_place_on() {
        let frames = frames(&["a", "b", "c"]);
        assert_eq!(frames.after(0), ["a", "b", "c"]);
        assert_eq!(frames.after(2), ["c"]);
        assert!(frames.after(3).is_empty() && frames.after(u64::MAX).is_empty());
    }

    #[test]
    fn what_is_forgotten_is_known_to_be() {
        let mut frames = frames(&["a", "b", "c"]);
        assert!(frames.forget_first() && frames.forget_first());
        assert!(!frames.forget_first(), "the last one stays");
        assert_eq!((frames.last(), frames.has_all_after(1), frames.has_all_after(2)), (3, false, true));
        assert_eq!(frames.after(2), ["c"]);
        frames.forget_all();
        assert_eq!((frames.last(), frames.bytes()), (3, 0));
    }

    #[test]
    fn a_read_is_bounded_but_never_empty() {
        let mut frames = Frames::default();
        frames.push(vec![b'x'; 2 * READ].into());
        frames.push(Bytes::from_static(b"y"));
        assert_eq!(frames.after(0).len(), 1);
        let mut frames = Frames::default();
        (0..4).for_each(|_| frames.push(vec![b'x'; READ / 2].into()));
        assert_eq!(frames.after(0).len(), 2);
    }
}
