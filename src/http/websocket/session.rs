//! The conversation over one WebSocket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as SocketError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message as Frame, Utf8Bytes};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::Agreed;
use super::events::error_event;
use super::lanes::Lanes;
use super::message::Message;
use super::pulse::{Due, Pulse};
use super::turn::Connection;
use crate::config::Config;
use crate::error::Error;
use crate::http::state::State;
use crate::relay::guard::StreamGuard;
use crate::telemetry::record::Outcome;

/// What a connection owns for reading, and what is put together for one write.
const BUFFER: usize = 8 * 1024;
/// So many messages are read while the client takes none of ours: it may be one that speaks before it listens, but each may
/// call for an answer.
const PATIENCE: usize = 64;
/// So many messages, events or runs of events are dealt with before others have their turn: a few bytes may be much work.
const TURNS: usize = 64;
/// How long a client has for its part of the goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Serves what has been agreed on, until one of the two sides ends it.
pub(super) async fn serve(agreed: Agreed, state: watch::Receiver<Arc<State>>) {
    let Agreed { context, parts, upgrade } = agreed;
    let mut guard = StreamGuard::new(context.record.clone(), context.peer.clone());
    // It fails if the client has not waited for the answer.
    let Ok(upgraded) = upgrade.await else { return };
    let config = Arc::clone(&context.state.config);
    let socket = Socket::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(limits(&config))).await;
    let connection = Connection::new(context, parts, state);
    let mut session = Session::new(socket, connection, &config);
    let end = poll_fn(|cx| session.poll(cx, &mut guard)).await;
    let Session { socket, lanes, .. } = session;
    // Whatever still runs has nobody to run for.
    drop(lanes);
    match end {
        End::Gone => {}
        End::Closed => guard.finish(Outcome::Completed),
        End::Parting(outcome, frame) => {
            guard.finish(outcome);
            let _ = tokio::time::timeout(GOODBYE, part(socket, frame)).await;
        }
    }
}

fn limits(config: &Config) -> WebSocketConfig {
    let largest = Some(config.server.max_body_bytes);
    WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(largest)
        .max_frame_size(largest)
}

/// How a conversation ends.
enum End {
    /// The client is there no longer.
    Gone,
    /// The client has said goodbye, and was answered.
    Closed,
    /// We say goodbye.
    Parting(Outcome, CloseFrame),
}

/// See the [module documentation](super). Its task is that of the connection.
struct Session {
    socket: Socket,
    connection: Connection,
    lanes: Lanes,
    /// What is to be written before anything is asked of an upstream again.
    outbox: VecDeque<Utf8Bytes>,
    pulse: Pulse,
    draining: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Why no more requests are taken.
    closing: Option<Error>,
    /// How many more messages may be read before the client has taken ours.
    patience: usize,
}

impl Session {
    fn new(socket: Socket, connection: Connection, config: &Config) -> Self {
        let draining = Box::pin(connection.shutdown.draining.clone().cancelled_owned());
        Self {
            socket,
            connection,
            lanes: Lanes::default(),
            outbox: VecDeque::new(),
            pulse: Pulse::new(config),
            draining,
            closing: None,
            patience: PATIENCE,
        }
    }

    /// Turns the conversation on, as far as it goes without waiting or keeping others waiting.
    fn poll(&mut self, cx: &mut TaskContext<'_>, guard: &mut StreamGuard) -> Poll<End> {
        for _ in 0..TURNS {
            let written = match self.poll_write(cx, guard) {
                Poll::Ready(Err(_)) => return Poll::Ready(End::Gone),
                written => written.is_ready(),
            };
            if let Some(end) = self.end(written) {
                return Poll::Ready(end);
            }
            let mut idle = true;
            if self.patience > 0
                && let Poll::Ready(read) = Pin::new(&mut self.socket).poll_next(cx)
            {
                self.patience -= 1;
                self.pulse.heard();
                match read {
                    Some(Ok(frame)) => self.hear(frame),
                    Some(Err(error)) => return Poll::Ready(self.fail(&error)),
                    None => return Poll::Ready(End::Closed),
                }
                idle = false;
            }
            // This is the backpressure: nothing is asked of an upstream before the client has taken the last of it.
            if written && self.outbox.is_empty() {
                idle &= self.lanes.poll(cx, &mut self.connection, &mut self.outbox).is_pending();
            }
            if self.closing.is_none() && self.draining.as_mut().poll(cx).is_ready() {
                self.close(Error::ShuttingDown);
                idle = false;
            }
            if let Poll::Ready(due) = self.pulse.poll(cx) {
                match due {
                    Due::Dead => return Poll::Ready(End::Gone),
                    Due::Ping if written => {
                        self.pulse.asked();
                        if Pin::new(&mut self.socket).start_send(Frame::Ping(Bytes::new())).is_err() {
                            return Poll::Ready(End::Gone);
                        }
                    }
                    // A client that takes nothing has a time limit of its own.
                    Due::Ping => {}
                    Due::Old => {
                        let error = Error::ConnectionTooOld { limit: self.connection.config.websocket.max_age };
                        self.outbox.push_back(error_event(&error, self.connection.dialect, &None));
                        self.close(error);
                    }
                }
                idle = false;
            }
            if idle {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes all there is, to the last byte.
    fn poll_write(&mut self, cx: &mut TaskContext<'_>, guard: &mut StreamGuard) -> Poll<Result<(), SocketError>> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.outbox.is_empty() {
            std::task::ready!(socket.as_mut().poll_ready(cx))?;
            if let Some(text) = self.outbox.pop_front() {
                guard.sent(text.len());
                guard.read(1);
                self.pulse.sent();
                socket.as_mut().start_send(Frame::Text(text))?;
            }
        }
        std::task::ready!(socket.poll_flush(cx))?;
        self.patience = PATIENCE;
        Poll::Ready(Ok(()))
    }

    /// Whether it is time to part: all has been said, and nothing more will be.
    fn end(&self, written: bool) -> Option<End> {
        let closing = self.closing.as_ref().filter(|_| written && self.lanes.is_empty())?;
        let outcome = if matches!(closing, Error::ShuttingDown) { Outcome::ShutDown } else { Outcome::Completed };
        Some(End::Parting(outcome, goodbye(CloseCode::Away, closing.kind())))
    }

    /// Takes no more requests for `error`, not even those that wait. What runs goes on.
    fn close(&mut self, error: Error) {
        self.lanes.refuse_waiting(&error, &mut self.connection, &mut self.outbox);
        self.closing = Some(error);
    }

    fn hear(&mut self, frame: Frame) {
        let Self { connection, lanes, outbox, closing, .. } = self;
        let text = match frame {
            Frame::Text(text) => text,
            Frame::Binary(_) => {
                let message = "Send messages as text; binary ones are not understood.".to_owned();
                let error = Error::InvalidRequest { message, param: None };
                return outbox.push_back(connection.refuse(&error, &None));
            }
            // Nothing may be said behind the answer, which the socket gives by itself.
            Frame::Close(_) => {
                outbox.clear();
                return *lanes = Lanes::default();
            }
            Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => return,
        };
        match (Message::read(&text), closing) {
            (Ok(Message::Cancel(cancel)), _) => lanes.cancel(&cancel, connection, outbox),
            (Ok(Message::Create(create)), None) => lanes.add(create, connection, outbox),
            (Ok(Message::Create(create)), Some(error)) => outbox.push_back(connection.refuse(error, &create.stream)),
            (Err(refused), _) => {
                let (stream, error) = &*refused;
                outbox.push_back(connection.refuse(error, stream));
            }
        }
    }

    /// What to do about a client whose frames cannot be read any more.
    fn fail(&self, error: &SocketError) -> End {
        let code = match error {
            SocketError::Capacity(CapacityError::MessageTooLong { .. }) => CloseCode::Size,
            SocketError::Utf8(_) => CloseCode::Invalid,
            SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return End::Gone,
            SocketError::Protocol(_) => CloseCode::Protocol,
            _ => return End::Gone,
        };
        End::Parting(Outcome::Rejected, goodbye(code, &error.to_string()))
    }
}

fn goodbye(code: CloseCode, reason: &str) -> CloseFrame {
    // What a control frame has room for.
    CloseFrame { code, reason: reason[..reason.floor_char_boundary(123)].into() }
}

/// Says goodbye, and waits for the client's, so that the last words are not lost in a reset.
async fn part(mut socket: Socket, frame: CloseFrame) {
    if socket.send(Frame::Close(Some(frame))).await.is_err() {
        return;
    }
    let answered = async {
        while let Some(frame) = socket.next().await {
            match frame {
                Ok(Frame::Close(_)) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    }
    .await;
    let io = socket.get_mut();
    let _ = io.shutdown().await;
    if !answered {
        // What it still sends is no frame to us.
        let _ = tokio::io::copy(io, &mut tokio::io::sink()).await;
    }
}
