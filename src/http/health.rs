//! Whether the process lives, and whether it wants more work.

use axum::Extension;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::state::Context;
use crate::error::Error;

/// `GET /livez`: the process answers.
pub(super) async fn live(Extension(context): Extension<Context>) -> Response {
    context.record.facts().routine = true;
    (StatusCode::OK, "ok\n").into_response()
}

/// `GET /readyz`: it takes new requests. 503 once shutdown has begun, so that load balancers look elsewhere.
pub(super) async fn ready(Extension(context): Extension<Context>) -> Result<Response, Error> {
    if context.shutdown.draining.is_cancelled() {
        return Err(Error::ShuttingDown);
    }
    context.record.facts().routine = true;
    Ok((StatusCode::OK, "ok\n").into_response())
}
