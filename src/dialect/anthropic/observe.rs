//! What the events of a message stream tell.
//!
//! <https://docs.claude.com/en/docs/build-with-claude/streaming#event-types>

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::wire::Event;
use crate::dialect::{Learned, UpstreamError};

struct Needles {
    delta: Finder<'static>,
    message: Finder<'static>,
    error: Finder<'static>,
}

static NEEDLES: LazyLock<Needles> = LazyLock::new(|| Needles {
    delta: Finder::new("\"content_block_delta\""),
    // `message_start`, `message_delta` and `message_stop`: where a message begins, and how it ends.
    message: Finder::new("message_"),
    error: Finder::new("error"),
});

/// Whether there is nothing to learn from `run` but that the model speaks: of all that may come, only the events of the
/// message as a whole and errors say more. A model that writes these words costs a parse.
pub(super) fn is_another_token(run: &[u8], speaking: bool) -> bool {
    let needles = &*NEEDLES;
    (speaking || needles.delta.find(run).is_some())
        && needles.message.find(run).is_none()
        && needles.error.find(run).is_none()
}

pub(super) fn observe(name: Option<&[u8]>, data: &str, learned: &mut Learned) {
    // Anthropic's SDKs go by the name of an event and raise on this one, whatever its data.
    if name == Some(b"error") {
        return learned.fail(UpstreamError::of_event(data), true);
    }
    let Ok(event) = serde_json::from_str::<Event<'_>>(data) else {
        // JSON of an unknown shape may mean something to the client.
        learned.note_unread(data);
        return;
    };
    match &*event.r#type {
        "message_start" => {
            let message = event.message.as_ref();
            learned.content |= message.is_some_and(|message| message.content.iter().flatten().next().is_some());
            // A message that begins anew counts anew.
            learned.usage = message.and_then(|message| message.usage.as_ref()).map(|usage| usage.over(None));
        }
        "content_block_start" => learned.content |= event.content_block.is_some_and(|block| block.has_content()),
        "content_block_delta" => learned.content = true,
        "message_delta" => {
            if let Some(usage) = event.usage {
                learned.usage = Some(usage.over(learned.usage));
            }
        }
        "message_stop" => {
            learned.ends += 1;
            learned.done = true;
        }
        // Without the name that makes SDKs raise.
        _ if event.r#type == "error" || event.error.is_some() => learned.fail(UpstreamError::of_event(data), false),
        "content_block_stop" | "ping" => {}
        // More kinds of events may be added, and clients are asked to ignore those they do not know.
        _ => learned.unknown = true,
    }
}
