//! Every URL in one table.

use axum::Router;
use axum::routing::{any, get, post};

use super::{endpoint, health, models, ollama, page, passthrough};
use crate::error::Error;

/// Paths that need no key: the chat page and what watches over the process.
pub(super) const PUBLIC: [&str; 5] = ["/", "/chat.css", "/chat.js", "/livez", "/readyz"];

/// The table. It has no layers: what every request goes through is in [`super::shell`].
pub(super) fn router() -> Router {
    Router::new()
        .route("/", get(page::index))
        .route("/chat.css", get(page::style))
        .route("/chat.js", get(page::script))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/chat/completions", post(endpoint::completions))
        .route("/v1/chat/completions", post(endpoint::completions).get(passthrough::pass))
        .route("/v1/completions", post(endpoint::legacy_completions))
        .route("/v1/responses", post(endpoint::responses))
        .route("/v1/messages", post(endpoint::messages))
        .route("/v1/messages/count_tokens", post(endpoint::count_tokens))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::get).post(endpoint::generate).delete(passthrough::pass))
        .route("/v1/{*path}", any(passthrough::pass))
        .route("/v1beta/models", get(models::list))
        .route("/v1beta/models/{*named}", get(models::get).post(endpoint::generate))
        .route("/v1beta/{*path}", any(passthrough::pass))
        .route("/api/chat", post(endpoint::ollama_chat))
        .route("/api/generate", post(endpoint::ollama_generate))
        .route("/api/tags", get(models::list))
        .route("/api/show", post(ollama::show))
        .route("/api/version", get(ollama::version))
        .route("/api/ps", get(ollama::running))
        .route("/api/{*path}", any(passthrough::pass))
        .fallback(async || Error::PathNotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
}
