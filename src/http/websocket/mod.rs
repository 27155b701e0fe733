//! Many responses over one connection: `GET /v1/responses` as a WebSocket.
//!
//! <https://developers.openai.com/api/docs/guides/websocket-mode>: the client says `response.create` and whatever it would post, and is
//! told the events that it would be streamed, one in each message. So each response goes the way of a `POST`, through the same
//! reading, routing and relay, and only its last step is another.
//!
//! There is no task for any of it. A [`Session`](session::Session) is the rest of its connection's own task, as the HTTP conversation
//! before it was, and everything that it runs is in it: a client that leaves drops it, and so all its upstreams.

mod events;
mod handshake;
mod history;
mod lanes;
mod message;
mod pulse;
mod session;
mod turn;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio::sync::watch;

use super::resumable::Wish;
use super::state::{Context, State};
use crate::error::Error;

pub(super) use handshake::{is_wanted, key_in_protocols};

const NOT_RESUMABLE: &str =
    "Responses over a WebSocket end with it. Post the request for a stream that can be resumed.";

/// Where a handler leaves what is to become of its connection once HTTP has ended on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Switch(Arc<Mutex<Option<Box<Agreed>>>>);

/// A WebSocket that has been agreed on.
#[derive(Debug)]
pub(super) struct Agreed {
    context: Context,
    /// The request that asked for it.
    parts: Parts,
    upgrade: OnUpgrade,
}

impl Switch {
    fn set(&self, agreed: Agreed) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(agreed));
    }

    /// Goes on with the connection, if anything but HTTP was agreed on. Each request takes the configuration of its time from `state`.
    pub(super) async fn proceed(&self, state: watch::Receiver<Arc<State>>) {
        let agreed = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(agreed) = agreed {
            // Boxed: nearly no connection needs the room.
            Box::pin(session::serve(*agreed, state)).await;
        }
    }
}

/// `GET /v1/responses`. Without an upgrade there is nothing at this URL to get.
pub(super) async fn open(Extension(context): Extension<Context>, mut request: Request) -> Response {
    // Only a request that may be upgraded has a switch.
    let Some(switch) = request.extensions_mut().remove::<Switch>() else {
        let mut response = Error::MethodNotAllowed.into_response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    };
    let wish = Wish::of(request.headers(), request.uri().query());
    let agreed = wish.and_then(|wish| match wish.resumable {
        Some(true) => Err(Error::InvalidRequest { message: NOT_RESUMABLE.to_owned(), param: None }),
        _ => handshake::check(request.headers()),
    });
    let (accept, protocol) = match agreed {
        Ok(agreed) => agreed,
        Err(error) => {
            let mut response = error.into_response();
            response.headers_mut().insert(SEC_WEBSOCKET_VERSION, handshake::VERSION);
            return response;
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    switch.set(Agreed { context, parts: request.into_parts().0, upgrade });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.extend(protocol.map(|protocol| (SEC_WEBSOCKET_PROTOCOL, protocol)));
    response
}
