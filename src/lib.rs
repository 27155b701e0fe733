//! A streaming proxy for LLM tokens.
//!
//! A chat request comes in, goes to an upstream model server, and its tokens come back to the client as server-sent events,
//! one by one. When the client leaves, the upstream stops.
//!
//! The layers, each of which may use those below it and none above:
//!
//! - [`cli`]: the command line; [`app`]: the running server, one worker or many
//! - [`http`]: sockets, checks, URLs and their handlers
//! - [`stream_log`]: streams that outlive the connection they were asked over
//! - [`relay`]: the response body that carries a stream, its clocks, and the guard that settles it
//! - [`upstream`]: from a request to the first content of an answer: who is asked, what came of it, and who next
//! - [`dialect`]: wire languages; [`provider`]: who serves models; [`canonical`]: what they all can say;
//!   [`framing`]: bytes into frames. These four are pure: no I/O, no clock, no configuration
//! - [`config`], [`error`], [`telemetry`]: what everyone may use
//! - [`demo`]: the built-in upstream, a server of its own that knows nothing of the rest
//!
//! `ARCHITECTURE.md` has the map with its reasons.

pub mod app;
pub mod canonical;
pub mod cli;
pub mod config;
pub mod demo;
pub mod dialect;
pub mod error;
pub mod framing;
pub mod http;
pub mod provider;
pub mod relay;
pub mod stream_log;
pub mod telemetry;
pub mod upstream;
