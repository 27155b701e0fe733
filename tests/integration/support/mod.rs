//! The vocabulary of the tests.
//!
//! - [`Upstream`]: a model server that follows a [`Script`] and notices when it is left.
//! - [`Proxy`]: sluicegate itself, on a free port, configured by the test.
//! - [`Redis`]: a server where replicas share streams.
//! - [`Reply`]: what a client reads, whole.
//! - [`Recording`]: what a real provider said, byte for byte.
//! - [`told`]: what a stream tells a client. [`grammar`]: whether it is one that a dialect allows.
//! - [`translation`]: a stream on its way from one dialect to another, as the relay takes it.
//! - [`WebSocket`]: one, from the client's side.
//! - [`Client`]: a raw socket, for what no HTTP library would do; `reqwest` serves for the rest.
//!
//! Times are generous: the bounds tell a promise kept from a promise broken, not fast from slow.

#![allow(dead_code, unused_imports, reason = "a vocabulary is not used up by any one test")]

pub mod anthropic;
mod client;
mod dice;
mod error;
mod fate;
mod fixtures;
mod frames;
pub mod grammar;
mod http2;
pub mod logs;
mod program;
mod proxy;
mod redis;
mod reply;
mod script;
pub mod sockets;
pub mod told;
mod tongue;
pub mod translation;
mod upstream;
pub mod websocket;

pub use client::{Client, Response, body_of, header, request, upload, with_header};
pub use dice::{Dice, variable};
pub use error::ApiError;
pub use fate::Fate;
pub use fixtures::{Recording, fixture};
pub use frames::{FrameConnection, FrameUpstream};
pub use http2::{Http2Answer, Http2Client, Http2Exchange, Http2Upstream};
pub use logs::new_id;
pub use program::Program;
pub use proxy::{Proxy, client, key, provider, speaker};
pub use redis::Redis;
pub use reply::{KEEP_ALIVE, Reply};
pub use script::{DONE, FINISH, ROLE, Script, Step, token};
pub use tongue::{TONGUES, Tongue, pairs};
pub use upstream::{Received, Upstream, nowhere};
pub use websocket::WebSocket;

use std::time::Duration;

/// Long enough for anything that should happen at once, on a busy machine.
pub const SOON: Duration = Duration::from_secs(10);

/// The usual request.
pub fn chat(stream: bool) -> String {
    serde_json::json!({ "model": "m", "stream": stream, "messages": [{ "role": "user", "content": "hi" }] }).to_string()
}

/// Waits for `future`, but not for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what} did not happen within {SOON:?}"))
}

/// Waits until `figure` has grown and stays the same, and returns it.
pub async fn standstill(what: &str, figure: impl Fn() -> u64) -> u64 {
    soon(&format!("a standstill of {what}"), async {
        loop {
            let before = figure();
            tokio::time::sleep(Duration::from_millis(200)).await;
            if before > 0 && figure() == before {
                return before;
            }
        }
    })
    .await
}

/// Waits until `condition` holds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
