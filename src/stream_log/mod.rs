//! Streams that outlive the connection they were asked over.
//!
//! Such a stream belongs to no request. A task of its own, the [`producer`], pulls its frames from the upstream, numbers them
//! and writes them into a [`StreamLog`], from where any number of [`reader`]s take them, each at its own pace; the response
//! to whoever asked for it is only the first of them. The [`registry`] knows all of them, by names that cannot be guessed, and
//! bounds what they cost.
//!
//! What is kept is in memory. Only `frames` would be another for another store: everyone else appends a frame, reads from a
//! number on, or waits.

mod frames;
pub mod id;
mod named;
pub mod numbering;
pub mod producer;
pub mod reader;
pub mod registry;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::client_key::Digest;
use crate::config::resume::{OnDisconnect, Resume};
use crate::dialect::Dialect;
use crate::error::Error;

use frames::Frames;
use id::{Position, StreamId, Token};

/// What is to be known of a stream before it begins.
#[derive(Debug, Clone)]
pub struct Description {
    /// The name of the key of whoever asked for it: nobody else may see it.
    pub owner: Option<Arc<str>>,
    /// What its frames are written in.
    pub dialect: &'static dyn Dialect,
    /// The model asked for.
    pub model: String,
    /// What becomes of it when nobody reads it.
    pub on_disconnect: OnDisconnect,
    /// It is a response that is made in the background, with a name of its own for who fetches it.
    pub background: bool,
    /// What it may cost.
    pub limits: Resume,
}

/// What all the streams of one caller, or of all, cost.
#[derive(Debug, Default)]
struct Account(AtomicUsize);

impl Account {
    fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The accounts that a stream is charged to.
#[derive(Debug, Clone, Default)]
struct Accounts {
    caller: Arc<Account>,
    total: Arc<Account>,
}

impl Accounts {
    /// What cost `before` costs `now`.
    fn charge(&self, before: usize, now: usize) {
        for account in [&self.caller, &self.total] {
            account.0.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        }
    }
}

/// A stream, as far as it has come.
pub struct StreamLog {
    id: StreamId,
    about: Description,
    begun: Instant,
    accounts: Accounts,
    readers: watch::Sender<usize>,
    stop: CancellationToken,
    /// Told when the reader that is furthest has taken something.
    progress: Notify,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    frames: Frames,
    ended: Option<Instant>,
    stopped: bool,
    /// The number of the last frame that any reader has taken, and what those behind it cost.
    furthest: u64,
    unread: usize,
    /// Readers that have all there is, by their numbers.
    waiting: Vec<(u64, Waker)>,
    next_reader: u64,
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
}

/// How a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// More is to come.
    Running,
    /// It has ended by itself, well or not.
    Finished,
    /// It was ended.
    Stopped,
}

impl State {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }
}

/// What a stream's owner may know of it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each says what it is")]
pub struct Summary {
    pub id: StreamId,
    pub state: State,
    pub model: String,
    pub dialect: &'static str,
    pub on_disconnect: OnDisconnect,
    pub age: std::time::Duration,
    pub events: u64,
    pub bytes: usize,
    pub readers: usize,
}

impl StreamLog {
    fn new(about: Description, accounts: Accounts) -> Self {
        Self {
            id: StreamId::random(),
            about,
            begun: Instant::now(),
            accounts,
            readers: watch::Sender::new(0),
            stop: CancellationToken::new(),
            progress: Notify::new(),
            log: Mutex::default(),
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
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Makes the token that lets whoever presents it read the stream. There is one at a time. While the stream is read it does
    /// not age: a page that comes back after an hour has the same URL as before.
    pub fn make_token(&self) -> Token {
        let token = Token::random();
        self.log().token = Some((token.digest(), Instant::now() + self.about.limits.token_lifetime));
        token
    }

    /// How it is doing.
    pub fn summary(&self) -> Summary {
        let log = self.log();
        let state = match log.ended {
            None => State::Running,
            Some(_) if log.stopped => State::Stopped,
            Some(_) => State::Finished,
        };
        Summary {
            id: self.id,
            state,
            model: self.about.model.clone(),
            dialect: self.about.dialect.name(),
            on_disconnect: self.about.on_disconnect,
            age: self.begun.elapsed(),
            events: log.frames.last(),
            bytes: log.frames.bytes(),
            readers: *self.readers.borrow(),
        }
    }

    /// Whether a reader that has the event with the number `after` has all, and there will be no more.
    ///
    /// # Errors
    ///
    /// [`Error::StreamNotFound`] if there is no such event, or what follows it is no longer kept.
    pub fn is_delivered(&self, after: u64) -> Result<bool, Error> {
        let log = self.log();
        if after > log.frames.last() || !log.frames.has_all_after(after) {
            return Err(Error::StreamNotFound);
        }
        Ok(log.ended.is_some() && after == log.frames.last())
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
        Self::wake(log);
    }

    /// Whether all readers are so far behind that they may soon miss something.
    fn is_ahead(&self) -> bool {
        *self.readers.borrow() > 0 && self.log().unread > self.about.limits.max_stream_bytes / 2
    }

    /// There is no more to come.
    fn end(&self) {
        let mut log = self.log();
        log.ended.get_or_insert_with(Instant::now);
        Self::wake(log);
    }

    /// What is written from now on is not the stream's own.
    fn note_stopped(&self) {
        self.log().stopped = true;
    }

    /// Wakes all who wait, behind the lock: a task that is woken may be one that ends.
    fn wake(mut log: MutexGuard<'_, Log>) {
        let waiting = std::mem::take(&mut log.waiting);
        drop(log);
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    // === For the registry ===

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

    fn ended(&self) -> Option<Instant> {
        self.log().ended
    }

    fn admits(&self, token: &str) -> bool {
        let presented = Digest::of(token);
        let is_read = *self.readers.borrow() > 0;
        self.log().token.is_some_and(|(digest, until)| digest == presented && (is_read || Instant::now() < until))
    }

    // === For readers ===

    /// A new reader, by its number.
    fn join(&self) -> u64 {
        let was_read = *self.readers.borrow() > 0;
        self.readers.send_modify(|readers| *readers += 1);
        let mut log = self.log();
        // What has expired is not to be revived by a reader with a key.
        log.token.take_if(|(_, until)| !was_read && *until <= Instant::now());
        log.next_reader += 1;
        log.next_reader
    }

    fn leave(&self, reader: u64) {
        let mut log = self.log();
        log.waiting.retain(|(number, _)| *number != reader);
        if let Some((_, until)) = &mut log.token {
            *until = Instant::now() + self.about.limits.token_lifetime;
        }
        drop(log);
        self.readers.send_modify(|readers| *readers -= 1);
    }

    /// What follows the frame with the number `after`.
    fn poll_read(&self, cx: &mut Context<'_>, reader: u64, after: u64) -> Poll<Found> {
        let mut log = self.log();
        if !log.frames.has_all_after(after) {
            return Poll::Ready(Found::Lost);
        }
        if after < log.frames.last() {
            let frames = log.frames.after(after);
            log.note_read(after + frames.len() as u64);
            drop(log);
            self.progress.notify_one();
            return Poll::Ready(Found::Frames(frames));
        }
        if log.ended.is_some() {
            return Poll::Ready(Found::End);
        }
        match log.waiting.iter_mut().find(|(number, _)| *number == reader) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => log.waiting.push((reader, cx.waker().clone())),
        }
        Poll::Pending
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Nobody panics in the middle of a change.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
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
