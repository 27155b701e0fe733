//! Writes down how a stream ended, whichever way it ended.
//!
//! Nobody calls a function when a client leaves: the body is dropped, and code behind its last poll never runs. So the
//! guard's `Drop` is where a stream is settled, exactly once.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::canonical::Usage;
use crate::dialect::Observer;
use crate::error::Error;
use crate::telemetry::Record;
use crate::telemetry::record::Outcome;
use crate::upstream::Trail;

/// What the connection knows about its client and a stream must know to tell why it was dropped.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    stalled: CancellationToken,
}

impl Peer {
    /// The client of one of several streams over this connection. It may stall alone, and stalls with its connection.
    #[must_use]
    pub fn stream(&self) -> Self {
        Self { stalled: self.stalled.child_token() }
    }

    /// The client has taken nothing for longer than it may.
    pub fn set_stalled(&self) {
        self.stalled.cancel();
    }

    fn is_stalled(&self) -> bool {
        self.stalled.is_cancelled()
    }
}

/// Collects the facts of one stream and adds them to the request's [`Record`] when dropped.
#[derive(Debug)]
pub struct StreamGuard {
    record: Record,
    peer: Peer,
    settled: bool,
    first_token: Option<Instant>,
    frames: u64,
    bytes: u64,
    usage: Option<Usage>,
    /// What came of upstreams that others have taken over from.
    earlier_frames: u64,
    earlier_usage: Option<Usage>,
}

impl StreamGuard {
    /// Guards a stream of the request of `record`, asked for over the connection of `peer`.
    pub fn new(record: Record, peer: Peer) -> Self {
        Self {
            record,
            peer,
            settled: false,
            first_token: None,
            frames: 0,
            bytes: 0,
            usage: None,
            earlier_frames: 0,
            earlier_usage: None,
        }
    }

    /// When the request came.
    pub(super) fn started(&self) -> Instant {
        self.record.started()
    }

    /// The provider that answers has shown itself.
    pub(super) fn opened(&mut self, provider: Arc<str>) {
        self.record.facts().provider = Some(provider);
    }

    /// These were asked, and did not answer but for the last.
    pub(super) fn tried(&mut self, trail: &Trail) {
        if !trail.is_empty() {
            self.record.facts().note_attempts(&trail.to_string());
        }
    }

    /// It answers in another dialect than the client's, to a question that left out what `dropped` names.
    pub(super) fn translated(&mut self, from: &'static str, to: &str, dropped: &[String]) {
        self.record.facts().note_translation(from, to, dropped);
    }

    pub(super) fn note_first_token(&mut self, observer: &Observer) {
        if self.first_token.is_none() && observer.has_content() {
            self.first_token = Some(Instant::now());
        }
    }

    /// Whether anything has gone to the client.
    pub(super) fn has_sent(&self) -> bool {
        self.bytes > 0
    }

    /// `bytes` go to the client.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// So many more frames go to a client that reads what another request began.
    pub fn read(&mut self, frames: u64) {
        self.frames += frames;
    }

    /// What has been learned from reading along with an upstream.
    pub(super) fn report(&mut self, frames: u64, usage: Option<Usage>) {
        self.frames = self.earlier_frames + frames;
        // Each of them counts what it was asked and what it wrote, and is paid for that.
        self.usage = self.earlier_usage.into_iter().chain(usage).reduce(Usage::and);
    }

    /// What has been reported stands, and what will be is of another upstream.
    pub(super) fn leave(&mut self) {
        (self.earlier_frames, self.earlier_usage) = (self.frames, self.usage);
    }

    /// Another upstream goes on in place of the target `from`.
    pub(super) fn switched(&mut self, from: &str) {
        self.record.facts().note_switch(from);
    }

    /// The upstream said things of these kinds that the client could not be told in its dialect.
    pub(super) fn report_untold(&mut self, kinds: &[String]) {
        self.record.facts().note_untold(kinds);
    }

    /// The stream ended with `outcome`.
    pub fn finish(&mut self, outcome: Outcome) {
        self.settled = true;
        self.record.facts().outcome = Some(outcome);
    }

    /// The stream ended in `error`.
    pub fn fail(&mut self, error: &Error) {
        self.settled = true;
        self.record.fail(error);
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        let mut facts = self.record.facts();
        facts.time_to_first_token = self.first_token.map(|at| at.duration_since(self.record.started()));
        facts.frames = self.frames;
        facts.bytes = self.bytes;
        facts.usage = self.usage;
        if !self.settled {
            facts.outcome = Some(if self.peer.is_stalled() { Outcome::ClientStalled } else { Outcome::ClientGone });
        }
    }
}
