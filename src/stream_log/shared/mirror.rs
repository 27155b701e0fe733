//! What a log knows of the part of it that is written down.

use bytes::Bytes;
use redis::Value;

use super::super::{Log, Scope, StreamLog};

/// A stream that lacks so few frames has caught up.
const NEAR: u64 = 16;

/// How much of a stream is written down.
#[derive(Debug, Default)]
pub(in super::super) struct Mirror {
    /// Readers see nothing before it is written.
    awaited: bool,
    /// Its name is known.
    published: bool,
    /// The number of the last frame that is written.
    written: u64,
    is_end_written: bool,
    queued: bool,
    /// Another replica has ended it: nothing more is written.
    fenced: bool,
    /// How many readers it was said to have.
    readers: usize,
}

impl Mirror {
    /// Whether readers see nothing before it is written.
    pub(in super::super) fn is_awaited(&self) -> bool {
        self.awaited
    }
}

impl Log {
    pub(super) fn written(&self) -> u64 {
        self.mirror.as_ref().map_or(0, |mirror| mirror.written)
    }

    pub(super) fn next_to_write(&self) -> Vec<Bytes> {
        self.frames.after(self.written())
    }

    /// It is said to have so many readers.
    pub(super) fn note_readers_told(&mut self, readers: usize) {
        if let Some(mirror) = &mut self.mirror {
            mirror.readers = readers;
        }
    }

    /// Readers may see what is written.
    fn show_written(&mut self) {
        let Some(mirror) = &self.mirror else { return };
        self.visible = self.visible.max(mirror.written.min(self.frames.last()));
        self.is_end_visible |= mirror.is_end_written;
    }

    /// Nothing more of it is written.
    fn fence(&mut self) {
        if let Some(mirror) = &mut self.mirror {
            (mirror.fenced, mirror.awaited) = (true, false);
        }
        self.show_all();
    }
}

impl StreamLog {
    /// Its name is known to all replicas: from now on readers wait for what is written.
    pub(super) fn note_published(&self) {
        if let Some(mirror) = &mut self.log().mirror {
            (mirror.published, mirror.awaited) = (true, true);
        }
    }

    /// Whether it goes into the queue, which it is then said to be in.
    pub(super) fn is_to_be_queued(&self) -> bool {
        let mut log = self.log();
        let Some(mirror) = log.mirror.as_mut().filter(|mirror| mirror.awaited && !mirror.queued) else { return false };
        mirror.queued = true;
        true
    }

    /// From now on readers wait for what is written. Whatever was in the queue before has been taken from it.
    pub(super) fn be_awaited(&self) {
        if let Some(mirror) = self.log().mirror.as_mut().filter(|mirror| !mirror.fenced) {
            (mirror.awaited, mirror.queued) = (true, false);
        }
    }

    /// Readers need not wait any longer.
    pub(super) fn release(&self) {
        let mut log = self.log();
        if let Some(mirror) = &mut log.mirror {
            (mirror.awaited, mirror.queued) = (false, false);
        }
        log.show();
        Self::wake(log);
    }

    /// What is known of it may be lost.
    pub(super) fn doubt(&self) {
        if let Some(mirror) = &mut self.log().mirror {
            mirror.published = false;
        }
    }

    /// Takes it from the queue; true if its name is to be made known first.
    pub(super) fn take_turn(&self) -> bool {
        let mut log = self.log();
        let Some(mirror) = &mut log.mirror else { return false };
        mirror.queued = false;
        !mirror.published
    }

    pub(super) fn is_behind(&self) -> bool {
        let log = self.log();
        let Some(mirror) = log.mirror.as_ref().filter(|mirror| !mirror.fenced) else { return false };
        let is_far = mirror.written + NEAR < log.frames.last();
        !mirror.published || is_far || (log.ended.is_some() && !mirror.is_end_written)
    }

    pub(super) fn has_more_to_write(&self) -> bool {
        let has_news = self.has_news();
        let log = self.log();
        let Some(mirror) = log.mirror.as_ref().filter(|mirror| !mirror.fenced) else { return false };
        let lacks = mirror.written < log.frames.last() || (log.ended.is_some() && !mirror.is_end_written);
        !mirror.published || lacks || has_news
    }

    /// Whether its number of readers is another than what was written.
    pub(super) fn has_news(&self) -> bool {
        let readers = self.seats.count();
        let log = self.log();
        log.ended.is_none() && log.mirror.as_ref().is_some_and(|mirror| mirror.readers != readers)
    }

    /// Returns whether it has been deleted meanwhile.
    pub(super) fn note_answer_to_publish(&self, answer: &Value) -> bool {
        let mut log = self.log();
        let known = redis::from_redis_value_ref::<(u64, u64, u64)>(answer);
        if let Ok((last, has_ended, _)) = known {
            if let Some(mirror) = &mut log.mirror {
                (mirror.published, mirror.written, mirror.is_end_written) = (true, last, has_ended == 1);
            }
            if log.scope() == Scope::Shared {
                log.show_written();
            }
        } else {
            log.fence();
        }
        Self::wake(log);
        known.is_ok_and(|(_, _, is_deleted)| is_deleted == 1)
    }

    pub(super) fn note_answer_to_append(&self, answer: &Value, ends: bool) {
        let is_deleted = self.stop.is_cancelled();
        let mut log = self.log();
        match answer {
            Value::Int(last @ 0..) => {
                if let Some(mirror) = &mut log.mirror {
                    mirror.written = last.unsigned_abs();
                    mirror.is_end_written |= ends;
                }
                if log.scope() == Scope::Shared {
                    log.show_written();
                }
            }
            // Redis has lost it, and is told again; but not of one that nobody is to find.
            Value::Int(-1) if !is_deleted => {
                if let Some(mirror) = &mut log.mirror {
                    mirror.published = false;
                }
            }
            _ => log.fence(),
        }
        Self::wake(log);
    }
}
