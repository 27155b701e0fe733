//! What Ollama's frontends ask beside chatting: which server this is, what a model can do, what runs.

use axum::Extension;
use axum::extract::Request;
use axum::response::Response;
use serde::Deserialize;

use super::body;
use super::models::json_response;
use super::state::Context;
use crate::dialect::ollama::catalogue;
use crate::error::Error;

/// `POST /api/show`
pub(super) async fn show(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    #[derive(Deserialize)]
    struct Asked {
        /// Older clients say `name`.
        #[serde(alias = "name")]
        model: String,
    }
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body, &context.state.config.server).await?;
    let Asked { model } = serde_json::from_slice(&body).map_err(|_| Error::InvalidRequest {
        message: "Name a model: {\"model\": \"…\"}.".to_owned(),
        param: Some("model"),
    })?;
    // Whoever would be asked may know it, listed or not.
    context.state.routes.find(&model, context.dialect)?;
    Ok(json_response(catalogue::show(&model, None).to_string()))
}

/// `GET /api/version`
pub(super) async fn version() -> Response {
    json_response(catalogue::version().to_string())
}

/// `GET /api/ps`
pub(super) async fn running() -> Response {
    json_response(catalogue::running().to_string())
}
