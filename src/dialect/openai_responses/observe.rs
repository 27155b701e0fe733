//! What the events of a response stream tell.
//!
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::wire::{Kind, Notable, Response};
use crate::canonical::Usage;
use crate::dialect::{Learned, UpstreamError};

struct Needles {
    r#type: Finder<'static>,
    response: Finder<'static>,
    item: Finder<'static>,
    ends: [Finder<'static>; 4],
    error: Finder<'static>,
}

static NEEDLES: LazyLock<Needles> = LazyLock::new(|| Needles {
    r#type: Finder::new("\"type\":\"response."),
    response: Finder::new("\"response\""),
    item: Finder::new("\"item\""),
    ends: [".completed", ".incomplete", ".failed", ".cancelled"].map(Finder::new),
    error: Finder::new("error"),
});

/// Whether there is nothing to learn from `run` but that the model speaks: only the ends of a response, and errors, say more.
/// A model that writes these words costs a parse.
pub(super) fn is_another_token(run: &[u8], speaking: bool) -> bool {
    let needles = &*NEEDLES;
    (speaking || is_plain_delta(run))
        && needles.error.find(run).is_none()
        && needles.ends.iter().all(|end| end.find(run).is_none())
}

/// Whether `run` says something in the most usual way. Events that quote the request or a whole item may hold anything.
fn is_plain_delta(run: &[u8]) -> bool {
    let needles = &*NEEDLES;
    let is_delta = |at: usize| {
        let name = &run[at + needles.r#type.needle().len()..];
        memchr::memchr(b'"', name).is_some_and(|end| name[..end].ends_with(b".delta"))
    };
    needles.response.find(run).is_none()
        && needles.item.find(run).is_none()
        && needles.r#type.find_iter(run).any(is_delta)
}

pub(super) fn observe(name: Option<&[u8]>, data: &str, learned: &mut Learned) {
    // Many who are not OpenAI say it behind the end. It ends nothing by itself: an answer that breaks off may have it, too.
    if data == "[DONE]" {
        return;
    }
    let Ok(event) = serde_json::from_str::<Notable<'_>>(data) else {
        if name == Some(b"error") {
            return learned.fail(UpstreamError::of_event(data), false);
        }
        // JSON of an unknown shape may mean something to the client.
        learned.note_unread(data);
        return;
    };
    // Not all name their events beside the data.
    let kind = if event.r#type.is_empty() { name.unwrap_or_default() } else { event.r#type.as_bytes() };
    match kind {
        b"response.completed" | b"response.incomplete" => end(&event, learned),
        b"response.failed" | b"response.cancelled" => fail(&event, learned),
        b"response.output_item.added" => {
            let kind = event.item.and_then(|item| serde_json::from_str::<Kind<'_>>(item.get()).ok());
            // A text and thoughts begin empty; a call begins with its name.
            learned.content |= kind.is_some_and(|kind| !matches!(&*kind.r#type, "" | "message" | "reasoning"));
        }
        _ if kind.ends_with(b".delta") => learned.content = true,
        _ if kind == b"error" || event.error.is_some() => {
            // Clients know an error by its `type` or by a top-level `error`, not by the name of the event.
            let is_visible = event.r#type == "error" || event.error.is_some();
            report(error_of(&event, data), is_visible, learned);
        }
        // More kinds of events may be added, and clients are asked to ignore those they do not know.
        _ => learned.unknown |= !kind.starts_with(b"response."),
    }
}

fn end(event: &Notable<'_>, learned: &mut Learned) {
    learned.ends += 1;
    learned.done = true;
    let Some(response) = event.response.and_then(|response| serde_json::from_str::<Response<'_>>(response.get()).ok())
    else {
        return;
    };
    // Some tell all at once, at the end.
    learned.content |= response.output.is_some_and(|output| !output.is_empty());
    if let Some(usage) = response.usage {
        learned.usage = Some(Usage::from(usage));
    }
}

fn fail(event: &Notable<'_>, learned: &mut Learned) {
    let response = event.response.and_then(|response| serde_json::from_str::<Response<'_>>(response.get()).ok());
    if let Some(usage) = response.as_ref().and_then(|response| response.usage) {
        learned.usage = Some(Usage::from(usage));
    }
    let message = match &*event.r#type {
        "response.cancelled" => "The response was cancelled.",
        _ => "The response failed.",
    };
    let unsaid = || UpstreamError { message: message.to_owned(), ..UpstreamError::default() };
    report(response.and_then(|response| response.failure()).unwrap_or_else(unsaid), true, learned);
}

/// The same failure is told twice, by `error` and by `response.failed`. The first says more.
fn report(error: UpstreamError, is_visible: bool, learned: &mut Learned) {
    if !learned.has_failed() {
        learned.fail(error, is_visible);
    }
}

/// OpenAI's schema puts an error's members beside `type`, OpenAI's servers put them in an object.
fn error_of(event: &Notable<'_>, data: &str) -> UpstreamError {
    let mut error = UpstreamError::of_event(data);
    if event.error.is_none() && error.r#type.as_deref() == Some("error") {
        error.r#type = None;
    }
    error
}
