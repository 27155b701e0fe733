//! What the chunks of a stream tell.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde_json::Value;

use super::wire::{Chunk, Part};
use crate::dialect::{Learned, UpstreamError};

static NEEDLES: LazyLock<[Finder<'static>; 4]> =
    LazyLock::new(|| ["usageMetadata", "finishReason", "promptFeedback", "error"].map(Finder::new));

/// Whether there is nothing to learn from `run` but that the model speaks.
///
/// Gemini itself counts tokens in every chunk, so of its chunks each is read: the count of the last one that came is the
/// usage of a stream that breaks off.
pub(super) fn is_another_token(run: &[u8], speaking: bool) -> bool {
    speaking && NEEDLES.iter().all(|needle| needle.find(run).is_none())
}

pub(super) fn observe(name: Option<&[u8]>, data: &str, learned: &mut Learned) {
    if name == Some(b"error") {
        return learned.fail(UpstreamError::of_event(data), is_raised(data));
    }
    let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(data) else {
        // JSON of an unknown shape may mean something to the client.
        learned.note_unread(data);
        return;
    };
    learned.unknown |= chunk.candidates.is_none() && chunk.prompt_feedback.is_none() && chunk.usage_metadata.is_none();
    if chunk.error.is_some()
        && let Some(error) = UpstreamError::parse(data.as_bytes())
    {
        learned.fail(error, is_raised(data));
    }
    for candidate in chunk.candidates.iter().flatten() {
        learned.content |= candidate.parts().any(Part::has_content);
        learned.ends = learned.ends.saturating_add(candidate.finish_reason().is_some().into());
    }
    if chunk.refusal().is_some() {
        // A prompt that is refused ends all the answers to it.
        learned.ends = u32::MAX;
    }
    if let Some(usage) = chunk.usage_metadata.and_then(|usage| usage.usage()) {
        learned.usage = Some(usage);
    }
}

/// Whether Google's SDKs raise on a chunk: if it has an `error` whose `code` is an HTTP status.
fn is_raised(data: &str) -> bool {
    let code = serde_json::from_str::<Value>(data).ok().and_then(|chunk| chunk["error"]["code"].as_u64());
    code.is_some_and(|code| (400..600).contains(&code))
}
