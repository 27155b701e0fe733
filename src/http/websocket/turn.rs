//! One response of a connection.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use http_body::Body as _;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::events::{Teller, error_event};
use super::history::{self, History};
use super::message::{Asked, Create, StreamName};
use crate::canonical::{ChatAnswer, ids};
use crate::config::Config;
use crate::dialect::{Dialect, Shape};
use crate::error::Error;
use crate::http::chat;
use crate::http::resumable::{self, Streams};
use crate::http::state::{Context, Shutdown, State};
use crate::relay::Relay;
use crate::relay::guard::{Peer, StreamGuard};
use crate::telemetry::Record;
use crate::telemetry::record::Outcome;
use crate::upstream;

/// Names one request, and a connection asks for many responses.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What all responses of a connection have in common.
pub(super) struct Connection {
    pub(super) dialect: &'static dyn Dialect,
    pub(super) config: Arc<Config>,
    pub(super) shutdown: Shutdown,
    record: Record,
    peer: Peer,
    streams: Streams,
    /// The request that the connection began with.
    parts: Parts,
    state: watch::Receiver<Arc<State>>,
    history: History,
    /// How many requests there have been.
    asked: u64,
}

impl Connection {
    /// What began with a request in `context`. Each of its own requests takes the configuration of its time from `state`.
    pub(super) fn new(context: Context, mut parts: Parts, state: watch::Receiver<Arc<State>>) -> Self {
        parts.headers.remove(IDEMPOTENCY_KEY);
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let Context { state: first, dialect, record, peer, shutdown, streams } = context;
        // The configuration alone: the rest of a state is too much to be kept for an idle connection once it is replaced.
        let config = Arc::clone(&first.config);
        let history = History::new(config.websocket.max_history_bytes);
        Self { dialect, config, shutdown, record, peer, streams, parts, state, history, asked: 0 }
    }

    /// Begins the response that `create` asks for, or tells why not.
    pub(super) fn begin(&mut self, create: Create) -> Result<Turn, Utf8Bytes> {
        let stream = create.stream.clone();
        let record = self.next_record();
        let state = Arc::clone(&self.state.borrow());
        // A key that has been taken back asks for nothing more.
        let caller = state.keys.identify(&self.parts.uri, &self.parts.headers);
        let asked = caller.and_then(|_| create.into_request(&self.history));
        match asked {
            Ok(mut asked) => {
                let (peer, shutdown, streams) = (self.peer.clone(), self.shutdown.clone(), self.streams.clone());
                let context = Context { state, dialect: self.dialect, record, peer, shutdown, streams };
                // What is too much with its input alone need not be read along.
                let room = self.config.websocket.max_history_bytes.checked_sub(asked.input.len());
                if room.is_none() {
                    asked.input.clear();
                    asked.input.shrink_to_fit();
                }
                Ok(Turn::begin(context, &self.parts, asked, Teller::new(stream, room)))
            }
            Err(error) => {
                fail(&record, &error);
                Err(error_event(&error, self.dialect, &stream))
            }
        }
    }

    /// Tells that what was asked for in `stream` is not to be had.
    pub(super) fn refuse(&mut self, error: &Error, stream: &StreamName) -> Utf8Bytes {
        fail(&self.next_record(), error);
        error_event(error, self.dialect, stream)
    }

    /// Keeps what `turn`, which is over, was about, for those that go on from it.
    pub(super) fn keep(&mut self, turn: &Turn) {
        if let Some((id, output)) = turn.teller.output() {
            self.history.keep(id.to_owned(), history::join(&turn.input, output));
        }
    }

    /// The record of the next request, named after the connection's.
    fn next_record(&mut self) -> Record {
        self.asked += 1;
        let id = format!("{}.{}", self.record.request_id(), self.asked);
        let record = Record::new(id, self.parts.method.clone(), self.parts.uri.path().to_owned());
        record.facts().caller = self.record.facts().caller.clone();
        record
    }
}

/// Notes that a request ended in `error`, of which the client is told with its status.
fn fail(record: &Record, error: &Error) {
    record.fail(error);
    record.facts().status = Some(error.status());
}

/// See the [module documentation](self). Dropping it closes its upstream.
pub(super) struct Turn {
    phase: Phase,
    record: Record,
    dialect: &'static dyn Dialect,
    teller: Teller,
    /// The items that were put in.
    input: String,
}

enum Phase {
    Opening(Pin<Box<dyn Future<Output = Result<Opened, Error>> + Send>>),
    Open(Pin<Box<Relay>>),
}

#[expect(clippy::large_enum_variant, reason = "nearly all are streams, and none is kept")]
enum Opened {
    Stream {
        relay: Relay,
        /// What the request left out.
        dropped: Vec<String>,
    },
    /// A response in which nothing was to be said.
    Whole(Bytes),
}

/// What has become of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on.
    More,
    Over,
}

impl Turn {
    fn begin(context: Context, connection: &Parts, asked: Asked, teller: Teller) -> Self {
        let Asked { body, input, unknown, generate } = asked;
        let silent = (!generate).then(|| body.clone());
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = connection.uri.clone();
        *request.headers_mut() = connection.headers.clone();
        let (record, dialect) = (context.record.clone(), context.dialect);
        let phase = Phase::Opening(Box::pin(open(context, request, unknown, silent)));
        Self { phase, record, dialect, teller, input }
    }

    /// The id of the response, once it is known.
    pub(super) fn id(&self) -> Option<&str> {
        self.teller.id()
    }

    /// Adds what the upstream says next to `messages`; possibly nothing.
    pub(super) fn poll(&mut self, cx: &mut TaskContext<'_>, messages: &mut VecDeque<Utf8Bytes>) -> Poll<Progress> {
        match &mut self.phase {
            Phase::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                Ok(Opened::Whole(events)) => {
                    self.record.facts().outcome = Some(Outcome::Completed);
                    self.teller.tell(&events, messages);
                    Poll::Ready(Progress::Over)
                }
                Ok(Opened::Stream { relay, dropped }) => {
                    self.teller.note_dropped(&dropped);
                    self.phase = Phase::Open(Box::pin(relay));
                    Poll::Ready(Progress::More)
                }
                Err(error) => {
                    fail(&self.record, &error);
                    messages.push_back(self.teller.error(&error, self.dialect));
                    Poll::Ready(Progress::Over)
                }
            },
            Phase::Open(relay) => match ready!(relay.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    self.teller.tell(&frame.into_data().unwrap_or_else(|_| Bytes::new()), messages);
                    Poll::Ready(Progress::More)
                }
                Some(Err(never)) => match never {},
                None => Poll::Ready(Progress::Over),
            },
        }
    }

    /// Stops the upstream, and tells so.
    pub(super) fn cancel(self) -> Utf8Bytes {
        drop(self.phase);
        self.record.facts().outcome = Some(Outcome::Cancelled);
        let id = format!("resp_{}", ids::digest_of(self.record.request_id(), 24));
        self.teller.cancelled(&id)
    }
}

/// Waits for the first frame of the answer to `request`, as long as it may take: there is no response head to be sent.
/// `previous` is a response that is not of this connection; only who speaks the client's dialect may know it. `silent` is the body of
/// a request that no model is to answer; it is good for nothing but its id, by which the next goes on from its input.
async fn open(
    context: Context,
    request: Request,
    previous: Option<String>,
    silent: Option<Bytes>,
) -> Result<Opened, Error> {
    let deadline = context.shutdown.deadline.clone();
    let opening = async {
        let query = resumable::others(request.uri().query());
        let endpoint = context.dialect.endpoint_at(request.uri().path(), query.as_deref());
        let endpoint = endpoint.ok_or(Error::PathNotFound)?;
        let chat::Asked::Stream(question) = chat::read(&context, request, endpoint).await? else {
            return Err(Error::InvalidRequest { message: "Only streams are told here.".to_owned(), param: None });
        };
        if let Some(id) = previous.filter(|_| silent.is_some() || question.translation.is_some()) {
            return Err(Error::PreviousResponseNotFound { id });
        }
        if let Some(body) = silent {
            return Ok(Opened::Whole(say_nothing(&context, &body)?));
        }
        let mut config = context.state.config.stream.clone();
        // The connection has its own signs of life.
        config.keep_alive = None;
        let opened = upstream::open_stream(question, config.clone(), context.record.started()).await;
        let stream = opened.map_err(|failure| chat::refuse(&context, failure))?;
        let dropped = stream.translation.as_ref().map_or_else(Vec::new, |translation| translation.dropped.clone());
        let guard = StreamGuard::new(context.record.clone(), context.peer.clone());
        Ok(Opened::Stream { relay: Relay::open(stream, &config, guard, context.shutdown.deadline.clone()), dropped })
    };
    tokio::select! {
        opened = opening => opened,
        () = deadline.cancelled() => Err(Error::ShuttingDown),
    }
}

/// The events of a response to the request `body` in which nothing is said.
fn say_nothing(context: &Context, body: &[u8]) -> Result<Bytes, Error> {
    let mut request = context.dialect.decode_request(Shape::Chat, body)?;
    request.model = context.record.facts().model.clone().unwrap_or_default();
    let mut encoder = context.dialect.encoder(&chat::answer_context(request, Shape::Chat, chat::now()));
    let (answer, mut events) = (ChatAnswer::default(), Vec::new());
    encoder.start(&answer, &mut events);
    encoder.finish(&answer, &mut events);
    Ok(events.into())
}
