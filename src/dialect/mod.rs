//! Wire languages: how a chat request, a token stream and an error are written.
//!
//! Pure code without I/O, clock or configuration. A dialect is one folder with the same files in each:
//! `request` reads what the proxy must know of a request, `observe` reads along with a stream, `error` writes errors.

pub mod openai_chat;
pub mod patch;
