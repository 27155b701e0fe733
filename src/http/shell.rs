//! What every request goes through before a handler runs, and every response before it leaves.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tower_service::Service;

use super::cors::Page;
use super::resumable::Streams;
use super::state::{Context, Shutdown, State};
use super::websocket::{self, Switch};
use super::{body, error, headers, host, request_id, routes, streams};
use crate::dialect::{self, Dialect};
use crate::error::Error;
use crate::relay::guard::Peer;
use crate::telemetry::Record;
use crate::telemetry::record::Outcome;

/// The service of one client connection.
#[derive(Clone)]
pub(super) struct Shell {
    pub(super) router: Router,
    pub(super) state: watch::Receiver<Arc<State>>,
    pub(super) listen: IpAddr,
    pub(super) peer: Peer,
    pub(super) shutdown: Shutdown,
    pub(super) streams: Streams,
    pub(super) switch: Switch,
}

impl Shell {
    pub(super) async fn answer(self, mut request: Request) -> Response {
        let request_id = request_id::of(request.headers());
        let path = streams::path_for_log(request.uri().path()).to_owned();
        let record = Record::new(request_id, request.method().clone(), path);
        let state = Arc::clone(&self.state.borrow());
        let dialect = dialect::of_client(request.uri().path(), request.headers());
        let mut page = Page::Foreign;
        let deadline = self.shutdown.deadline.clone();
        let Self { peer, shutdown, streams, switch, .. } = self;
        if websocket::is_wanted(&request) {
            request.extensions_mut().insert(switch);
        }
        let context = Context { state, dialect, record: record.clone(), peer, shutdown, streams };
        let result = tokio::select! {
            result = admit(request, context, self.listen, self.router, &mut page) => result,
            // Whoever still waits for a response head gets one. A stream tells of the end itself.
            () = deadline.cancelled() => Err(Error::ShuttingDown),
        };
        let mut response = result.unwrap_or_else(IntoResponse::into_response);
        settle(&record, dialect, &mut response);
        page.mark(response.headers_mut());
        headers::mark_request_id(response.headers_mut(), record.request_id());
        response
    }
}

/// The checks, in their order, and the handler behind them. Whoever is refused costs nothing: no body has been read.
async fn admit(
    mut request: Request,
    context: Context,
    listen: IpAddr,
    mut router: Router,
    page: &mut Page,
) -> Result<Response, Error> {
    let config = &context.state.config;
    // 1. Is it a request, and meant for this server?
    let host = host::of(&request)?;
    host::check(&host, listen, &config.server)?;
    headers::check_count(request.headers(), config.server.max_headers)?;
    body::check_coding(request.headers())?;
    // 2. Does it come from a page that may call? Browsers ask first, without a key.
    *page = Page::of(request.headers(), &host, &config.cors);
    if let Some(answer) = page.preflight(request.method(), request.headers()) {
        return answer;
    }
    // What comes over a WebSocket every page may read, so that a key alone does not let one in.
    let is_told = request.extensions().get::<Switch>().is_some();
    if *page == Page::Foreign && (context.state.keys.is_open() || is_told) {
        return Err(Error::OriginRefused);
    }
    // 3. Does it have a key, or what stands for one?
    let is_public = routes::PUBLIC.contains(&request.uri().path());
    if !is_public && streams::token(request.method(), request.uri()).is_none() {
        let caller = context.state.keys.identify(request.uri(), request.headers())?;
        context.record.facts().caller = caller;
    }
    // 4. The handler.
    request.extensions_mut().insert(context);
    match router.call(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// Tells an error as such, and notes what is known of the end now. A stream notes its own end later, over this one.
fn settle(record: &Record, dialect: &dyn Dialect, response: &mut Response) {
    match response.extensions_mut().remove::<Error>() {
        Some(error) => {
            error::tell(response, &error, dialect);
            record.fail(&error);
        }
        None => record.facts().outcome = Some(Outcome::Completed),
    }
    let mut facts = record.facts();
    facts.status = Some(response.status());
    headers::mark_attempts(response.headers_mut(), facts.attempts.as_deref());
}
