//! The vocabulary of the tests.
//!
//! - [`Upstream`]: a model server that follows a [`Script`] and notices when it is left.
//! - [`Proxy`]: sluicegate itself, on a free port, configured by the test.
//! - [`Recording`]: what a real provider said, byte for byte.
//! - [`Client`]: a raw socket, for what no HTTP library would do; `reqwest` serves for the rest.
//!
//! Times are generous: the bounds tell a promise kept from a promise broken, not fast from slow.

#![allow(dead_code, unused_imports, reason = "a vocabulary is not used up by any one test")]

mod client;
mod fixtures;
mod logs;
mod proxy;
mod script;
mod upstream;

pub use client::{Client, request};
pub use fixtures::Recording;
pub use proxy::{Proxy, client, provider};
pub use script::{DONE, FINISH, ROLE, Script, Step, token};
pub use upstream::{Received, Upstream};

use std::time::Duration;

/// Long enough for anything that should happen at once, on a busy machine.
pub const SOON: Duration = Duration::from_secs(5);

/// The usual request.
pub fn chat(stream: bool) -> String {
    serde_json::json!({ "model": "m", "stream": stream, "messages": [{ "role": "user", "content": "hi" }] }).to_string()
}

/// Waits for `future`, but not for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what} did not happen within {SOON:?}"))
}
