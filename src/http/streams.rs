//! `/v1/streams`: streams that outlive the connection they were asked over, by their names.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::response::Response;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, Method, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::resumable::{self, Wish, invalid, last_event, parameter};
use super::state::Context;
use super::{background, body, chat, models, whole};
use crate::dialect::{self, Dialect};
use crate::error::Error;
use crate::relay::output::Output;
use crate::stream_log::Summary;
use crate::stream_log::id::{Position, StreamId};
use crate::stream_log::reader::Form;
use crate::stream_log::registry::Access;

const STREAMS: &str = "/v1/streams";

/// `path` without the name of a stream: without keys that is all it takes to read it.
pub(super) fn path_for_log(path: &str) -> &str {
    let is_stream = path.strip_prefix(STREAMS).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'));
    if is_stream {
        "/v1/streams/{id}"
    } else if background::name_in(path).is_some() {
        "/v1/responses/{id}"
    } else {
        path
    }
}

/// The token in the URL of a request that reads one stream and does nothing else: it stands for a key.
pub(super) fn token<'a>(method: &Method, uri: &'a Uri) -> Option<&'a str> {
    let name = uri.path().strip_prefix(STREAMS)?.strip_prefix('/')?;
    let is_stream = *method == Method::GET && StreamId::parse(name).is_some();
    if is_stream { parameter(uri.query(), "token") } else { None }
}

/// `POST` where models are asked, by a client that comes back: with the id of the last event it has received.
pub(super) async fn resume(context: Context, request: Request, at: (StreamId, Position)) -> Result<Response, Error> {
    let (parts, request) = request.into_parts();
    // hyper does not see a client leave behind an unread body.
    body::read(&parts.headers, request, &context.state.config.server).await?;
    let caller = context.record.facts().caller.clone();
    let log = context.streams.registry.find(at.0, Access::Caller(caller.as_deref())).await?;
    resumable::go_on(&context, log, at.1, Form::AsIs)
}

/// `GET /v1/streams/{id}`: what follows the last event received, and on; or all of it as [one answer](whole).
pub(super) async fn read(
    Extension(context): Extension<Context>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    let id = StreamId::parse(&name).ok_or(Error::StreamNotFound)?;
    let uri = request.uri();
    let caller = context.record.facts().caller.clone();
    let access = token(request.method(), uri).map_or(Access::Caller(caller.as_deref()), Access::Token);
    let log = context.streams.registry.find(id, access).await?;
    let position = match last_event(request.headers()) {
        // What `EventSource` sends when it comes back is newer than its URL.
        Some((stream, position)) if stream == id => position,
        _ => match parameter(uri.query(), "after") {
            None => Position::START,
            Some(after) => position(id, after)
                .ok_or_else(|| invalid("`after` must be the number or the id of an event of this stream."))?,
        },
    };
    let form = form(uri.query())?;
    if whole::is_wanted(request.headers(), uri.query())? {
        return whole::tell(&context, log).await;
    }
    resumable::go_on(&context, log, position, form)
}

/// What `?after=` means in the stream called `id`: the number of an event, or its whole id, which is what a page has.
fn position(id: StreamId, after: &str) -> Option<Position> {
    let after = percent_decode_str(after).decode_utf8().ok()?;
    match Position::parse(&after) {
        Some((stream, position)) => (stream == id).then_some(position),
        None => Position::parse_within(&after),
    }
}

/// How `?events=` wants a stream to be told.
fn form(query: Option<&str>) -> Result<Form, Error> {
    match parameter(query, "events") {
        None => Ok(Form::AsIs),
        Some("named") => Ok(Form::Named),
        Some(_) => Err(invalid("`events` can only be `named`.")),
    }
}

/// `DELETE /v1/streams/{id}`: stops it now, whoever reads it.
pub(super) async fn stop(
    Extension(context): Extension<Context>,
    Path(name): Path<String>,
) -> Result<StatusCode, Error> {
    let id = StreamId::parse(&name).ok_or(Error::StreamNotFound)?;
    let caller = context.record.facts().caller.clone();
    let log = context.streams.registry.find(id, Access::Caller(caller.as_deref())).await?;
    resumable::note(&context, &log);
    context.streams.registry.remove(&log).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/streams`: the caller's own.
pub(super) async fn list(Extension(context): Extension<Context>) -> Response {
    let is_private = !context.state.keys.is_open() || context.state.config.server.listen.ip().is_loopback();
    let caller = context.record.facts().caller.clone();
    // Without keys everybody is the same caller, and a name is all it takes to read.
    let streams = if is_private { context.streams.registry.list(caller.as_deref()).await } else { Vec::new() };
    let data: Vec<Value> = streams.iter().map(card).collect();
    json_response(StatusCode::OK, &json!({ "object": "list", "data": data }))
}

pub(super) fn card(stream: &Summary) -> Value {
    json!({
        "id": stream.id.to_string(),
        "object": "stream",
        "state": stream.state.as_str(),
        "model": stream.model,
        "dialect": stream.dialect,
        "on_disconnect": stream.on_disconnect.as_str(),
        "age_seconds": stream.age.as_secs_f64(),
        "events": stream.events,
        "bytes": stream.bytes,
        "readers": stream.readers,
        "scope": stream.scope.as_str(),
    })
}

/// `POST /v1/streams`: begins a stream for others to read, such as an `EventSource`, which can neither post nor send a key.
///
/// The body is a chat request in the dialect that `?dialect=` names, or the header fields show. It need not say that it is to
/// stream. Gemini's has its model in `?model=`.
pub(super) async fn create(Extension(mut context): Extension<Context>, request: Request) -> Result<Response, Error> {
    let (mut parts, request) = request.into_parts();
    if !body::is_json(&parts.headers) {
        return Err(Error::UnsupportedMediaType);
    }
    let query = parts.uri.query().map(str::to_owned);
    context.dialect = spoken(&context, query.as_deref())?;
    let form = form(query.as_deref())?;
    let wish = Wish { resumable: Some(true), ..Wish::of(&parts.headers, None)? };
    let body = body::read(&parts.headers, request, &context.state.config.server).await?;
    let url = endpoint_of(context.dialect, query.as_deref())?;
    parts.uri = url.parse().map_err(|_| invalid("`model` cannot stand in a URL."))?;
    let endpoint = context.dialect.endpoint_at(parts.uri.path(), parts.uri.query()).ok_or(Error::PathNotFound)?;
    let body = if endpoint.stream.is_some() { body } else { streaming(body) };
    let question = match chat::read(&context, Request::from_parts(parts, Body::from(body)), endpoint).await? {
        chat::Asked::Stream(question) => question,
        chat::Asked::Background(_) => {
            return Err(invalid(
                "A stream goes on by itself: say so by `x-sluicegate-on-disconnect: detach`, not `background`.",
            ));
        }
        chat::Asked::Answer(_) | chat::Asked::Nothing(_) => {
            return Err(invalid("This request asks no model anything."));
        }
    };
    let Some(plan) = wish.plan(&context, &question, &Output::AsIs)? else {
        return Err(invalid("Only event streams can be resumed."));
    };
    let (mut headers, log) = resumable::begin(&context, question, plan).await?;
    let (id, token) = (log.id(), context.streams.registry.make_token(&log).await);
    let events = if form == Form::Named { "&events=named" } else { "" };
    let url = format!("{STREAMS}/{id}?token={}{events}", token.expose());
    let lifetime = context.state.config.resume.token_lifetime.as_secs();
    let created = json!({
        "id": id.to_string(),
        "object": "stream",
        "url": url,
        "token_expires_in_seconds": lifetime,
    });
    let mut response = json_response(StatusCode::CREATED, &created);
    if let Ok(url) = HeaderValue::from_str(&url) {
        headers.insert(LOCATION, url);
    }
    resumable::mark(&context, &mut headers, &log);
    response.headers_mut().extend(headers);
    Ok(response)
}

/// The dialect that `?dialect=` names, or that the client shows.
fn spoken(context: &Context, query: Option<&str>) -> Result<&'static dyn Dialect, Error> {
    let Some(name) = parameter(query, "dialect") else { return Ok(context.dialect) };
    dialect::find(name).ok_or_else(|| {
        let known: Vec<_> = dialect::ALL.iter().map(|dialect| dialect.name()).collect();
        invalid(&format!("`dialect` must be one of {}.", known.join(", ")))
    })
}

/// The URL where `dialect` asks for a stream of events.
fn endpoint_of(dialect: &dyn Dialect, query: Option<&str>) -> Result<String, Error> {
    let path = dialect.endpoint();
    if !path.contains("{model}") {
        return Ok(path.to_owned());
    }
    let model = parameter(query, "model").ok_or_else(|| Error::InvalidRequest {
        message: "A request of this dialect does not name its model: add `?model=`.".to_owned(),
        param: Some("model"),
    })?;
    // Written again as it came, if it is text at all.
    percent_decode_str(model).decode_utf8().map_err(|_| invalid("`model` is not UTF-8."))?;
    Ok(format!("{}?alt=sse", path.replace("{model}", model)))
}

/// `body` with `"stream": true`, if it is an object; what is none is refused by whoever reads it next.
fn streaming(body: bytes::Bytes) -> bytes::Bytes {
    match serde_json::from_slice::<serde_json::Map<String, Value>>(&body) {
        Ok(mut fields) if fields.get("stream") != Some(&Value::Bool(true)) => {
            fields.insert("stream".to_owned(), Value::Bool(true));
            serde_json::to_vec(&fields).map_or(body, Into::into)
        }
        _ => body,
    }
}

pub(super) fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = models::json_response(value.to_string());
    *response.status_mut() = status;
    // It holds names that are secrets, and is true for a moment.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
