//! From one dialect into another.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use sluicegate::canonical::ChatRequest;
use sluicegate::dialect::{AnswerContext, Anthropic, Dialect, Gemini, OpenAiChat, OpenAiResponses, Shape, Transcoder};

use super::{Case, pair_frames};

pub(super) const CASES: &[Case] = &[
    Case { name: "transcoder/a token, Chat to Anthropic", set_up: || translate(&OpenAiChat, &Anthropic) },
    Case { name: "transcoder/a token, Anthropic to Chat", set_up: || translate(&Anthropic, &OpenAiChat) },
    Case { name: "transcoder/a token, Gemini to Responses", set_up: || translate(&Gemini, &OpenAiResponses) },
];

/// One more token of a stream that has begun.
fn translate(from: &'static dyn Dialect, to: &'static dyn Dialect) -> Box<dyn FnMut()> {
    let (begin, token) = pair_frames::of(from.name());
    let context = AnswerContext {
        id: "0".repeat(24),
        created: 0,
        created_nanos: 0,
        request: Arc::new(ChatRequest { model: "model".to_owned(), stream: true, ..ChatRequest::default() }),
        shape: Shape::Chat,
        elapsed: Duration::ZERO,
    };
    let mut transcoder = Transcoder::new(from, "upstream", to, &context);
    transcoder.push(&begin, Duration::ZERO);
    Box::new(move || {
        black_box(transcoder.push(black_box(&token), Duration::ZERO));
    })
}
