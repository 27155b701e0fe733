//! Every URL in one table.

use std::collections::BTreeSet;

use axum::Router;
use axum::routing::{any, get, post};

use super::{background, chat, health, models, ollama, page, passthrough, streams, websocket};
use crate::dialect;
use crate::error::Error;

/// Paths that need no key: the chat page, its module and what watches over the process.
pub(super) const PUBLIC: [&str; 6] = ["/", "/chat.css", "/chat.js", "/sluicegate.js", "/livez", "/readyz"];

/// The table. It has no layers: what every request goes through is in [`super::shell`].
///
/// Where models are asked and listed, each dialect says itself.
pub(super) fn router() -> Router {
    let asked = dialect::ALL.iter().flat_map(|dialect| dialect.urls());
    let listed = dialect::ALL.iter().flat_map(|dialect| dialect.list_urls());
    let others: BTreeSet<_> = dialect::ALL.iter().map(|dialect| dialect.all_urls()).collect();
    let router = asked.fold(Router::new(), |router, url| router.route(url, post(chat::ask)));
    let router = listed.fold(router, |router, url| router.route(url, get(models::list)));
    let router = others.iter().fold(router, |router, url| router.route(url, any(passthrough::pass)));
    router
        .route("/", get(page::index))
        .route("/chat.css", get(page::style))
        .route("/chat.js", get(page::script))
        .route("/sluicegate.js", get(page::module))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/v1/streams", get(streams::list).post(streams::create))
        .route("/v1/streams/{id}", get(streams::read).delete(streams::stop))
        .route("/v1/responses/{*below}", any(background::reach))
        .route("/v1/chat/completions", get(passthrough::pass))
        .route("/v1/responses", get(websocket::open))
        .route("/v1/models/{*id}", get(models::get).delete(passthrough::pass))
        .route("/v1beta/models/{*id}", get(models::get))
        .route("/api/show", post(ollama::show))
        .route("/api/version", get(ollama::version))
        .route("/api/ps", get(ollama::running))
        .fallback(async || Error::PathNotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
}
