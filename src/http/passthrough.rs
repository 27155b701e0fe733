//! The other endpoints: embeddings, audio, images, files, responses, batches and whatever comes next.
//!
//! They go to the provider that owns the model they name, and come back as they are. Bodies stream in both directions; an
//! answer that is an event stream is relayed as one, with keep-alives and honest ends.

mod multipart;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method};
use tokio::time::Instant;

use super::state::Context;
use super::{body, headers};
use crate::dialect::{self, Observer, Path};
use crate::error::{Error, Phase};
use crate::framing::{Framing, Splitter};
use crate::relay::Relay;
use crate::relay::guard::StreamGuard;
use crate::relay::raw::RawRelay;
use crate::upstream::capacity::Permit;
use crate::upstream::response::{expect_identity, is_event_stream};
use crate::upstream::{self, OpenStream, Seat, Target, Trail, UpstreamRequest};

/// Any method on `/v1/…`, `/v1beta/…` or `/api/…` that no other route takes.
pub(super) async fn pass(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let path = upstream_path(&parts)?;
    let headers = headers::for_upstream(&parts.headers, context.dialect, context.record.request_id());
    let mut request = UpstreamRequest {
        dialect: context.dialect,
        method: parts.method.clone(),
        path: Path::Fixed(path),
        headers,
        body: bytes::Bytes::new(),
        model_span: 0..0,
    };
    if body::is_json(&parts.headers) {
        request.body = body::read(&parts.headers, body, &context.state.config.server).await?;
        let mut model = None;
        // SDKs announce JSON also where they send nothing at all.
        if !request.body.is_empty() {
            let named = context.dialect.parse_request(&request.body)?;
            (request.model_span, model) = (named.model_span, named.model);
        }
        let place = find_place(&context, model.as_deref().or(query_model(&parts))).await?;
        let asked = Instant::now();
        let response = upstream::send(&place.target, place.key, &request, patience(&context)).await?;
        return relay(&context, place, asked, response);
    }
    let body_timeout = context.state.config.server.body_timeout;
    let (model, body) = body::within(body_timeout, multipart::find_model(&parts.headers, body)).await??;
    let place = find_place(&context, model.as_deref().or(query_model(&parts))).await?;
    let (target, key) = (&place.target, place.key);
    let (length, body) = body.rename_model(&target.model);
    let asked = Instant::now();
    let response = match announced_length(&parts.headers, length) {
        None if matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE) => {
            upstream::send(target, key, &request, patience(&context)).await?
        }
        length => {
            request.headers.extend(length.map(|length| (CONTENT_LENGTH, length.into())));
            upstream::upload(target, key, &request, body, patience(&context)).await?
        }
    };
    relay(&context, place, asked, response)
}

/// How long the head of a response may take.
fn patience(context: &Context) -> (Phase, Duration) {
    (Phase::Response, context.state.config.stream.response_timeout)
}

/// What follows the root of the API that the path is of, with the query but for a key in it.
///
/// A path with dot segments could leave the provider's base URL with the provider's key in hand, so there is none such.
fn upstream_path(parts: &Parts) -> Result<String, Error> {
    let path = dialect::below_root(parts.uri.path());
    let plain =
        path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    if plain.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(Error::PathNotFound);
    }
    let query = parts.uri.query().unwrap_or_default().split('&');
    let query: Vec<&str> = query.filter(|pair| !pair.is_empty() && !pair.starts_with("key=")).collect();
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) })
}

fn query_model(parts: &Parts) -> Option<&str> {
    parts.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("model="))
}

/// The client's content length plus what renaming the model added.
fn announced_length(headers: &HeaderMap, added: isize) -> Option<u64> {
    let length: u64 = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    length.checked_add_signed(added as i64)
}

/// Who is asked, with which key, and the place taken there.
struct Place {
    target: Target,
    key: usize,
    permit: Permit,
}

/// A place at the target for `model`. What belongs to no model may belong to a key (files, batches), so that is always the
/// first.
async fn find_place(context: &Context, model: Option<&str>) -> Result<Place, Error> {
    let routes = &context.state.routes;
    let (target, key) = match model {
        Some(model) => {
            context.record.facts().model = Some(model.to_owned());
            let target = routes.resolve(model, context.dialect)?.targets[0].clone();
            let key = target.next_key();
            (target, key)
        }
        None => {
            let target = routes.default_target(context.dialect).ok_or_else(|| Error::InvalidRequest {
                message:
                    "Which provider is meant? Name a `model` (in a form, before any file), or mark a provider as default \
                          in the configuration."
                        .to_owned(),
                param: Some("model"),
            })?;
            (target, 0)
        }
    };
    context.record.facts().provider = Some(Arc::clone(&target.upstream.name));
    let permit = target.enter().await?;
    Ok(Place { target, key, permit })
}

/// Passes the response to a request sent at `asked` on while it arrives.
fn relay(
    context: &Context,
    Place { target, permit, .. }: Place,
    asked: Instant,
    response: http::Response<upstream::Body>,
) -> Result<Response, Error> {
    let config = &context.state.config.stream;
    let (parts, body) = response.into_parts();
    let guard = StreamGuard::new(context.record.clone(), context.peer.clone());
    if parts.headers.get(CONTENT_TYPE).is_some_and(is_event_stream) {
        expect_identity(&target.upstream.name, &parts.headers)?;
        let stream = OpenStream {
            target,
            seat: Seat::of(permit),
            headers: HeaderMap::new(),
            first: bytes::Bytes::new(),
            body,
            splitter: Splitter::new(Framing::EventStream, config.max_frame_bytes),
            observer: Observer::opaque(context.dialect),
            translation: None,
            succession: None,
            asked,
            trail: Trail::default(),
        };
        let relay = Relay::open(stream, config, guard, context.shutdown.deadline.clone());
        let mut headers = headers::about(&parts.headers);
        headers::mark_stream(&mut headers, Framing::EventStream.content_type());
        let mut response = Response::new(Body::new(relay));
        *response.headers_mut() = headers;
        return Ok(response);
    }
    let provider = Arc::clone(&target.upstream.name);
    let relay = RawRelay::new(provider, body, guard, config.idle_timeout).holding(permit);
    let mut response = Response::new(Body::new(relay));
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers::for_client(&parts.headers);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_the_base_url() {
        let path = |uri: &str| upstream_path(&http::Request::get(uri).body(()).unwrap().into_parts().0);
        assert_eq!(path("/v1/files/a?limit=2").unwrap(), "/files/a?limit=2");
        for uri in ["/v1/../admin", "/v1/a/%2e%2E/b", "/v1/a%2f..%2fb", "/v1/./a", "/v1/..%5c..%5cadmin"] {
            assert!(path(uri).is_err(), "{uri}");
        }
    }
}
