//! Every URL in one table.

use axum::Router;
use axum::routing::{any, get, post};

use super::{chat, health, models, page, passthrough};
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
        .route("/chat/completions", post(chat::completions))
        .route("/v1/chat/completions", post(chat::completions).get(passthrough::pass))
        .route("/v1/completions", post(chat::legacy_completions))
        .route("/v1/messages", post(chat::messages))
        .route("/v1/messages/count_tokens", post(chat::count_tokens))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::get).delete(passthrough::pass))
        .route("/v1/{*path}", any(passthrough::pass))
        .fallback(async || Error::PathNotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
}
