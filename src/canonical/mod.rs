//! What every dialect can say, in one vocabulary.
//!
//! A dialect that can read itself into this and write itself out of it can be translated to and from every other. A
//! [`ChatRequest`] is what a client asks, a [`ChatEvent`] is one piece of an answer as it arrives, a [`ChatAnswer`] is all of
//! it. What the vocabulary has no word for is not lost in silence: it is noted among the [`Losses`].

pub mod answer;
pub mod event;
pub mod ids;
pub mod loss;
pub mod media;
pub mod message;
pub mod open_calls;
pub mod request;
pub mod seal;
pub mod usage;

pub use answer::ChatAnswer;
pub use event::{ChatEvent, Finish, FinishReason};
pub use loss::{Field, Loss, Losses, Weight};
pub use media::{Media, Source};
pub use message::{Annotation, Logprob, Message, Part, Role, Text, ToolCall, ToolKind, ToolResult};
pub use open_calls::{OpenCall, OpenCalls};
pub use request::{ChatRequest, Effort, OutputFormat, Reasoning, Tool, ToolChoice, ToolInput, Unmapped};
pub use seal::{On, Seal};
pub use usage::Usage;
