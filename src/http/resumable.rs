//! What a request says of being resumable, and the beginning of a stream that is.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio_util::task::TaskTracker;

use super::chat;
use super::headers;
use super::state::Context;
use crate::config::resume::{Mode, OnDisconnect, Resume};
use crate::config::stream::Stream as StreamConfig;
use crate::error::Error;
use crate::framing::Framing;
use crate::relay::Relay;
use crate::relay::guard::{Peer, StreamGuard};
use crate::relay::output::Output;
use crate::stream_log::id::{Position, StreamId};
use crate::stream_log::reader::{Form, Reader};
use crate::stream_log::registry::{Beginning, Registry};
use crate::stream_log::{Description, StreamLog, producer};
use crate::telemetry::record::Part;
use crate::upstream::Question;

const RESUMABLE: HeaderName = HeaderName::from_static("x-sluicegate-resumable");
const ON_DISCONNECT: HeaderName = HeaderName::from_static("x-sluicegate-on-disconnect");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Names the stream in the response to whoever asked for it.
const STREAM_ID: HeaderName = HeaderName::from_static("x-sluicegate-stream-id");
/// Says whether other replicas can go on with it, where they share streams.
const RESUME_SCOPE: HeaderName = HeaderName::from_static("x-sluicegate-resume-scope");

/// How long a request for the background waits at most for its upstream to begin: a refusal comes sooner.
const BACKGROUND: Duration = Duration::from_secs(1);

/// The streams of the process, and the tasks of those that began on this worker.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub(super) registry: Arc<Registry>,
    pub(super) tasks: TaskTracker,
}

impl Streams {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self { registry, tasks: TaskTracker::new() }
    }

    /// Waits for the end of those that began here.
    pub(super) async fn end(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What a request says of being resumable.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    pub(super) resumable: Option<bool>,
    pub(super) on_disconnect: Option<OnDisconnect>,
}

impl Wish {
    /// Reads it from the header fields, and from the query of the URL, which browsers can set without asking first.
    pub(super) fn of(headers: &HeaderMap, query: Option<&str>) -> Result<Self, Error> {
        let named = headers.get(RESUMABLE).map(|value| value.to_str().unwrap_or_default());
        let asked = named.or_else(|| parameter(query, "resumable"));
        let resumable = match asked {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => return Err(invalid("Write `x-sluicegate-resumable: true` or `false`.")),
        };
        let policy = headers.get(ON_DISCONNECT).map(|value| value.to_str().unwrap_or_default().parse());
        let on_disconnect = policy
            .transpose()
            .map_err(|()| invalid("`x-sluicegate-on-disconnect` must be `cancel`, `grace`, `drain` or `detach`."))?;
        Ok(Self { resumable, on_disconnect })
    }

    fn is_silent(self) -> bool {
        self.resumable.is_none() && self.on_disconnect.is_none()
    }

    /// How the stream that `question` asks for is to be kept; `None` if it is not.
    pub(super) fn plan(self, context: &Context, question: &Question, output: &Output) -> Result<Option<Plan>, Error> {
        let config = &context.state.config.resume;
        if self.is_silent() && config.mode != Mode::Always && !context.state.has_resumable() {
            return Ok(None);
        }
        let model = context.record.facts().model.clone().unwrap_or_default();
        let is_meant = match config.mode {
            Mode::Off => false,
            Mode::OnRequest => context.state.is_resumable(&model),
            Mode::Always => true,
        };
        // Who did not ask may not understand.
        let is_wanted = self.resumable.unwrap_or(is_meant && question.client.takes_event_ids());
        let is_possible = matches!(output, Output::AsIs) && question.client.framing() == Framing::EventStream;
        self.check(config, is_possible, is_wanted && is_possible)?;
        let on_disconnect = self.on_disconnect.unwrap_or(config.on_disconnect);
        let is_asked_for = self.resumable == Some(true) || self.on_disconnect.is_some();
        let comes_back = self.resumable == Some(true);
        let plan = Plan { model, on_disconnect, is_asked_for, comes_back, background: false };
        Ok((is_wanted && is_possible).then_some(plan))
    }

    /// Refuses what cannot be granted, rather than leave it out.
    fn check(self, config: &Resume, is_possible: bool, is_granted: bool) -> Result<(), Error> {
        if self.resumable == Some(true) && config.mode == Mode::Off {
            return Err(invalid("Streams cannot be resumed here: resume.mode is \"off\"."));
        }
        if self.resumable == Some(true) && !is_possible {
            return Err(invalid(
                "Only event streams can be resumed: lines of JSON and arrays have no ids. Ask Gemini with alt=sse, or at \
                 another endpoint.",
            ));
        }
        match self.on_disconnect {
            Some(policy) if policy != OnDisconnect::Cancel && !is_granted => Err(invalid(
                "Only a resumable stream goes on when its reader leaves: send `x-sluicegate-resumable: true` too.",
            )),
            Some(policy) if is_granted && !config.on_disconnect_allowed.contains(&policy) => {
                Err(invalid("This `x-sluicegate-on-disconnect` is not among resume.on_disconnect_allowed."))
            }
            _ => Ok(()),
        }
    }
}

/// How a stream is to be kept.
#[derive(Debug)]
pub(super) struct Plan {
    model: String,
    on_disconnect: OnDisconnect,
    is_asked_for: bool,
    /// Whoever asked knows how to come back.
    comes_back: bool,
    background: bool,
}

impl Plan {
    /// That of a response that is made in the background.
    pub(super) fn for_background(model: String) -> Self {
        Self { model, on_disconnect: OnDisconnect::Detach, is_asked_for: true, comes_back: true, background: true }
    }
}

/// Answers `question` with a stream that can be resumed. One whose request did not ask for that is served without where there
/// are too many already.
pub(super) async fn answer(context: Context, question: Question, plan: Plan) -> Result<Response, Error> {
    let (is_asked_for, comes_back) = (plan.is_asked_for, plan.comes_back);
    match begin(&context, question.clone(), plan).await {
        Err(Error::TooManyStreams { .. }) if !is_asked_for => chat::relay(context, question, Output::AsIs).await,
        Err(error) => Err(error),
        Ok((headers, log)) => Ok(follow(&context, log, (Position::START, Form::AsIs), headers, comes_back)),
    }
}

/// Begins the stream that `question` asks for, and returns it with what is to be told of its upstream's answer.
pub(super) async fn begin(
    context: &Context,
    question: Question,
    plan: Plan,
) -> Result<(HeaderMap, Arc<StreamLog>), Error> {
    let (headers, beginning, relay) = open(context, question, plan).await?;
    Ok((headers, start(context, beginning, relay)))
}

/// The same, but for the stream itself: whoever asks for it may change what is kept of it before it [starts](start).
pub(super) async fn open(
    context: &Context,
    question: Question,
    plan: Plan,
) -> Result<(HeaderMap, Beginning, Relay), Error> {
    let limits = context.state.config.resume.clone();
    let config = stream_config(&context.state.config.stream, &limits, plan.background);
    let registry = &context.streams.registry;
    let owner = context.record.facts().caller.clone();
    let Plan { model, on_disconnect, background, .. } = plan;
    let about = Description { owner, dialect: question.client, model, on_disconnect, background, limits };
    let beginning = registry.begin(about).await?;
    let guard = || StreamGuard::new(context.record.of_stream(&beginning.id().short()), Peer::default());
    // Until it has begun it dies with its request: the client does not know its name yet.
    let (headers, relay) = tokio::select! {
        opened = chat::open(context, question, &config, guard) => opened?,
        // Its owner may have seen it in the list.
        () = beginning.stopped() => return Err(Error::StreamStopped { why: "it was deleted" }),
    };
    Ok((headers, beginning, relay))
}

/// Starts the stream that `body` is.
pub(super) fn start(
    context: &Context,
    beginning: Beginning,
    body: impl http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> Arc<StreamLog> {
    let (log, registry) = (beginning.done(), Arc::clone(&context.streams.registry));
    context.streams.tasks.spawn(producer::produce(Arc::clone(&log), registry, body));
    log
}

/// The clocks of a stream that is kept. Signs of life are its readers' business, and it lasts no longer than it is kept.
fn stream_config(config: &StreamConfig, limits: &Resume, background: bool) -> StreamConfig {
    let total = config.total_timeout.map_or(limits.max_age, |total| total.min(limits.max_age));
    // Whoever asks for the background wants to go on, but also to be told at once if there is nothing to wait for.
    let commit_after = if background { config.commit_after.min(BACKGROUND) } else { config.commit_after };
    StreamConfig { keep_alive: None, total_timeout: Some(total), commit_after, ..config.clone() }
}

/// A response that follows `log` from a place on, in some form. At a deploy, one who `comes_back` is sent to another replica that can
/// go on with it; anybody else would take the end of the connection for the end of the answer, and is served here as long as may be.
pub(super) fn follow(
    context: &Context,
    log: Arc<StreamLog>,
    (position, form): (Position, Form),
    mut headers: HeaderMap,
    comes_back: bool,
) -> Response {
    headers::mark_stream(&mut headers, Framing::EventStream.content_type());
    mark(context, &mut headers, &log);
    context.record.facts().part = Some(Part::Reader);
    // One that is cancelled without a reader would not be there any more.
    let outlives_its_reader = log.about().on_disconnect != OnDisconnect::Cancel;
    let is_movable = comes_back && outlives_its_reader && context.streams.registry.is_shared();
    let guard = StreamGuard::new(context.record.clone(), context.peer.clone());
    let reader = Reader::new(log, position, form, context.state.config.stream.keep_alive, guard);
    let reader = if is_movable { reader.handed_over_when(context.shutdown.draining.clone()) } else { reader };
    let mut response = Response::new(Body::new(reader));
    *response.headers_mut() = headers;
    response
}

/// Names the stream in `headers`.
pub(super) fn mark(context: &Context, headers: &mut HeaderMap, log: &StreamLog) {
    if let Ok(id) = HeaderValue::from_str(&log.id().to_string()) {
        headers.insert(STREAM_ID, id);
    }
    if context.streams.registry.is_shared() {
        headers.insert(RESUME_SCOPE, HeaderValue::from_static(log.scope().as_str()));
    }
}

/// The stream and the place in it that `Last-Event-ID` names, if the id is one of ours.
pub(super) fn last_event(headers: &HeaderMap) -> Option<(StreamId, Position)> {
    Position::parse(headers.get(LAST_EVENT_ID)?.to_str().ok()?)
}

/// Goes on with `log` behind `position`, told in `form`, or tells that there is nothing more to come.
pub(super) fn go_on(context: &Context, log: Arc<StreamLog>, position: Position, form: Form) -> Result<Response, Error> {
    note(context, &log);
    let is_delivered = match form {
        Form::AsIs => log.is_delivered(position.after)?,
        Form::Named => log.is_told(position)?,
    };
    if is_delivered {
        // What makes an `EventSource` stay away.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        mark(context, response.headers_mut(), &log);
        return Ok(response);
    }
    Ok(follow(context, log, (position, form), HeaderMap::new(), true))
}

/// Notes which stream a request is about.
pub(super) fn note(context: &Context, log: &StreamLog) {
    let mut facts = context.record.facts();
    facts.model = Some(log.about().model.clone());
    facts.stream = Some(log.id().short());
}

/// The value of the first parameter called `name`.
pub(super) fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// `query` without what is meant for us.
pub(super) fn others(query: Option<&str>) -> Option<Cow<'_, str>> {
    let is_ours = |pair: &&str| pair.starts_with("resumable=");
    let query = query?;
    if !query.split('&').any(|pair| is_ours(&pair)) {
        return Some(Cow::Borrowed(query));
    }
    let others: Vec<&str> = query.split('&').filter(|pair| !is_ours(pair)).collect();
    (!others.is_empty()).then(|| Cow::Owned(others.join("&")))
}

pub(super) fn invalid(message: &str) -> Error {
    Error::InvalidRequest { message: message.to_owned(), param: None }
}
