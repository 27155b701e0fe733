//! What the lines of a stream tell.
//!
//! The search for words that matter cannot be fooled by text that the model writes: inside a JSON string the quote that ends
//! a key is escaped.

use std::sync::LazyLock;

use memchr::memchr_iter;
use memchr::memmem::Finder;

use super::wire::Line;
use crate::dialect::Learned;

/// A line that says nothing.
///
/// JSON lines have no comments, and Ollama's own clients parse every line, empty ones included. So a sign of life is a piece
/// of an answer without content, with all that a client may ask of one: `message` for those of `/api/chat`, `response` for
/// those of `/api/generate`, a date that can be parsed.
pub(super) const KEEP_ALIVE: &[u8] = b"{\"model\":\"\",\"created_at\":\"1970-01-01T00:00:00Z\",\
\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"response\":\"\",\"done\":false}\n";

/// Whether `line` is such a sign of life, from another Sluicegate.
pub(super) fn is_keep_alive(line: &[u8]) -> bool {
    line == KEEP_ALIVE.trim_ascii_end()
}

struct Needles {
    content: Finder<'static>,
    response: Finder<'static>,
    thinking: Finder<'static>,
    done: Finder<'static>,
    error: Finder<'static>,
}

static NEEDLES: LazyLock<Needles> = LazyLock::new(|| Needles {
    content: Finder::new("\"content\":\""),
    response: Finder::new("\"response\":\""),
    thinking: Finder::new("\"thinking\":\""),
    done: Finder::new("\"done\""),
    error: Finder::new("\"error\""),
});

/// Whether there is nothing to learn from `run` but that the model speaks.
pub(super) fn is_another_token(run: &[u8], speaking: bool) -> bool {
    (speaking || is_plain_text(run)) && are_objects(run) && !is_notable(run)
}

pub(super) fn observe(data: &str, learned: &mut Learned) {
    let Ok(line) = serde_json::from_str::<Line<'_>>(data) else {
        // JSON of an unknown shape may mean something to the client.
        learned.note_unread(data);
        return;
    };
    learned.unknown |= line.message.is_none() && line.response.is_none();
    if let Some(error) = line.error(data.as_bytes()) {
        return learned.fail(error, true);
    }
    learned.content |= line.has_content();
    if let Some(usage) = line.usage() {
        learned.usage = Some(usage);
    }
    if line.is_done() {
        learned.ends += 1;
        learned.done = true;
    }
}

/// Whether each line of `run` looks like an object from end to end.
fn are_objects(run: &[u8]) -> bool {
    run.first() == Some(&b'{')
        && run.ends_with(b"}\n")
        && memchr_iter(b'\n', run).all(|at| {
            let begins_anew = run.get(at + 1).is_none_or(|next| *next == b'{');
            begins_anew && at > 0 && run[at - 1] == b'}'
        })
}

/// Whether `run` says some text in the most usual way, which need not be parsed to be known.
fn is_plain_text(run: &[u8]) -> bool {
    let needles = &*NEEDLES;
    [&needles.content, &needles.response, &needles.thinking].into_iter().any(|needle| {
        needle.find_iter(run).any(|at| run.get(at + needle.needle().len()).is_some_and(|next| *next != b'"'))
    })
}

/// Whether `run` may say more than "another token". False positives cost a parse, false negatives cannot happen.
fn is_notable(run: &[u8]) -> bool {
    let needles = &*NEEDLES;
    let ends = |at: usize| {
        let behind = &run[at + needles.done.needle().len()..];
        let value = behind.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b':'));
        value != Some(&b'f')
    };
    needles.done.find_iter(run).any(ends) || needles.error.find(run).is_some()
}
