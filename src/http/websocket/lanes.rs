//! The responses of a connection: one after the other within a stream, side by side in different ones.

use std::collections::VecDeque;
use std::task::{Context as TaskContext, Poll};

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::message::{Cancel, Create, StreamName};
use super::turn::{Connection, Progress, Turn};
use crate::error::Error;

/// The streams in which something runs.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    /// Whose turn it is to be asked first.
    next: usize,
}

struct Lane {
    stream: StreamName,
    running: Turn,
    waiting: VecDeque<Create>,
}

impl Lanes {
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Runs what `create` asks for, now or when its stream is free. Adds to `messages` what is to be said at once.
    pub(super) fn add(&mut self, create: Create, connection: &mut Connection, messages: &mut VecDeque<Utf8Bytes>) {
        let fits = self.has_room_for(&create, connection);
        let lane = self.lanes.iter_mut().find(|lane| lane.stream == create.stream);
        match (fits, lane) {
            (Err(error), _) => messages.push_back(connection.refuse(&error, &create.stream)),
            (Ok(()), Some(lane)) => lane.waiting.push_back(create),
            (Ok(()), None) => {
                let stream = create.stream.clone();
                match connection.begin(create) {
                    Ok(running) => self.lanes.push(Lane { stream, running, waiting: VecDeque::new() }),
                    Err(refusal) => messages.push_back(refusal),
                }
            }
        }
    }

    fn has_room_for(&self, create: &Create, connection: &Connection) -> Result<(), Error> {
        let config = &connection.config;
        let full = |key, limit| Err(Error::TooManyOnConnection { key, limit });
        if !self.lanes.iter().any(|lane| lane.stream == create.stream) {
            let limit = config.websocket.max_streams;
            return if self.lanes.len() < limit { Ok(()) } else { full("websocket.max_streams", limit) };
        }
        let waiting = || self.lanes.iter().flat_map(|lane| &lane.waiting);
        let (limit, max_bytes) = (config.websocket.max_queued, config.server.max_body_bytes);
        if waiting().count() >= limit {
            full("websocket.max_queued", limit)
        } else if waiting().map(|create| create.size).sum::<usize>() + create.size > max_bytes {
            full("server.max_body_bytes", max_bytes)
        } else {
            Ok(())
        }
    }

    /// Adds what the upstream of one of the responses says next to `messages`; possibly nothing. Those that speak all the time
    /// take turns.
    pub(super) fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        connection: &mut Connection,
        messages: &mut VecDeque<Utf8Bytes>,
    ) -> Poll<()> {
        let count = self.lanes.len();
        for at in (self.next..self.next + count).map(|at| at % count) {
            if let Poll::Ready(progress) = self.lanes[at].running.poll(cx, messages) {
                self.next = at + 1;
                if progress == Progress::Over {
                    // The next may go on from this one.
                    connection.keep(&self.lanes[at].running);
                    self.proceed(at, connection, messages);
                }
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Stops the response that `cancel` means.
    pub(super) fn cancel(&mut self, cancel: &Cancel, connection: &mut Connection, messages: &mut VecDeque<Utf8Bytes>) {
        let is_meant = |lane: &Lane| match &cancel.response {
            Some(id) => lane.running.id() == Some(id) && (cancel.stream.is_none() || lane.stream == cancel.stream),
            None => lane.stream == cancel.stream,
        };
        match self.lanes.iter().position(is_meant) {
            Some(at) => {
                let mut behind = VecDeque::new();
                let stopped = self.proceed(at, connection, &mut behind);
                messages.push_back(stopped.cancel());
                messages.append(&mut behind);
            }
            None => messages.push_back(connection.refuse(&Error::ResponseNotFound, &cancel.stream)),
        }
    }

    /// Refuses, for `error`, all that waits.
    pub(super) fn refuse_waiting(
        &mut self,
        error: &Error,
        connection: &mut Connection,
        messages: &mut VecDeque<Utf8Bytes>,
    ) {
        for lane in &mut self.lanes {
            let waiting = lane.waiting.drain(..);
            messages.extend(waiting.map(|create| connection.refuse(error, &create.stream)));
        }
    }

    /// Goes on with what waits behind the response that runs in the stream at `at`, and returns that one.
    fn proceed(&mut self, at: usize, connection: &mut Connection, messages: &mut VecDeque<Utf8Bytes>) -> Turn {
        let lane = &mut self.lanes[at];
        while let Some(create) = lane.waiting.pop_front() {
            match connection.begin(create) {
                Ok(next) => return std::mem::replace(&mut lane.running, next),
                Err(refusal) => messages.push_back(refusal),
            }
        }
        self.lanes.remove(at).running
    }
}
