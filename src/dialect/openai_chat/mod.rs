//! OpenAI Chat Completions, and the error shape that all of OpenAI's endpoints share.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>, and recorded streams of its many speakers.

pub mod answer;
pub mod error;
pub mod observe;
pub mod request;
mod wire;
