//! Reads along with a stream that passes untouched.
//!
//! An observer never changes or delays a byte. It learns what the relay must know to end a stream honestly and to account
//! for it: whether content has come, whether the stream is complete, its usage, and whether the upstream reported an error.
//!
//! Almost every frame is a token that says nothing of this. Such frames are recognised by searching their bytes for the few
//! words that matter, and only the others are parsed. The search cannot be fooled by text that the model writes: inside a
//! JSON string the quote that ends a key is escaped.

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::{self, Finder};

use super::error::UpstreamError;
use super::wire::Chunk;
use crate::canonical::Usage;
use crate::framing::sse::{self, Event};

/// What has been learned of one stream.
#[derive(Debug)]
pub struct Observer {
    /// Finish reasons that make the stream complete without `[DONE]`; `None` if its end needs no announcement.
    expected_finishes: Option<u32>,
    finishes: u32,
    started: bool,
    data: bool,
    content: bool,
    done: bool,
    usage: Option<Usage>,
    error: Option<UpstreamError>,
    /// The error stands where clients look for it.
    error_visible: bool,
    garbled: bool,
}

impl Observer {
    /// An observer of a chat completion or legacy completion of `choices` choices.
    pub fn chat(choices: u32) -> Self {
        Self::new(Some(choices))
    }

    /// An observer of any other event stream of OpenAI's endpoints, whose end need not be announced.
    pub fn opaque() -> Self {
        Self::new(None)
    }

    fn new(expected_finishes: Option<u32>) -> Self {
        Self {
            expected_finishes,
            finishes: 0,
            started: false,
            data: false,
            content: false,
            done: false,
            usage: None,
            error: None,
            error_visible: false,
            garbled: false,
        }
    }

    /// Reads a run of whole frames and returns how many of its bytes may pass: all of them, but for an error that clients
    /// would not see and what stands behind it.
    pub fn observe(&mut self, run: &[u8]) -> usize {
        if run.is_empty() || self.is_another_token(run) {
            return run.len();
        }
        let text = if std::mem::replace(&mut self.started, true) { run } else { sse::strip_bom(run) };
        let mut passed = run.len() - text.len();
        for frame in sse::frames(text) {
            if !self.is_another_token(frame) {
                self.observe_event(&Event::parse(frame));
            }
            if self.hidden_error().is_some() {
                return passed;
            }
            passed += frame.len();
        }
        passed
    }

    /// Whether there is nothing to learn from `run` but that the model speaks.
    fn is_another_token(&mut self, run: &[u8]) -> bool {
        let is_another = (self.content || is_plain_text(run)) && !is_notable(run);
        if is_another {
            (self.started, self.data, self.content) = (true, true, true);
        }
        is_another
    }

    /// Reads what stood behind the last whole frame when the body ended. Returns it as a frame if it lacks nothing but the
    /// empty line.
    pub fn observe_rest(&mut self, rest: &[u8]) -> Option<Bytes> {
        if rest.is_empty() {
            return None;
        }
        // Some servers end a stream that fails in a bare error body.
        if let Some(error) = UpstreamError::parse(rest) {
            self.fail(error, false);
            return None;
        }
        let event = Event::parse(sse::strip_bom(rest));
        let is_whole = match event.data.as_deref() {
            Some(b"[DONE]") => true,
            Some(data) => serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok(),
            None => event.error.is_some(),
        };
        let frame = is_whole.then(|| Bytes::from(sse::end_frame(rest)))?;
        let passed = self.observe(&frame);
        Some(frame.slice(..passed))
    }

    fn observe_event(&mut self, event: &Event<'_>) {
        if let Some(error) = event.error.and_then(|text| UpstreamError::parse(&wrap_error(text))) {
            self.fail(error, false);
        }
        let Some(data) = event.data.as_deref() else { return };
        self.data = true;
        // As clients read it: malformed text is replaced, and what stands around it counts. There hardly ever is any.
        let data = &*str::from_utf8(data).map_or_else(|_| String::from_utf8_lossy(data), Cow::Borrowed);
        if data == "[DONE]" {
            self.done = true;
        } else if event.event == Some(b"error") {
            let text = || UpstreamError { message: data.to_owned(), ..Default::default() };
            // Streams whose end we do not know have errors of their own kind, and their clients know them.
            let visible = self.expected_finishes.is_none() || has_error(data);
            self.fail(UpstreamError::parse(data.as_bytes()).unwrap_or_else(text), visible);
        } else if self.expected_finishes.is_none() {
            self.content = true;
        } else {
            self.observe_chunk(data);
        }
    }

    fn observe_chunk(&mut self, data: &str) {
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(data) else {
            // JSON of an unknown shape may mean something to the client.
            self.garbled |= serde_json::from_str::<serde::de::IgnoredAny>(data).is_err();
            return;
        };
        if (chunk.error.is_some() || chunk.is_error_object())
            && let Some(error) = UpstreamError::parse(data.as_bytes())
        {
            self.fail(error, chunk.error.is_some());
        }
        for choice in chunk.choices.iter().flatten() {
            self.content |= choice.has_content();
            self.finishes += u32::from(choice.finish_reason.is_some());
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage.into());
        }
    }

    fn fail(&mut self, error: UpstreamError, visible: bool) {
        self.error = Some(error);
        self.error_visible = visible;
    }

    /// Whether any event with data has come. Comments are not data.
    pub fn has_data(&self) -> bool {
        self.data
    }

    /// Whether the model has said anything yet: an announced role is no content.
    pub fn has_content(&self) -> bool {
        self.content
    }

    /// Whether `[DONE]` has come, after which nothing more is expected.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Whether the answer is known to be whole: by `[DONE]`, or by all its finish reasons.
    pub fn is_complete(&self) -> bool {
        self.done || self.expected_finishes.is_some_and(|expected| self.finishes >= expected)
    }

    /// Whether the upstream may end its body here: a complete answer, or a stream whose end need not be announced.
    pub fn may_end(&self) -> bool {
        self.is_complete() || self.expected_finishes.is_none()
    }

    /// The last usage the provider reported.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The error the upstream reported inside the stream.
    pub fn error(&self) -> Option<&UpstreamError> {
        self.error.as_ref()
    }

    /// Whether clients see that error: OpenAI's SDKs look for a top-level `error` in the data of an event, nowhere else.
    pub fn is_error_visible(&self) -> bool {
        self.error_visible
    }

    /// That error, if clients do not see it.
    pub fn hidden_error(&self) -> Option<&UpstreamError> {
        self.error().filter(|_| !self.error_visible)
    }

    /// Whether data has come that is no JSON.
    pub fn is_garbled(&self) -> bool {
        self.garbled
    }
}

/// The value of an `error` field is the inner object; the reader wants the outer one.
fn wrap_error(text: &[u8]) -> Vec<u8> {
    [b"{\"error\":", text, b"}"].concat()
}

/// Whether `data` has its error where clients look for it.
fn has_error(data: &str) -> bool {
    serde_json::from_str::<Chunk<'_>>(data).is_ok_and(|chunk| chunk.error.is_some())
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
