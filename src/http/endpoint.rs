//! Where clients ask models, dialect by dialect, and what the URL says of the request.

use axum::Extension;
use axum::extract::{Path as UrlPath, Request};
use axum::response::Response;
use http::Uri;

use super::state::Context;
use super::{chat, passthrough};
use crate::dialect::Shape;
use crate::dialect::gemini::ArrayWriter;
use crate::error::Error;
use crate::relay::output::Output;
use crate::upstream::Path;

/// One endpoint, and what a request says by being made there.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// Where an upstream that speaks the dialect is asked.
    pub(super) path: Path,
    /// The model, where the URL names it.
    pub(super) model: Option<String>,
    /// Whether to stream, where the URL says so.
    pub(super) stream: Option<bool>,
    /// Which of the dialect's endpoints it is.
    pub(super) shape: Shape,
    /// Who may be asked.
    pub(super) spoken: Spoken,
    /// Whether the body is JSON whatever it is announced as: Ollama's clients announce nothing.
    pub(super) any_type: bool,
}

/// Who understands what is asked at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    /// Everyone: it is translated for those who speak another dialect.
    ByAll,
    /// Only who speaks the dialect.
    ByItsOwn,
}

impl Endpoint {
    fn new(path: impl Into<String>) -> Self {
        let path = Path::Fixed(path.into());
        Self { path, model: None, stream: None, shape: Shape::Chat, spoken: Spoken::ByAll, any_type: false }
    }

    /// How a stream is written there.
    pub(super) fn output(&self) -> Output {
        if self.shape == Shape::Array { Output::Array(ArrayWriter::new()) } else { Output::AsIs }
    }
}

/// `POST /v1/chat/completions`
pub(super) async fn completions(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    chat::serve(context, request, Endpoint::new("/chat/completions")).await
}

/// `POST /v1/completions`, the same with an older body.
pub(super) async fn legacy_completions(
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Error> {
    let endpoint = Endpoint { spoken: Spoken::ByItsOwn, ..Endpoint::new("/completions") };
    chat::serve(context, request, endpoint).await
}

/// `POST /v1/responses`
pub(super) async fn responses(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    let endpoint = Endpoint::new(with_query("/responses", request.uri()));
    chat::serve(context, request, endpoint).await
}

/// `POST /v1/messages`
pub(super) async fn messages(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    let endpoint = Endpoint::new(with_query("/messages", request.uri()));
    chat::serve(context, request, endpoint).await
}

/// `POST /v1/messages/count_tokens`, which never streams.
pub(super) async fn count_tokens(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    let path = with_query("/messages/count_tokens", request.uri());
    let endpoint = Endpoint { stream: Some(false), spoken: Spoken::ByItsOwn, ..Endpoint::new(path) };
    chat::serve(context, request, endpoint).await
}

/// `POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent`, and what else can be done with a model; all of it
/// at `/v1`, too.
pub(super) async fn generate(
    Extension(context): Extension<Context>,
    UrlPath(named): UrlPath<String>,
    request: Request,
) -> Result<Response, Error> {
    let Some((model, action)) = named.rsplit_once(':') else {
        return passthrough::pass(Extension(context), request).await;
    };
    let (mut query, is_sse) = gemini_query(request.uri());
    let (stream, spoken) = match action {
        "generateContent" => (false, Spoken::ByAll),
        "streamGenerateContent" => (true, Spoken::ByAll),
        _ => (false, Spoken::ByItsOwn),
    };
    if stream {
        query = format!("?alt=sse{}", query.replacen('?', "&", 1));
    }
    let endpoint = Endpoint {
        path: Path::OfModel { action: action.to_owned(), query },
        model: Some(model.to_owned()),
        stream: Some(stream),
        shape: if stream && !is_sse { Shape::Array } else { Shape::Chat },
        spoken,
        any_type: false,
    };
    chat::serve(context, request, endpoint).await
}

/// The query without a client's key and without the form of the answer, and whether that form is an event stream.
fn gemini_query(uri: &Uri) -> (String, bool) {
    let pairs = || uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let is_form = |pair: &&str| ["alt=", "$alt=", "%24alt="].iter().any(|name| pair.starts_with(name));
    let kept: Vec<&str> = pairs().filter(|pair| !is_form(pair) && !pair.starts_with("key=")).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    (query, pairs().filter(is_form).any(|pair| pair.ends_with("=sse")))
}

/// `path` with the query of `uri`: Anthropic's SDKs ask for what is beta with one.
pub(super) fn with_query(path: &str, uri: &Uri) -> String {
    uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

/// `POST /api/chat`
pub(super) async fn ollama_chat(Extension(context): Extension<Context>, request: Request) -> Result<Response, Error> {
    let endpoint = Endpoint { any_type: true, ..Endpoint::new("/api/chat") };
    chat::serve(context, request, endpoint).await
}

/// `POST /api/generate`
pub(super) async fn ollama_generate(
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Error> {
    let endpoint = Endpoint { any_type: true, shape: Shape::Completion, ..Endpoint::new("/api/generate") };
    chat::serve(context, request, endpoint).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_key_does_not_leave_with_the_query() {
        let query = |uri: &'static str| gemini_query(&Uri::from_static(uri));
        assert_eq!(query("/v1beta/models/m:g?key=secret&alt=sse&fields=x"), ("?fields=x".to_owned(), true));
        assert_eq!(query("/v1beta/models/m:g?%24alt=json%3Benum-encoding%3Dint"), (String::new(), false));
        assert_eq!(query("/v1beta/models/m:g"), (String::new(), false));
    }
}
