//! The client side: sockets, checks, URLs, and the handlers behind them.
//!
//! [`accept`] takes connections, `shell` judges each request before anything runs, `routes` is the table of URLs.

pub mod accept;
mod auth;
mod background;
mod body;
mod chat;
mod connection;
mod cors;
mod error;
mod headers;
mod health;
mod host;
mod http1;
mod models;
mod ollama;
mod page;
mod passthrough;
mod protocol;
mod rate_limit;
mod request_id;
mod resumable;
mod routes;
mod shell;
mod stalled;
pub mod state;
mod streams;
pub mod tls;
mod websocket;
mod whole;

pub use accept::{listen, serve};
pub use state::{Shutdown, State};
