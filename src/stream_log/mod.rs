//! Streams that outlive the connection they were asked over.
//!
//! Such a stream belongs to no request. A task of its own, the [`producer`], pulls its frames from the upstream, numbers them
//! and writes them into a [`StreamLog`], from where any number of [`reader`]s take them, each at its own pace; the response
//! to whoever asked for it is only the first of them. The [`registry`] knows all of them, by names that cannot be guessed, and
//! bounds what they cost.
//!
//! What is kept is in memory. Where replicas share their streams, a log is also written down in Redis (`shared`), and readers
//! see no frame before that; or it is a copy, which grows as another replica writes.

mod about;
mod accounts;
mod copies;
mod frames;
pub mod id;
mod named;
pub mod numbering;
pub mod producer;
pub mod reader;
pub mod registry;
mod seats;
mod shared;

use std::fmt;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::client_key::Digest;
use crate::error::Error;

pub use about::{Description, Scope, State, Summary};
use accounts::Accounts;
use frames::Frames;
use id::{Position, StreamId, Token};
use seats::Seats;
use shared::mirror::Mirror;

/// The producer, among those who wait: it waits for its last frame to be seen.
const PRODUCER: u64 = 0;

/// A stream, as far as it has come.
pub struct StreamLog {
    id: StreamId,
    about: Description,
    begun: Instant,
    accounts: Accounts,
    seats: Seats,
    stop: CancellationToken,
    /// Told when the reader that is furthest has taken something.
    progress: Notify,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    frames: Frames,
    /// The number of the last frame that readers may see.
    visible: u64,
    ended: Option<Instant>,
    is_end_visible: bool,
    stopped: bool,
    /// Another replica produces it.
    is_copy: bool,
    /// Readers of this copy will learn no more here.
    cut: bool,
    /// What is written down of it for other replicas, if they share streams.
    mirror: Option<Mirror>,
    /// The number of the last frame that any reader has taken, and what those behind it cost.
    furthest: u64,
    unread: usize,
    /// Readers that have all there is, by their numbers.
    waiting: Vec<(u64, Waker)>,
    /// Its digest, and how long it lets readers in while there is none.
    token: Option<(Digest, Instant)>,
}

/// What a reader finds.
#[derive(Debug)]
enum Found {
    /// More frames.
    Frames(Vec<Bytes>),
    /// It has all, and there will be no more.
    End,
    /// What it wants to read next is no longer kept, or never was.
    Lost,
    /// There may be more, but not here: it should come back elsewhere.
    Cut,
}

impl StreamLog {
    fn new(id: StreamId, about: Description, begun: Instant, accounts: Accounts, mirror: Option<Mirror>) -> Self {
        Self {
            id,
            about,
            begun,
            accounts,
            seats: Seats::default(),
            stop: CancellationToken::new(),
            progress: Notify::new(),
            log: Mutex::new(Log { mirror, ..Log::default() }),
        }
    }

    /// Its name.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// What was known of it before it began.
    pub fn about(&self) -> &Description {
        &self.about
    }

    /// Ends it now, whoever reads it. The upstream's connection closes.
    fn stop(&self) {
        self.stop.cancel();
    }

    /// How it is doing.
    pub fn summary(&self) -> Summary {
        let readers = self.seats.count();
        let log = self.log();
        Summary {
            id: self.id,
            // What nobody can see yet has not happened.
            state: if log.is_end_visible { log.state() } else { State::Running },
            model: self.about.model.clone(),
            dialect: self.about.dialect.name(),
            on_disconnect: self.about.on_disconnect,
            age: self.begun.elapsed(),
            events: log.visible,
            bytes: log.frames.bytes(),
            readers,
            scope: log.scope(),
        }
    }

    /// Who can go on with it now.
    pub fn scope(&self) -> Scope {
        self.log().scope()
    }

    /// Whether a reader that has the event with the number `after` has all, and there will be no more.
    ///
    /// # Errors
    ///
    /// [`Error::StreamNotFound`] if there is no such event, or what follows it is no longer kept.
    pub fn is_delivered(&self, after: u64) -> Result<bool, Error> {
        let log = self.log();
        // Another replica may have shown what is written down before this one has learned that it is.
        if after > log.frames.last() || !log.frames.has_all_after(after) {
            return Err(Error::StreamNotFound);
        }
        Ok(log.is_end_visible && after == log.frames.last())
    }

    /// The same for a reader that is told in [named events](reader::Form::Named) and has those up to `position`.
    ///
    /// # Errors
    ///
    /// [`Error::StreamNotFound`] if there is no such place, or the beginning is no longer kept.
    pub fn is_told(&self, position: Position) -> Result<bool, Error> {
        let log = self.log();
        // The last event stands behind the last frame.
        let (end, has_ended) = (log.frames.last() + 1, log.ended.is_some());
        if !log.frames.has_all_after(0) || position > Position::behind(end) || (position.after == end && !has_ended) {
            return Err(Error::StreamNotFound);
        }
        Ok(position.after == end)
    }

    // === For the producer ===

    /// Writes down the next frame.
    fn append(&self, frame: Bytes) {
        let mut log = self.log();
        let before = log.frames.bytes();
        log.frames.push(frame);
        log.unread += log.frames.bytes() - before;
        while log.frames.bytes() > self.about.limits.max_stream_bytes && log.frames.forget_first() {}
        self.accounts.charge(before, log.frames.bytes());
        log.show();
        Self::wake(log);
    }

    /// Whether all readers are so far behind that they may soon miss something.
    fn is_ahead(&self) -> bool {
        self.seats.here() > 0 && self.log().unread > self.about.limits.max_stream_bytes / 2
    }

    /// There is no more to come.
    fn end(&self) {
        let mut log = self.log();
        log.ended.get_or_insert_with(Instant::now);
        log.show();
        Self::wake(log);
    }

    /// What is written from now on is not the stream's own.
    fn note_stopped(&self) {
        self.log().stopped = true;
    }

    /// Waits until readers can see the end.
    async fn settled(&self) {
        self.wait_until(PRODUCER, |log| log.is_end_visible).await;
    }

    /// Waits, as the reader with this number or something else that waits, until `is_so`.
    async fn wait_until(&self, number: u64, is_so: impl Fn(&Log) -> bool) {
        poll_fn(|cx| {
            let mut log = self.log();
            if is_so(&log) {
                return Poll::Ready(());
            }
            log.wait(number, cx);
            Poll::Pending
        })
        .await;
    }

    /// Wakes all who wait, behind the lock: a task that is woken may be one that ends.
    fn wake(mut log: MutexGuard<'_, Log>) {
        let waiting = std::mem::take(&mut log.waiting);
        drop(log);
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    // === For the registry ===

    /// Makes the token that lets whoever presents it read the stream. There is one at a time. While the stream is read it does
    /// not age: a page that comes back after an hour has the same URL as before.
    fn make_token(&self) -> Token {
        let token = Token::random();
        self.set_token(token.digest(), self.about.limits.token_lifetime);
        token
    }

    /// It ages from now on: somebody has read the stream until now.
    fn renew_token(&self) {
        if let Some((_, until)) = &mut self.log().token {
            *until = Instant::now() + self.about.limits.token_lifetime;
        }
    }

    fn set_token(&self, digest: Digest, lifetime: std::time::Duration) {
        self.log().token = Some((digest, Instant::now() + lifetime));
    }

    /// Forgets the beginning until `is_over` is satisfied, or nothing is left but the last frame.
    fn forget_while(&self, is_over: impl Fn(&Accounts) -> bool) {
        let mut log = self.log();
        while is_over(&self.accounts) {
            let before = log.frames.bytes();
            if !log.frames.forget_first() {
                return;
            }
            self.accounts.charge(before, log.frames.bytes());
        }
    }

    /// Forgets everything. Whoever reads it is told.
    fn forget(&self) {
        let mut log = self.log();
        let before = log.frames.bytes();
        log.frames.forget_all();
        self.accounts.charge(before, 0);
        Self::wake(log);
    }

    /// Ends all its readers here, for them to come back elsewhere.
    fn cut(&self) {
        let mut log = self.log();
        log.cut = true;
        Self::wake(log);
    }

    fn ended(&self) -> Option<Instant> {
        self.log().ended
    }

    fn admits(&self, token: &str) -> bool {
        let presented = Digest::of(token);
        let is_read = self.seats.count() > 0;
        self.log().token.is_some_and(|(digest, until)| digest == presented && (is_read || Instant::now() < until))
    }

    // === For readers ===

    /// A new reader, by its number.
    fn join(&self) -> u64 {
        let was_read = self.seats.count() > 0;
        let number = self.seats.join();
        // What has expired is not to be revived by a reader with a key.
        self.log().token.take_if(|(_, until)| !was_read && *until <= Instant::now());
        number
    }

    fn leave(&self, reader: u64) {
        self.log().waiting.retain(|(number, _)| *number != reader);
        self.renew_token();
        self.seats.leave();
    }

    /// What follows the frame with the number `after`.
    fn poll_read(&self, cx: &mut Context<'_>, reader: u64, after: u64) -> Poll<Found> {
        let mut log = self.log();
        if !log.frames.has_all_after(after) {
            return Poll::Ready(Found::Lost);
        }
        if after < log.visible {
            let mut frames = log.frames.after(after);
            frames.truncate(usize::try_from(log.visible - after).unwrap_or(usize::MAX));
            log.note_read(after + frames.len() as u64);
            drop(log);
            self.progress.notify_one();
            return Poll::Ready(Found::Frames(frames));
        }
        if log.is_end_visible {
            return Poll::Ready(Found::End);
        }
        if log.cut {
            return Poll::Ready(Found::Cut);
        }
        log.wait(reader, cx);
        Poll::Pending
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Nobody panics in the middle of a change.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Lets readers see all there is, unless it must be written down before.
    fn show(&mut self) {
        if self.mirror.as_ref().is_none_or(|mirror| !mirror.is_awaited()) {
            self.show_all();
        }
    }

    fn show_all(&mut self) {
        self.visible = self.frames.last();
        self.is_end_visible = self.ended.is_some();
    }

    fn state(&self) -> State {
        match self.ended {
            None => State::Running,
            Some(_) if self.stopped => State::Stopped,
            Some(_) => State::Finished,
        }
    }

    fn scope(&self) -> Scope {
        if self.is_copy || self.mirror.as_ref().is_some_and(Mirror::is_awaited) {
            Scope::Shared
        } else {
            Scope::Replica
        }
    }

    fn wait(&mut self, reader: u64, cx: &Context<'_>) {
        match self.waiting.iter_mut().find(|(number, _)| *number == reader) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => self.waiting.push((reader, cx.waker().clone())),
        }
    }

    /// A reader takes all up to the frame with the number `last`.
    fn note_read(&mut self, last: u64) {
        if last > self.furthest {
            (self.furthest, self.unread) = (last, self.frames.bytes_after(last));
        }
    }
}

impl Drop for StreamLog {
    fn drop(&mut self) {
        let bytes = self.log().frames.bytes();
        self.accounts.charge(bytes, 0);
    }
}

impl fmt::Debug for StreamLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamLog").field("id", &self.id).field("about", &self.about).finish_non_exhaustive()
    }
}
