//! The endpoints where models answer, one handler for all dialects.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::Uri;
use http::header::CONTENT_TYPE;

use super::state::Context;
use super::{body, headers};
use crate::error::Error;
use crate::relay::guard::StreamGuard;
use crate::relay::{Opening, Relay};
use crate::upstream::{self, Target, UpstreamRequest};

/// `POST /v1/chat/completions`
pub(super) async fn completions(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    serve(context, request, "/chat/completions".to_owned()).await
}

/// `POST /v1/completions`, the same with an older body.
pub(super) async fn legacy_completions(
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Error> {
    serve(context, request, "/completions".to_owned()).await
}

/// `POST /v1/messages`
pub(super) async fn messages(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    let path = with_query("/messages", request.uri());
    serve(context, request, path).await
}

/// `POST /v1/messages/count_tokens`, which never streams.
pub(super) async fn count_tokens(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    let path = with_query("/messages/count_tokens", request.uri());
    let Chat { targets, request, .. } = read(&context, request, path).await?;
    answer(&context, &targets, &request).await
}

/// `path` with the query of `uri`: Anthropic's SDKs ask for what is beta with one.
pub(super) fn with_query(path: &str, uri: &Uri) -> String {
    uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

/// Answers `request` with what an upstream answers at `path`, streaming or not as the request says.
async fn serve(context: Context, request: Request, path: String) -> Result<Response, Error> {
    let Chat { targets, request, stream, expected_ends } = read(&context, request, path).await?;
    if stream {
        relay(context, targets, request, expected_ends).await
    } else {
        answer(&context, &targets, &request).await
    }
}

/// A request, and who may answer it.
struct Chat {
    targets: Arc<[Target]>,
    request: UpstreamRequest,
    stream: bool,
    expected_ends: u32,
}

async fn read(context: &Context, request: Request, path: String) -> Result<Chat, Error> {
    let (parts, body) = request.into_parts();
    if !body::is_json(&parts.headers) {
        return Err(Error::UnsupportedMediaType);
    }
    // Read whole before anything else is done: hyper does not see a client leave behind an unread body.
    let body = body::read(&parts.headers, body, &context.state.config.server).await?;
    let chat = context.dialect.parse_request(&body)?;
    let model = chat.model.ok_or_else(|| Error::InvalidRequest {
        message: "You must provide a `model`. GET /v1/models lists those that exist.".to_owned(),
        param: Some("model"),
    })?;
    context.record.facts().model = Some(model.clone());
    let targets = context.state.routes.resolve(&model, context.dialect)?;
    context.record.facts().provider = Some(Arc::clone(&targets[0].upstream.name));
    let request = UpstreamRequest {
        dialect: context.dialect,
        method: parts.method,
        path,
        headers: headers::for_upstream(&parts.headers, context.dialect, context.record.request_id()),
        body,
        model_span: chat.model_span,
    };
    Ok(Chat { targets, request, stream: chat.stream, expected_ends: chat.expected_ends })
}

/// Waits a while for a first frame, so that a failure can still be an HTTP error; then begins the response either way.
async fn relay(
    context: Context,
    targets: Arc<[Target]>,
    request: UpstreamRequest,
    expected_ends: u32,
) -> Result<Response, Error> {
    let config = &context.state.config.stream;
    let provider = Arc::clone(&targets[0].upstream.name);
    let guard = StreamGuard::new(context.record.clone(), context.peer.clone());
    let mut opening: Opening =
        Box::pin(upstream::open_stream(targets, request, expected_ends, config.clone(), context.record.started()));
    let deadline = context.shutdown.deadline.clone();
    match tokio::time::timeout(config.commit_after, opening.as_mut()).await {
        Ok(opened) => {
            let stream = opened?;
            let headers = headers::about(&stream.headers);
            Ok(event_stream(headers, Relay::open(stream, config, guard, deadline)))
        }
        Err(_) => {
            let relay = Relay::opening(context.dialect, provider, opening, config, guard, deadline);
            Ok(event_stream(http::HeaderMap::new(), relay))
        }
    }
}

/// The response whose body is `relay`.
pub(super) fn event_stream(mut headers: http::HeaderMap, relay: Relay) -> Response {
    headers::mark_event_stream(&mut headers);
    let mut response = Response::new(Body::new(relay));
    *response.headers_mut() = headers;
    response
}

/// Waits for the whole answer, so that one that is cut or an error in disguise is told as the error it is.
async fn answer(context: &Context, targets: &[Target], request: &UpstreamRequest) -> Result<Response, Error> {
    let answer = upstream::fetch(targets, request, &context.state.config.stream).await?;
    {
        let mut facts = context.record.facts();
        facts.provider = Some(answer.provider);
        facts.usage = answer.usage;
        facts.bytes = answer.body.len() as u64;
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers::about(&answer.headers);
    if let Some(kind) = answer.headers.get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    Ok(response)
}
