//! The endpoints where models answer, one handler for all dialects.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::background::Background;
use super::models::json_response;
use super::resumable::Wish;
use super::state::Context;
use super::{background, body, headers, passthrough, request_id, resumable, streams};
use crate::canonical::{ChatRequest, ids};
use crate::config::stream::Stream as StreamConfig;
use crate::dialect::gemini::ArrayWriter;
use crate::dialect::{AnswerContext, Endpoint, Shape, foreign_seals};
use crate::error::Error;
use crate::relay::guard::StreamGuard;
use crate::relay::output::Output;
use crate::relay::{Opening, Relay};
use crate::upstream::{self, Failure, Question, Target, Trail, Translation, UpstreamRequest};

/// `POST` where models are asked.
pub(super) async fn ask(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    if let Some(at) = resumable::last_event(request.headers()) {
        return Box::pin(streams::resume(context, request, at)).await;
    }
    let uri = request.uri();
    let query = resumable::others(uri.query());
    match context.dialect.endpoint_at(uri.path(), query.as_deref()) {
        Some(endpoint) => serve(context, request, endpoint).await,
        None => Box::pin(passthrough::pass(Extension(context), request)).await,
    }
}

/// Answers `request`, made at `endpoint`, streaming or not as it says.
async fn serve(context: Context, request: Request, endpoint: Endpoint) -> Result<Response, Error> {
    let output = if endpoint.shape == Shape::Array { Output::Array(ArrayWriter::new()) } else { Output::AsIs };
    let wish = Wish::of(request.headers(), request.uri().query())?;
    match read(&context, request, endpoint).await? {
        Asked::Nothing(body) => Ok(json_response(body)),
        Asked::Stream(question) => match wish.plan(&context, &question, &output)? {
            // Boxed, as all but the usual way: what a request takes is made room for, and moved, whichever way it goes.
            Some(plan) => Box::pin(resumable::answer(context, question, plan)).await,
            None => relay(context, question, output).await,
        },
        Asked::Answer(question) => Box::pin(answer(&context, &question)).await,
        Asked::Background(asked) => Box::pin(background::answer(context, *asked, wish)).await,
    }
}

/// What a request wants.
pub(super) enum Asked {
    /// A stream.
    Stream(Question),
    /// An answer that does not stream.
    Answer(Question),
    /// An answer that is made in the background, and fetched later.
    Background(Box<Background>),
    /// Nothing of any model; this answers it.
    Nothing(Bytes),
}

/// Reads what `request`, made at `endpoint`, wants.
pub(super) async fn read(context: &Context, request: Request, endpoint: Endpoint) -> Result<Asked, Error> {
    let (parts, body) = request.into_parts();
    if !body::is_json(&parts.headers) && !endpoint.takes_any_type {
        return Err(Error::UnsupportedMediaType);
    }
    // Read whole before anything else is done: hyper does not see a client leave behind an unread body.
    let body = body::read(&parts.headers, body, &context.state.config.server).await?;
    understand(context, parts, body, endpoint)
}

/// Reads what a request with `body`, made at `endpoint`, wants.
pub(super) fn understand(context: &Context, parts: Parts, body: Bytes, endpoint: Endpoint) -> Result<Asked, Error> {
    let mut chat = context.dialect.parse_request(&body)?;
    let stream = endpoint.stream.unwrap_or(chat.stream);
    let model = endpoint.model.clone().or(chat.model).ok_or_else(|| Error::InvalidRequest {
        message: "You must provide a `model`. GET /v1/models lists those that exist.".to_owned(),
        param: Some("model"),
    })?;
    context.record.facts().model = Some(model.clone());
    let route = if endpoint.is_translated {
        context.state.routes.find(&model, context.dialect)?
    } else {
        context.state.routes.resolve(&model, context.dialect)?
    };
    let targets = &*route.targets;
    if chat.background && background::is_ours(context, targets) {
        return background::understand(context, parts, &body, endpoint, stream);
    }
    context.record.facts().provider = Some(Arc::clone(&targets[0].upstream.name));
    let request_id = context.record.request_id();
    let is_translated = Translation::is_needed(context.dialect, targets);
    let now = now();
    if is_translated && let Some(answer) = context.dialect.answer_at_once(endpoint.shape, &model, &body, now) {
        return Ok(Asked::Nothing(answer));
    }
    // One target's answer may also have to be told in other words once another goes on with it.
    let may_change_hands =
        stream && endpoint.is_translated && targets.len() > 1 && targets.iter().any(Target::continues);
    let is_read = is_translated || may_change_hands;
    let asked = match is_read.then(|| context.dialect.decode_request(endpoint.shape, &body)) {
        Some(Err(malformed)) if is_translated => return Err(malformed.into()),
        asked => asked.and_then(Result::ok),
    };
    let translation = asked.map(|asked| {
        let about = answer_context(ChatRequest { model, stream, ..asked }, endpoint.shape, now);
        let headers = |dialect| headers::for_translated(&parts.headers, dialect, request_id);
        Translation::new(context.dialect, about, targets, headers, context.state.config.translation.lenient)
    });
    // Marks of other providers mean nothing to one that speaks the client's dialect.
    let body = match foreign_seals::remove(&body) {
        Some(without) => {
            chat.model_span = context.dialect.parse_request(&without)?.model_span;
            without
        }
        None => body,
    };
    let request = UpstreamRequest {
        dialect: context.dialect,
        method: parts.method,
        path: endpoint.path,
        headers: headers::for_upstream(&parts.headers, context.dialect, request_id),
        body,
        model_span: chat.model_span,
    };
    let (client, expected_ends) = (context.dialect, chat.expected_ends);
    let session = Question::session_of(&route, &parts.headers);
    let question = Question { client, route, session, request, expected_ends, translation };
    Ok(if stream { Asked::Stream(question) } else { Asked::Answer(question) })
}

/// The time since 1970.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What whoever writes the answer to `request` in other words must know.
pub(super) fn answer_context(request: ChatRequest, shape: Shape, now: Duration) -> AnswerContext {
    AnswerContext {
        id: ids::digest_of(&request_id::generate(), 24),
        created: now.as_secs(),
        created_nanos: now.subsec_nanos(),
        request: Arc::new(request),
        shape,
        elapsed: Duration::ZERO,
    }
}

/// Answers `question` with a stream that ends with its connection.
pub(super) async fn relay(context: Context, question: Question, output: Output) -> Result<Response, Error> {
    let guard = StreamGuard::new(context.record.clone(), context.peer.clone());
    let (mut headers, relay) = open(&context, question, &context.state.config.stream, || guard).await?;
    headers::mark_stream(&mut headers, output.content_type(context.dialect));
    let mut response = Response::new(Body::new(relay.written_as(output)));
    *response.headers_mut() = headers;
    Ok(response)
}

/// Waits a while for the first content, so that a failure can still be an HTTP error; then begins the stream either way. With it
/// comes what is to be told of the upstream's answer.
pub(super) async fn open(
    context: &Context,
    question: Question,
    config: &StreamConfig,
    guard: impl FnOnce() -> StreamGuard,
) -> Result<(HeaderMap, Relay), Error> {
    let provider = Arc::clone(&question.route.targets[0].upstream.name);
    let mut opening: Opening = Box::pin(upstream::open_stream(question, config.clone(), context.record.started()));
    let deadline = context.shutdown.deadline.clone();
    match tokio::time::timeout(config.commit_after, opening.as_mut()).await {
        Ok(opened) => {
            let stream = opened.map_err(|failure| refuse(context, failure))?;
            let dropped = stream.translation.as_ref().map_or(&[][..], |translation| &translation.dropped);
            let headers = headers::across(&stream.headers, stream.observer.dialect(), context.dialect, dropped);
            Ok((headers, Relay::open(stream, config, guard(), deadline)))
        }
        Err(_) => {
            let relay = Relay::opening(context.dialect, provider, opening, config, guard(), deadline);
            Ok((HeaderMap::new(), relay))
        }
    }
}

/// The error that the client is told when all attempts have failed.
pub(super) fn refuse(context: &Context, failure: Failure) -> Error {
    note(context, &failure.trail);
    failure.error
}

/// Notes who was asked, where it was not the first who answered.
fn note(context: &Context, trail: &Trail) {
    if !trail.is_empty() {
        context.record.facts().attempts = Some(trail.to_string());
    }
}

/// Waits for the whole answer, so that one that is cut or an error in disguise is told as the error it is.
async fn answer(context: &Context, question: &Question) -> Result<Response, Error> {
    let asked = upstream::ask(question, &context.state.config.stream, context.record.started()).await;
    let (answer, trail) = asked.map_err(|failure| refuse(context, failure))?;
    note(context, &trail);
    let mut headers = headers::across(&answer.headers, answer.dialect, context.dialect, &answer.dropped);
    if *answer.dialect != *context.dialect {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    } else if let Some(kind) = answer.headers.get(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, kind.clone());
    }
    let mut facts = context.record.facts();
    facts.provider = Some(answer.provider);
    facts.usage = answer.usage;
    facts.bytes = answer.body.len() as u64;
    facts.note_translation(answer.dialect.name(), context.dialect.name(), &answer.dropped);
    facts.note_untold(&answer.untold);
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers;
    Ok(response)
}
