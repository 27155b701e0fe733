//! OpenAI's background form, for upstreams that do not have it: `POST /v1/responses` with `background: true`, and what can be
//! done with the response by its name.
//!
//! Such a response is a stream that goes on without readers. Its name is that of the stream, as secret and as bound to the
//! caller.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use serde_json::{Value, json};

use super::resumable::{self, Plan, Wish, invalid, last_event, parameter};
use super::state::Context;
use super::streams::json_response;
use super::{chat, passthrough, whole};
use crate::canonical::ChatRequest;
use crate::config::resume::{Mode, OnDisconnect};
use crate::dialect::openai_responses::background::{self, Ledger};
use crate::dialect::{Endpoint, OpenAiResponses, Shape, Translate};
use crate::error::Error;
use crate::relay::Relay;
use crate::stream_log::id::{Position, StreamId};
use crate::stream_log::reader::Form;
use crate::stream_log::registry::Access;
use crate::stream_log::{State, StreamLog};
use crate::upstream::{Question, Target};

/// What stands before the names of responses in a path.
const RESPONSES: &str = "/v1/responses/";
/// How many of the last events tell how a response has ended.
const LAST_EVENTS: u64 = 4;

/// A response that is to be made in the background.
pub(super) struct Background {
    question: Question,
    /// What the response repeats of its request.
    request: Arc<ChatRequest>,
    /// Whether the client wants to see the events, too.
    stream: bool,
}

/// Whether a response of `targets` is made in the background here, and not by the first of them.
pub(super) fn is_ours(context: &Context, targets: &[Target]) -> bool {
    let first = &targets[0].upstream;
    let is_theirs = first.speaks(&OpenAiResponses) && first.quirks.stores_responses;
    !is_theirs && context.state.config.resume.mode != Mode::Off
}

/// Reads `body`, a request for a response in the background.
pub(super) fn understand(
    context: &Context,
    parts: Parts,
    body: &[u8],
    endpoint: Endpoint,
    stream: bool,
) -> Result<chat::Asked, Error> {
    let body = background::in_foreground(body)?;
    // A body that is not translated may be anything; what is repeated of it is then its model alone.
    let decoded = OpenAiResponses.decode_request(Shape::Chat, &body);
    match chat::understand(context, parts, body, endpoint)? {
        chat::Asked::Stream(question) => {
            let model = context.record.facts().model.clone().unwrap_or_default();
            let request = decoded.unwrap_or_else(|_| ChatRequest { model, ..ChatRequest::default() });
            Ok(chat::Asked::Background(Box::new(Background { question, request: Arc::new(request), stream })))
        }
        other => Ok(other),
    }
}

/// Begins a response in the background, and tells its name: in the response as it stands, or in the events of it.
pub(super) async fn answer(context: Context, asked: Background, wish: Wish) -> Result<Response, Error> {
    if wish.resumable == Some(false) || wish.on_disconnect.is_some_and(|policy| policy != OnDisconnect::Detach) {
        return Err(invalid("A response in the background goes on without readers, whatever `x-sluicegate-…` says."));
    }
    if !context.state.config.resume.on_disconnect_allowed.contains(&OnDisconnect::Detach) {
        return Err(Error::InvalidRequest {
            message: "There is no background here: resume.on_disconnect_allowed is without \"detach\".".to_owned(),
            param: Some("background"),
        });
    }
    let plan = Plan::for_background(context.record.facts().model.clone().unwrap_or_default());
    let (mut headers, beginning, relay) = resumable::open(&context, asked.question, plan).await?;
    let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let ledger = Ledger::new(&beginning.id().to_string(), created, asked.request);
    let queued = ledger.queued().clone();
    let log = resumable::start(&context, beginning, Entered { ledger, has_begun: false, relay });
    if asked.stream {
        return Ok(resumable::follow(&context, log, (Position::START, Form::AsIs), headers, false));
    }
    // From now on it can be found.
    whole::beginning(&context, &log).await;
    resumable::note(&context, &log);
    resumable::mark(&context, &mut headers, &log);
    let mut response = json_response(StatusCode::OK, &queued);
    response.headers_mut().extend(headers);
    Ok(response)
}

pin_project! {
    /// A response's events as they are entered into its ledger.
    struct Entered {
        ledger: Ledger,
        has_begun: bool,
        #[pin]
        relay: Relay,
    }
}

impl Body for Entered {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.project();
        if !std::mem::replace(this.has_begun, true) {
            return Poll::Ready(Some(Ok(Frame::data(this.ledger.begin()))));
        }
        let frame = ready!(this.relay.poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(|run| this.ledger.enter(&run)))))
    }
}

/// Any method on `/v1/responses/{name}` and below: done here for a response of ours, else passed on to who may know it.
pub(super) async fn reach(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    let Some((id, below)) = name_in(request.uri().path()) else {
        return passthrough::pass(Extension(context), request).await;
    };
    let caller = context.record.facts().caller.clone();
    let found = context.streams.registry.find(id, Access::Caller(caller.as_deref())).await;
    let log = match found.and_then(|log| if log.about().background { Ok(log) } else { Err(Error::StreamNotFound) }) {
        Ok(log) => log,
        Err(_) if has_keeper(&context) => return passthrough::pass(Extension(context), request).await,
        Err(error) => return Err(error),
    };
    resumable::note(&context, &log);
    match (request.method(), below) {
        (&Method::GET, "") if parameter(request.uri().query(), "stream") == Some("true") => {
            let position = position(&log, request.headers(), request.uri().query())?;
            log.is_delivered(position.after)?;
            Ok(resumable::follow(&context, log, (position, Form::AsIs), HeaderMap::new(), true))
        }
        (&Method::GET, "") => Ok(json_response(StatusCode::OK, &standing(&context, &log).await?)),
        (&Method::POST, "cancel") => {
            context.streams.registry.cancel(&log).await?;
            whole::rest(&context, &log, log.summary().events).await?;
            Ok(json_response(StatusCode::OK, &standing(&context, &log).await?))
        }
        (&Method::DELETE, "") => {
            context.streams.registry.remove(&log).await?;
            let deleted = json!({ "id": name_of(&log), "object": "response", "deleted": true });
            Ok(json_response(StatusCode::OK, &deleted))
        }
        (_, "" | "cancel") => Err(Error::MethodNotAllowed),
        _ => Err(Error::PathNotFound),
    }
}

/// The name of a response of ours in `path`, and what stands below it.
pub(super) fn name_in(path: &str) -> Option<(StreamId, &str)> {
    let name = path.strip_prefix(RESPONSES)?.strip_prefix(background::PREFIX)?;
    let (name, below) = name.split_once('/').unwrap_or((name, ""));
    Some((StreamId::parse(name)?, below))
}

fn name_of(log: &StreamLog) -> String {
    format!("{}{}", background::PREFIX, log.id())
}

/// Whether there is a provider to ask about responses that are not ours.
fn has_keeper(context: &Context) -> bool {
    let target = context.state.routes.default_target(&OpenAiResponses);
    target.is_some_and(|target| target.upstream.speaks(&OpenAiResponses))
}

/// Behind which event a client wants to go on: the last that it has received, or the one that `starting_after` names.
fn position(log: &StreamLog, headers: &HeaderMap, query: Option<&str>) -> Result<Position, Error> {
    match (last_event(headers), parameter(query, "starting_after")) {
        (Some((stream, position)), _) if stream == log.id() => Ok(position),
        (_, None) => Ok(Position::START),
        (_, Some(number)) => match number.parse() {
            Ok(number) => Ok(Position::behind(background::place_of(number))),
            Err(_) => Err(invalid("`starting_after` must be the `sequence_number` of an event.")),
        },
    }
}

/// The response of `log` as it stands.
async fn standing(context: &Context, log: &Arc<StreamLog>) -> Result<Value, Error> {
    let summary = log.summary();
    let unfinished = async |status: &str| {
        let told = if log.is_delivered(0).is_ok() { whole::beginning(context, log).await } else { Bytes::new() };
        let response = background::told_in(&told, false).unwrap_or_else(|| unremembered(log));
        background::with_status(response, status)
    };
    // Behind its announcements.
    let has_begun = summary.events > 2;
    match summary.state {
        State::Running => Ok(unfinished(if has_begun { "in_progress" } else { "queued" }).await),
        State::Stopped => Ok(unfinished("cancelled").await),
        State::Finished => {
            let last = summary.events;
            let mut behind = last.saturating_sub(LAST_EVENTS)..last;
            let kept = behind.find(|after| log.is_delivered(*after).is_ok()).ok_or(Error::StreamNotFound)?;
            let run = whole::rest(context, log, kept).await?;
            if let Some(response) = background::told_in(&run, true) {
                return Ok(response);
            }
            let error = whole::failure(&OpenAiResponses, &run, summary.state).ok_or(Error::StreamNotFound)?;
            Ok(background::failed(unfinished("failed").await, &error))
        }
    }
}

/// The response of `log` where its beginning is no longer kept.
fn unremembered(log: &StreamLog) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let created = now.saturating_sub(log.summary().age).as_secs();
    let request = ChatRequest { model: log.about().model.clone(), ..ChatRequest::default() };
    Ledger::new(&log.id().to_string(), created, Arc::new(request)).queued().clone()
}
