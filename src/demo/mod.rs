//! The built-in upstream: a model server without a model.
//!
//! It speaks OpenAI's Chat Completions over real HTTP, so that the proxy can be tried, shown and measured with no key,
//! no configuration and no network. Its words are prepared, its pace is believable, and a few of its [`MODELS`]
//! misbehave on purpose: one thinks for a long time, one breaks off, one falls silent, one refuses.
//!
//! A reply is made in three steps, and each step knows nothing of the next:
//!
//! 1. `request` reads the JSON body into an `Ask`;
//! 2. `draft` writes the `script`: a list of timed beats, pure data, complete before the first byte is sent;
//! 3. `reply` plays the beats into an HTTP body, worded by `chat` or `legacy`.
//!
//! Nothing is random: choices and jitter follow from the request, so the same request gets the same words.

mod answer;
mod chat;
mod dice;
mod draft;
mod embeddings;
mod error;
mod language;
mod legacy;
mod lifeline;
mod models;
mod reply;
mod request;
mod schema;
mod script;
mod server;
mod texts;
mod tokens;
mod tools;

pub use models::{MODELS, Model};
pub use server::serve;
