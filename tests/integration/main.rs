//! Sluicegate over real sockets.
//!
//! Each test starts a [`support::Upstream`] that follows a script and sees its connections close, a [`support::Proxy`] in front of
//! it, and speaks to the proxy as a client would. The names of the tests are the promises; the list of them is the
//! specification.

#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(clippy::unwrap_used, reason = "a test that unwraps has said what it expects")]

mod support;

mod anthropic;
mod architecture;
mod attempts;
mod auth;
mod backpressure;
mod browser_rules;
mod cancellation;
mod command_line;
mod connections;
mod continuation;
mod event_streams;
mod failover;
mod fidelity;
mod garbage;
mod grammar;
mod headers;
mod honest_ends;
mod keep_alive;
mod logs;
mod models;
mod observer;
mod pairs;
mod passthrough;
mod reload;
mod replicas;
mod requests;
mod resume;
mod routing;
mod shutdown;
mod smuggling;
mod takeover;
mod timeouts;
mod tls;
mod translation;
mod upstream_connections;
mod upstream_http2;
mod websocket;
