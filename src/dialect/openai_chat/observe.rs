//! What the events of a chat stream tell.
//!
//! The search for words that matter cannot be fooled by text that the model writes: inside a JSON string the quote that ends
//! a key is escaped.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

use super::OpenAiChat;
use super::wire::Chunk;
use crate::dialect::{Learned, Observer, UpstreamError};

impl Observer {
    /// An observer of a chat completion or legacy completion of `choices` choices.
    pub fn chat(choices: u32) -> Self {
        Self::new(&OpenAiChat, choices)
    }
}

/// Whether there is nothing to learn from `run` but that the model speaks.
pub(super) fn is_another_token(run: &[u8], speaking: bool) -> bool {
    (speaking || is_plain_text(run)) && !is_notable(run)
}

pub(super) fn observe(name: Option<&[u8]>, data: &str, learned: &mut Learned) {
    if data == "[DONE]" {
        learned.done = true;
    } else if name == Some(b"error") {
        // OpenAI's SDKs look for a top-level `error` in the data of an event, nowhere else.
        let visible = serde_json::from_str::<Chunk<'_>>(data).is_ok_and(|chunk| chunk.error.is_some());
        learned.fail(UpstreamError::of_event(data), visible);
    } else {
        observe_chunk(data, learned);
    }
}

fn observe_chunk(data: &str, learned: &mut Learned) {
    let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(data) else {
        // JSON of an unknown shape may mean something to the client.
        learned.note_unread(data);
        return;
    };
    learned.unknown |= chunk.choices.is_none() && chunk.usage.is_none() && chunk.error.is_none();
    if (chunk.error.is_some() || chunk.is_error_object())
        && let Some(error) = UpstreamError::parse(data.as_bytes())
    {
        learned.fail(error, chunk.error.is_some());
    }
    for choice in chunk.choices.iter().flatten() {
        learned.content |= choice.has_content();
        learned.ends += u32::from(choice.finish_reason.is_some());
    }
    if let Some(usage) = chunk.usage {
        learned.usage = Some(usage.into());
    }
}

struct Needles {
    delta: Finder<'static>,
    content: Finder<'static>,
    done: Finder<'static>,
    finish_reason: Finder<'static>,
    usage: Finder<'static>,
    error: Finder<'static>,
}

static NEEDLES: LazyLock<Needles> = LazyLock::new(|| Needles {
    delta: Finder::new("\"delta\":{"),
    content: Finder::new("\"content\":\""),
    done: Finder::new("[DONE]"),
    finish_reason: Finder::new("\"finish_reason\""),
    usage: Finder::new("\"usage\""),
    error: Finder::new("error"),
});

/// Whether `run` says some text in the most usual way, which need not be parsed to be known.
fn is_plain_text(run: &[u8]) -> bool {
    let needles = &*NEEDLES;
    needles.delta.find(run).is_some_and(|delta| {
        let rest = &run[delta..];
        needles.content.find(rest).is_some_and(|at| rest.get(at + needles.content.needle().len()) != Some(&b'"'))
    })
}

/// Whether `run` may say more than "another token". False positives cost a parse, false negatives cannot happen.
fn is_notable(run: &[u8]) -> bool {
    let needles = &*NEEDLES;
    has_value(run, &needles.finish_reason)
        || has_value(run, &needles.usage)
        || needles.error.find(run).is_some()
        || needles.done.find(run).is_some()
}

/// Whether `key` stands in `run` with a value other than null.
fn has_value(run: &[u8], key: &memmem::Finder<'_>) -> bool {
    let length = key.needle().len();
    key.find_iter(run).any(|at| {
        let value = run[at + length..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b':'));
        value != Some(&b'n')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
    const TOKEN: &str =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}],\"usage\":null}\n\n";
    const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

    fn observe(runs: &[&str]) -> Observer {
        let mut observer = Observer::chat(1);
        for run in runs {
            observer.observe(run.as_bytes());
        }
        observer
    }

    #[test]
    fn a_role_is_no_content_and_a_token_is() {
        assert!(!observe(&[": comment\n", ROLE]).has_content());
        assert!(observe(&[ROLE, TOKEN]).has_content());
        for delta in [r#"{"reasoning":"hm"}"#, r#"{"tool_calls":[{}]}"#, r#"{"not known yet":{"to":"us"}}"#] {
            let frame = format!("data:{{\"choices\":[{{\"delta\":{delta}}}]}}\n\n");
            assert!(observe(&[&frame]).has_content(), "{delta}");
        }
        for delta in ["null", "{}", r#"{"role":"assistant","content":null,"tool_calls":[],"refusal":""}"#] {
            let frame = format!("data:{{\"choices\":[{{\"delta\":{delta}}}]}}\n\n");
            assert!(!observe(&[&frame]).has_content(), "{delta}");
        }
    }

    #[test]
    fn a_finish_reason_or_done_completes_a_stream() {
        assert!(!observe(&[ROLE, TOKEN]).is_complete());
        assert!(observe(&[ROLE, TOKEN, FINISH]).is_complete());
        assert!(observe(&[TOKEN, "data: [DONE]\n\n"]).is_done());
    }

    #[test]
    fn every_choice_must_finish() {
        let mut observer = Observer::chat(2);
        observer.observe([TOKEN, FINISH].concat().as_bytes());
        assert!(!observer.is_complete());
        observer.observe(FINISH.as_bytes());
        assert!(observer.is_complete());
    }

    #[test]
    fn usage_is_read_in_every_place() {
        let usage = "data: {\"choices\":[],\"usage\": {\"prompt_tokens\":7,\"completion_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":3}}}\n\n";
        let read = observe(&[TOKEN, usage]).usage().unwrap();
        assert_eq!((read.input_tokens, read.output_tokens, read.cached_input_tokens), (7, 9, 3));
    }

    #[test]
    fn errors_are_read_in_every_shape() {
        let message = |frame: &str| observe(&[TOKEN, frame]).error().map(|error| error.message.clone());
        assert_eq!(message("data: {\"error\":{\"message\":\"a\"}}\n\n").as_deref(), Some("a"));
        assert_eq!(message("event: error\ndata: {\"error\":{\"message\":\"b\"}}\n\n").as_deref(), Some("b"));
        assert_eq!(message("error: {\"message\":\"c\"}\n\n").as_deref(), Some("c"));
        assert_eq!(message("data: {\"object\":\"error\",\"message\":\"d\"}\n\n").as_deref(), Some("d"));
        assert_eq!(message(TOKEN), None);
    }

    #[test]
    fn an_error_that_clients_would_not_see_does_not_pass_nor_does_anything_behind_it() {
        let passed = |frame: &str| Observer::chat(1).observe([TOKEN, frame, "data: [DONE]\n\n"].concat().as_bytes());
        for hidden in [
            "error: {\"message\":\"a\"}\n\n",
            "data: {\"object\":\"error\",\"message\":\"a\"}\n\n",
            "event: error\ndata: {\"message\":\"a\"}\n\n",
            "event: error\ndata: out of memory\n\n",
        ] {
            assert_eq!(passed(hidden), TOKEN.len(), "{hidden:?}");
        }
        let visible = "event: error\ndata: {\"error\":{\"message\":\"a\"}}\n\n";
        assert_eq!(passed(visible), TOKEN.len() + visible.len() + "data: [DONE]\n\n".len());
    }

    #[test]
    fn what_the_end_cut_off_is_a_frame_if_it_is_whole_but_for_the_empty_line() {
        let rest = |rest: &str| Observer::chat(1).observe_rest(rest.as_bytes());
        assert_eq!(rest("data: [DONE]").as_deref(), Some(&b"data: [DONE]\n\n"[..]));
        assert_eq!(rest(FINISH.trim_end()).as_deref(), Some(FINISH.as_bytes()));
        assert_eq!(rest("data: {\"choices\":[{"), None);
        assert_eq!(rest(""), None);
    }

    #[test]
    fn a_bare_error_at_the_end_is_an_error() {
        let mut observer = observe(&[TOKEN]);
        assert_eq!(observer.observe_rest(b"{\n \"error\": {\"message\": \"no\"}\n}"), None);
        assert_eq!(observer.hidden_error().unwrap().message, "no");
    }

    #[test]
    fn text_about_these_words_changes_nothing() {
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"finish_reason\\\":\\\"stop\\\" error [DONE] \\\"usage\\\":{}\"},\"finish_reason\":null}]}\n\n";
        let observer = observe(&[TOKEN, text]);
        assert!(!observer.is_complete() && observer.error().is_none() && observer.usage().is_none());
    }
}
