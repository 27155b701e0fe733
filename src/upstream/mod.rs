//! From a request that has been let in to an upstream that has begun to answer.
//!
//! [`open_stream`] returns with the first content in hand. Until then every failure is an ordinary error with the right status
//! and another target may be asked; from then on a failure can only be told inside the stream. [`ask`] does the same for
//! answers that do not stream. Both go through the one loop of `attempts`: `plan` says who is asked, `capacity` when there is a
//! place, `retry` what a failure means for the next attempt, `health` who is avoided, and `fleet` keeps all that for the process.

mod answer;
mod attempts;
mod body;
mod budget;
pub mod capacity;
pub mod client;
mod clock;
pub mod connector;
mod dice;
mod failures;
pub mod fleet;
pub mod health;
pub mod http1;
pub mod http2;
pub mod pace;
mod plan;
mod probe;
mod question;
pub mod request;
pub mod response;
mod retry;
pub mod routing;
mod socket;
mod spread;
mod stream;
pub mod succession;
mod trail;

use std::time::Duration;

use http::Response;

use crate::error::{Error, Phase};

pub use answer::{Answer, ask, fetch};
pub use attempts::{Failure, Seat};
pub use body::{Body, BrokenBody};
pub use client::Upstream;
pub use fleet::{Fleet, Policy};
pub use question::{Question, Translated, Translation};
pub use request::UpstreamRequest;
pub use retry::whole_seconds;
pub use routing::{Route, Routes, Target};
pub use stream::{OpenStream, Translating, open_stream};
pub use succession::Succession;
pub use trail::Trail;

/// Sends `request`, whose body has been read, to `target` with the key of the number `key`, and returns its response, which
/// has a success status.
///
/// `phase` names the wait for the response headers, and `limit` bounds it.
///
/// # Errors
///
/// Whatever the upstream did instead.
pub async fn send(
    target: &Target,
    key: usize,
    request: &UpstreamRequest,
    (phase, limit): (Phase, Duration),
) -> Result<Response<Body>, Error> {
    let path = request.path.to(&target.model);
    let sending = target.upstream.send(request, key, &path, request.body_for(target));
    succeed(target, sending, (phase, limit)).await
}

/// Sends `request` with a `body` that is still arriving. As [`send`] in all else.
///
/// # Errors
///
/// As for [`send`], or that the body broke off.
pub async fn upload(
    target: &Target,
    key: usize,
    request: &UpstreamRequest,
    body: reqwest::Body,
    (phase, limit): (Phase, Duration),
) -> Result<Response<Body>, Error> {
    let path = request.path.to(&target.model);
    let sending = target.upstream.upload(request, key, &path, body);
    succeed(target, sending, (phase, limit)).await
}

async fn succeed(
    target: &Target,
    sending: impl Future<Output = Result<Response<Body>, Error>>,
    (phase, limit): (Phase, Duration),
) -> Result<Response<Body>, Error> {
    let provider = &target.upstream.name;
    let response = tokio::time::timeout(limit, sending).await.map_err(|_| timeout(provider, phase, limit))??;
    response::expect_success(&target.upstream, response).await
}

fn timeout(provider: &str, phase: Phase, limit: Duration) -> Error {
    Error::UpstreamTimeout { provider: provider.to_owned(), phase, limit }
}
